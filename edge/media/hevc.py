"""HEVC NAL units and their decoder configuration record (ITU-T H.265, ISO/IEC 14496-15)."""

from dataclasses import dataclass
from itertools import groupby

from .h264 import BitReader, with_length

VPS, SPS, PPS = 32, 33, 34
# Table 7-1: slices come first; leading pictures are shown before the key frame they follow.
FIRST_NON_SLICE = 32
KEY_TYPES = range(16, 22)
LEADING_TYPES = range(6, 10)
HEADER_BYTES = 2
# profile_tier_level of a stream without sub-layers, whose fields are whole bytes.
PROFILE_BYTES = 12
SUB_LAYER_BITS = (88, 8)


@dataclass(frozen=True, slots=True)
class HevcParameters:
    """The fields of a sequence parameter set that the decoder configuration record repeats."""

    profile: bytes
    layers: int
    is_nested: bool
    chroma: int
    width: int
    height: int
    luma_bits: int
    chroma_bits: int


def nal_type(unit: bytes) -> int:
    """Return a unit's nal_unit_type (table 7-1)."""
    return unit[0] >> 1 & 0x3F


def parse_sps(unit: bytes) -> HevcParameters:
    """Parse a sequence parameter set, given as a whole NAL unit (7.3.2.2)."""
    bits = BitReader(unit[HEADER_BYTES:])
    bits.read_bits(4)
    layers, is_nested = bits.read_bits(3) + 1, bool(bits.read_bits(1))
    profile = bits.read_bits(PROFILE_BYTES * 8).to_bytes(PROFILE_BYTES, "big")
    _skip_sub_layers(bits, layers - 1)
    bits.read_ue()
    chroma = bits.read_ue()
    if chroma == 3:
        bits.read_bits(1)
    width, height = bits.read_ue(), bits.read_ue()
    if bits.read_bits(1):
        left, right, top, bottom = (bits.read_ue() for _ in range(4))
        width -= (2 if chroma in (1, 2) else 1) * (left + right)
        height -= (2 if chroma == 1 else 1) * (top + bottom)
    luma_bits, chroma_bits = bits.read_ue() + 8, bits.read_ue() + 8
    return HevcParameters(profile, layers, is_nested, chroma, width, height, luma_bits, chroma_bits)


def codec_private(parameters: list[bytes]) -> bytes:
    """Make the decoder configuration record, Matroska's CodecPrivate, from VPS, SPS and PPS."""
    by_type = {
        kind: list(units) for kind, units in groupby(sorted(parameters, key=nal_type), nal_type)
    }
    sequence = parse_sps(by_type[SPS][0])
    head = b"\x01" + sequence.profile + b"\xf0\x00\xfc"
    head += bytes([0xFC | sequence.chroma, 0xF8 | sequence.luma_bits - 8])
    head += bytes([0xF8 | sequence.chroma_bits - 8, 0, 0])
    # Frame rate not stated; sub-layers; 4-byte lengths; then one array for each type of unit.
    head += bytes([sequence.layers << 3 | sequence.is_nested << 2 | 3, len(by_type)])
    return head + b"".join(
        bytes([0x80 | kind])
        + len(units).to_bytes(2, "big")
        + b"".join(with_length(unit, 2) for unit in units)
        for kind, units in by_type.items()
    )


def parameter_sets(codec_private: bytes) -> list[bytes]:
    """Return the parameter sets of a decoder configuration record."""
    found: list[bytes] = []
    at = 23
    for _ in range(codec_private[22]):
        count, at = int.from_bytes(codec_private[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            length = int.from_bytes(codec_private[at : at + 2], "big")
            found.append(codec_private[at + 2 : at + 2 + length])
            at += 2 + length
    return found


def _skip_sub_layers(bits: BitReader, count: int) -> None:
    present = [(bits.read_bits(1), bits.read_bits(1)) for _ in range(count)]
    if count:
        bits.read_bits(2 * (8 - count))
    for flags in present:
        for flag, size in zip(flags, SUB_LAYER_BITS, strict=True):
            bits.read_bits(size if flag else 0)
