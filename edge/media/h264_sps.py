"""What an H.264 sequence parameter set says of the frames (ITU-T H.264, 7.3.2.1 and annex E)."""

from dataclasses import dataclass

from .h264 import Bits

BASELINE = 66
# Profiles whose parameter set tells of chroma and scaling lists.
HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
EXTENDED_ASPECT = 255


@dataclass(frozen=True, slots=True)
class Sequence:
    """A stream's frames: size in pixels; `reorder` is None where nothing says it.

    `reorder` is how many frames may come before one that is shown earlier.
    """

    profile: int
    width: int
    height: int
    is_progressive: bool
    is_plain: bool
    reorder: int | None


def read(unit: bytes) -> Sequence:
    """Read the unit with its header."""
    bits = Bits(unit[1:])
    profile = bits.take(8)
    bits.take(16)
    bits.number()
    chroma, is_plain = _chroma(bits) if profile in HIGH_PROFILES else (1, True)
    order_kind = _skip_to_size(bits)
    columns, rows = bits.number() + 1, bits.number() + 1
    is_progressive = bool(bits.take(1))
    if not is_progressive:
        bits.take(1)
    bits.take(1)
    height = rows * 16 * (1 if is_progressive else 2)
    width, height = _cropped(bits, columns * 16, height, chroma, is_progressive)
    reorder = _reorder(bits) if bits.take(1) else None
    if profile == BASELINE or order_kind == 2:
        reorder = 0
    return Sequence(profile, width, height, is_progressive, is_plain, reorder)


def _chroma(bits: Bits) -> tuple[int, bool]:
    """Read the chroma format, and whether it is what every player decodes: 4:2:0, 8 bits."""
    chroma = bits.number()
    if chroma == 3:
        bits.take(1)
    is_plain = bits.number() == 0
    is_plain = bits.number() == 0 and is_plain and chroma == 1
    bits.take(1)
    if bits.take(1):
        for number in range(12 if chroma == 3 else 8):
            if bits.take(1):
                _skip_scaling_list(bits, 16 if number < 6 else 64)
    return chroma, is_plain


def _skip_scaling_list(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _skip_to_size(bits: Bits) -> int:
    """Read on to the size; give the way in which frames are put in order."""
    bits.number()
    order_kind = bits.number()
    if order_kind == 0:
        bits.number()
    elif order_kind == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(bits.number()):
            bits.signed()
    bits.number()
    bits.take(1)
    return order_kind


def _cropped(
    bits: Bits, width: int, height: int, chroma: int, is_progressive: bool
) -> tuple[int, int]:
    if not bits.take(1):
        return width, height
    left, right, top, bottom = (bits.number() for _ in range(4))
    across = 2 if chroma in (1, 2) else 1
    down = (2 if chroma == 1 else 1) * (1 if is_progressive else 2)
    return width - across * (left + right), height - down * (top + bottom)


def _reorder(bits: Bits) -> int | None:
    """Read the usability information for how many frames are put out of order."""
    _skip_to_timing(bits)
    if bits.take(1):
        bits.take(65)
    _skip_reference_decoders(bits)
    bits.take(1)
    if not bits.take(1):
        return None
    bits.take(1)
    for _ in range(4):
        bits.number()
    return bits.number()


def _skip_to_timing(bits: Bits) -> None:
    if bits.take(1) and bits.take(8) == EXTENDED_ASPECT:
        bits.take(32)
    if bits.take(1):
        bits.take(1)
    if bits.take(1):
        bits.take(4)
        if bits.take(1):
            bits.take(24)
    if bits.take(1):
        bits.number()
        bits.number()


def _skip_reference_decoders(bits: Bits) -> None:
    has_any = False
    for _ in range(2):
        if bits.take(1):
            has_any = True
            count = bits.number() + 1
            bits.take(8)
            for _ in range(count):
                bits.number()
                bits.number()
                bits.take(1)
            bits.take(20)
    if has_any:
        bits.take(1)
