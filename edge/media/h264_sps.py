"""The H.264 sequence parameter set (ITU-T H.264, 7.3.2.1 and annex E)."""

from dataclasses import dataclass

from .h264 import BitReader

BASELINE = 66
# Profiles whose parameter set has chroma format and scaling lists.
HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
EXTENDED_ASPECT = 255


@dataclass(frozen=True, slots=True)
class SequenceParameters:
    """A stream's format: size in pixels, and what a player must be able to decode.

    `reorder_frames` is how many frames may precede one that is shown before them; None if the
    parameter set does not say.
    """

    profile: int
    width: int
    height: int
    is_progressive: bool
    is_8bit_420: bool
    reorder_frames: int | None


def parse_sps(unit: bytes) -> SequenceParameters:
    """Parse a sequence parameter set, given as a whole NAL unit."""
    bits = BitReader(unit[1:])
    profile = bits.read_bits(8)
    bits.read_bits(16)
    bits.read_ue()
    chroma, is_8bit_420 = _chroma(bits) if profile in HIGH_PROFILES else (1, True)
    order_kind = _skip_to_size(bits)
    columns, rows = bits.read_ue() + 1, bits.read_ue() + 1
    is_progressive = bool(bits.read_bits(1))
    if not is_progressive:
        bits.read_bits(1)
    bits.read_bits(1)
    height = rows * 16 * (1 if is_progressive else 2)
    width, height = _crop(bits, columns * 16, height, chroma, is_progressive)
    reorder_frames = _reorder_frames(bits) if bits.read_bits(1) else None
    if profile == BASELINE or order_kind == 2:
        reorder_frames = 0
    return SequenceParameters(profile, width, height, is_progressive, is_8bit_420, reorder_frames)


def _chroma(bits: BitReader) -> tuple[int, bool]:
    """Read the chroma format; return it and whether every player decodes it (4:2:0, 8 bits)."""
    chroma = bits.read_ue()
    if chroma == 3:
        bits.read_bits(1)
    is_8bit_420 = bits.read_ue() == 0
    is_8bit_420 = bits.read_ue() == 0 and is_8bit_420 and chroma == 1
    bits.read_bits(1)
    if bits.read_bits(1):
        for number in range(12 if chroma == 3 else 8):
            if bits.read_bits(1):
                _skip_scaling_list(bits, 16 if number < 6 else 64)
    return chroma, is_8bit_420


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.read_se()) % 256
        last = following or last


def _skip_to_size(bits: BitReader) -> int:
    """Skip to the frame size; return pic_order_cnt_type."""
    bits.read_ue()
    order_kind = bits.read_ue()
    if order_kind == 0:
        bits.read_ue()
    elif order_kind == 1:
        bits.read_bits(1)
        bits.read_se()
        bits.read_se()
        for _ in range(bits.read_ue()):
            bits.read_se()
    bits.read_ue()
    bits.read_bits(1)
    return order_kind


def _crop(
    bits: BitReader, width: int, height: int, chroma: int, is_progressive: bool
) -> tuple[int, int]:
    if not bits.read_bits(1):
        return width, height
    left, right, top, bottom = (bits.read_ue() for _ in range(4))
    across = 2 if chroma in (1, 2) else 1
    down = (2 if chroma == 1 else 1) * (1 if is_progressive else 2)
    return width - across * (left + right), height - down * (top + bottom)


def _reorder_frames(bits: BitReader) -> int | None:
    """Read max_num_reorder_frames of the usability information; None if it is not there."""
    _skip_to_timing(bits)
    if bits.read_bits(1):
        bits.read_bits(65)
    _skip_hrd(bits)
    bits.read_bits(1)
    if not bits.read_bits(1):
        return None
    bits.read_bits(1)
    for _ in range(4):
        bits.read_ue()
    return bits.read_ue()


def _skip_to_timing(bits: BitReader) -> None:
    if bits.read_bits(1) and bits.read_bits(8) == EXTENDED_ASPECT:
        bits.read_bits(32)
    if bits.read_bits(1):
        bits.read_bits(1)
    if bits.read_bits(1):
        bits.read_bits(4)
        if bits.read_bits(1):
            bits.read_bits(24)
    if bits.read_bits(1):
        bits.read_ue()
        bits.read_ue()


def _skip_hrd(bits: BitReader) -> None:
    has_any = False
    for _ in range(2):
        if bits.read_bits(1):
            has_any = True
            count = bits.read_ue() + 1
            bits.read_bits(8)
            for _ in range(count):
                bits.read_ue()
                bits.read_ue()
                bits.read_bits(1)
            bits.read_bits(20)
    if has_any:
        bits.read_bits(1)
