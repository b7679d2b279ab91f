"""Writes the Matroska that PutMedia accepts: one cluster is one fragment."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from .codec import Codec, codec_of_record

# Element ids, from the Matroska specification (RFC 9559).
EBML, EBML_VERSION, EBML_READ_VERSION = 0x1A45DFA3, 0x4286, 0x42F7
EBML_MAX_ID_LENGTH, EBML_MAX_SIZE_LENGTH = 0x42F2, 0x42F3
DOC_TYPE, DOC_TYPE_VERSION, DOC_TYPE_READ_VERSION = 0x4282, 0x4287, 0x4285
SEGMENT, INFO, SEGMENT_UUID, TIMESTAMP_SCALE = 0x18538067, 0x1549A966, 0x73A4, 0x2AD7B1
MUXING_APP, WRITING_APP = 0x4D80, 0x5741
TRACKS, TRACK_ENTRY, TRACK_NUMBER, TRACK_UID, TRACK_TYPE = (
    0x1654AE6B,
    0xAE,
    0xD7,
    0x73C5,
    0x83,
)
CODEC_ID, CODEC_PRIVATE, VIDEO, PIXEL_WIDTH, PIXEL_HEIGHT = (
    0x86,
    0x63A2,
    0xE0,
    0xB0,
    0xBA,
)
CLUSTER, TIMESTAMP, SIMPLE_BLOCK = 0x1F43B675, 0xE7, 0xA3
TAGS, TAG, SIMPLE_TAG, TAG_NAME, TAG_STRING = 0x1254C367, 0x7373, 0x67C8, 0x45A3, 0x4487

UNKNOWN_SIZE = b"\xff"
NANOSECONDS_PER_MS = 1_000_000
APPLICATION = "whosthere"


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """A video track: size in pixels and the decoder configuration record."""

    width: int
    height: int
    codec_private: bytes

    @property
    def codec(self) -> Codec:
        """Return the codec, which the record identifies."""
        return codec_of_record(self.codec_private)


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One frame as it is sent."""

    at_ms: int
    is_key: bool
    data: bytes


def header(track: VideoTrack) -> bytes:
    """Return the start of a body: EBML header, segment and track; one for each connection."""
    return _ebml() + _id(SEGMENT) + UNKNOWN_SIZE + _info() + _tracks(track)


def cluster(timecode: int) -> bytes:
    """Return the start of a fragment; its size stays open because its frames come later."""
    return _id(CLUSTER) + UNKNOWN_SIZE + _number(TIMESTAMP, timecode)


def block(offset_ms: int, *, is_key: bool, data: bytes) -> bytes:
    """Return a frame as a SimpleBlock, `offset_ms` after its cluster's timecode."""
    flags = b"\x80" if is_key else b"\x00"
    return _element(SIMPLE_BLOCK, b"\x81", offset_ms.to_bytes(2, "big", signed=True), flags, data)


def image_generation(tags: Mapping[str, str]) -> bytes:
    """Return the tag that makes AWS generate images of this fragment, with these tags."""
    return _tag({"AWS_KINESISVIDEO_IMAGE_GENERATION": "", **tags})


def end_of_fragment() -> bytes:
    """Return the tag that completes the fragment, so that its ack comes at once."""
    return _tag({"AWS_KINESISVIDEO_END_OF_FRAGMENT": ""})


def _ebml() -> bytes:
    return _element(
        EBML,
        _number(EBML_VERSION, 1),
        _number(EBML_READ_VERSION, 1),
        _number(EBML_MAX_ID_LENGTH, 4),
        _number(EBML_MAX_SIZE_LENGTH, 8),
        _text(DOC_TYPE, "matroska"),
        _number(DOC_TYPE_VERSION, 2),
        _number(DOC_TYPE_READ_VERSION, 2),
    )


def _info() -> bytes:
    return _element(
        INFO,
        _element(SEGMENT_UUID, secrets.token_bytes(16)),
        _number(TIMESTAMP_SCALE, NANOSECONDS_PER_MS),
        _text(MUXING_APP, APPLICATION),
        _text(WRITING_APP, APPLICATION),
    )


def _tracks(track: VideoTrack) -> bytes:
    size = _number(PIXEL_WIDTH, track.width) + _number(PIXEL_HEIGHT, track.height)
    entry = _element(
        TRACK_ENTRY,
        _number(TRACK_NUMBER, 1),
        _number(TRACK_UID, 1),
        _number(TRACK_TYPE, 1),
        _text(CODEC_ID, track.codec.matroska_id),
        _element(VIDEO, size),
        _element(CODEC_PRIVATE, track.codec_private),
    )
    return _element(TRACKS, entry)


def _tag(values: Mapping[str, str]) -> bytes:
    # As AWS's own producers write it: an event's value is present and empty, its tags follow.
    simple = (
        _element(SIMPLE_TAG, _text(TAG_NAME, name), _text(TAG_STRING, value))
        for name, value in values.items()
    )
    return _element(TAGS, _element(TAG, *simple))


def _element(element: int, *payload: bytes) -> bytes:
    content = b"".join(payload)
    return _id(element) + _size(len(content)) + content


def _number(element: int, value: int) -> bytes:
    return _element(element, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def _text(element: int, value: str) -> bytes:
    return _element(element, value.encode())


def _id(element: int) -> bytes:
    return element.to_bytes((element.bit_length() + 7) // 8, "big")


def _size(length: int) -> bytes:
    # A size of all ones means "unknown", hence the +1.
    octets = ((length + 1).bit_length() + 6) // 7
    return (length | 1 << 7 * octets).to_bytes(octets, "big")
