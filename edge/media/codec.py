"""The codecs whose packets can be sent as they are, and what differs between them."""

from collections.abc import Callable
from dataclasses import dataclass

from . import h264, hevc


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec: its names in FFmpeg, for people and in Matroska, and how its NAL units are read.

    `length_at` is the index of the byte of the decoder configuration record that says how long a
    length prefix is.
    """

    name: str
    title: str
    matroska_id: str
    parameter_types: frozenset[int]
    length_at: int
    nal_type: Callable[[bytes], int]
    is_slice: Callable[[bytes], bool]
    is_key: Callable[[bytes], bool]
    parameter_sets: Callable[[bytes], list[bytes]]
    codec_private: Callable[[list[bytes]], bytes]


H264 = Codec(
    name="h264",
    title="H.264",
    matroska_id="V_MPEG4/ISO/AVC",
    parameter_types=frozenset({h264.SPS, h264.PPS}),
    length_at=4,
    nal_type=h264.nal_type,
    is_slice=lambda unit: h264.SLICE <= h264.nal_type(unit) <= h264.IDR_SLICE,
    is_key=h264.is_idr,
    parameter_sets=h264.parameter_sets,
    codec_private=h264.codec_private,
)
HEVC = Codec(
    name="hevc",
    title="HEVC",
    matroska_id="V_MPEGH/ISO/HEVC",
    parameter_types=frozenset({hevc.VPS, hevc.SPS, hevc.PPS}),
    length_at=21,
    nal_type=hevc.nal_type,
    is_slice=lambda unit: hevc.nal_type(unit) < hevc.FIRST_NON_SLICE,
    is_key=lambda unit: hevc.nal_type(unit) in hevc.KEY_TYPES,
    parameter_sets=hevc.parameter_sets,
    codec_private=hevc.codec_private,
)
CODECS = {codec.name: codec for codec in (H264, HEVC)}


def codec_of_record(codec_private: bytes) -> Codec:
    """Return the codec of a decoder configuration record.

    Both records begin with version 1. In H.264's the upper bits of bytes 4 and 5 are reserved ones;
    in HEVC's these bytes are compatibility flags of profiles that do not exist, and zero.
    """
    return HEVC if codec_private[:1] == b"\x01" and codec_private[5:6] < b"\xe0" else H264
