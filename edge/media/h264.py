"""H.264 as encoders write it (Annex B) and as Matroska holds it (AVCC), unit by unit."""

from collections.abc import Iterable, Iterator

START_CODE = b"\x00\x00\x01"
SLICE, KEY_SLICE, SEQUENCE_PARAMETERS, PICTURE_PARAMETERS, DELIMITER = 1, 5, 7, 8, 9
# Slices that predict from later frames too (table 7-6; 5 to 9 say the same of all slices).
BOTH_WAYS = {1, 6}


def units(annex_b: bytes) -> list[bytes]:
    """Split a byte stream into its NAL units."""
    # A unit never ends in a zero byte: zeros there belong to the next start code.
    pieces = (piece.rstrip(b"\x00") for piece in annex_b.split(START_CODE))
    return [piece for piece in pieces if piece]


def prefixed_units(data: bytes, octets: int) -> Iterator[bytes]:
    """Split what an AVCC container holds, whose lengths have so many octets."""
    at = 0
    while at + octets < len(data):
        length = int.from_bytes(data[at : at + octets], "big")
        yield data[at + octets : at + octets + length]
        at += octets + length


def codec_private(parameters: list[bytes]) -> bytes:
    """Make the decoder configuration record of ISO/IEC 14496-15."""
    sequence = one_of(parameters, SEQUENCE_PARAMETERS)
    pictures = dict.fromkeys(unit for unit in parameters if kind(unit) == PICTURE_PARAMETERS)
    # Version 1; profile, compatibility and level; lengths of 4 bytes; one sequence set.
    head = b"\x01" + sequence[1:4] + b"\xff\xe1" + prefixed(sequence, 2)
    return head + bytes([len(pictures)]) + b"".join(prefixed(unit, 2) for unit in pictures)


def parameters_of(codec_private: bytes) -> list[bytes]:
    """List the parameter sets of a decoder configuration record."""
    found: list[bytes] = []
    at = 5
    for mask in (0x1F, 0xFF):
        count, at = codec_private[at] & mask, at + 1
        for _ in range(count):
            length = int.from_bytes(codec_private[at : at + 2], "big")
            found.append(codec_private[at + 2 : at + 2 + length])
            at += 2 + length
    return found


def without_parameters(several: list[bytes]) -> bytes:
    """Make a frame of units, each with its length; what the record says is left out."""
    left_out = {SEQUENCE_PARAMETERS, PICTURE_PARAMETERS, DELIMITER}
    return join(unit for unit in several if kind(unit) not in left_out)


def join(several: Iterable[bytes]) -> bytes:
    """Prefix each unit with its length of 4 bytes."""
    return b"".join(prefixed(unit, 4) for unit in several)


def is_key(unit: bytes) -> bool:
    """Say whether a decoder can begin with the frame this unit belongs to."""
    return kind(unit) == KEY_SLICE


def looks_ahead(unit: bytes) -> bool:
    """Say whether a unit is a slice of a B-frame."""
    if kind(unit) != SLICE:
        return False
    bits = Bits(unit[1:16])
    bits.number()
    return bits.number() in BOTH_WAYS


def one_of(parameters: list[bytes], wanted: int) -> bytes:
    """Give the first unit of a kind; StopIteration when there is none."""
    return next(unit for unit in parameters if kind(unit) == wanted)


def kind(unit: bytes) -> int:
    """Give a unit's type (table 7-1)."""
    return unit[0] & 0x1F


def prefixed(unit: bytes, octets: int) -> bytes:
    """Put a unit's length before it."""
    return len(unit).to_bytes(octets, "big") + unit


class Bits:
    """Reads a unit's payload bit by bit."""

    def __init__(self, escaped: bytes) -> None:
        # An encoder breaks up what would look like a start code by a 3.
        data = escaped.replace(b"\x00\x00\x03", b"\x00\x00")
        self._bits = "".join(f"{octet:08b}" for octet in data)
        self._at = 0

    def take(self, count: int) -> int:
        """Read an unsigned number of so many bits; past the end come zeros."""
        bits = self._bits[self._at : self._at + count]
        self._at += count
        return int(bits.ljust(count, "0") or "0", 2)

    def number(self) -> int:
        """Read an unsigned Exp-Golomb number (section 9.1)."""
        zeros = 0
        while zeros < 32 and not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + (self.take(zeros) if zeros else 0)

    def signed(self) -> int:
        """Read a signed Exp-Golomb number (section 9.1.1)."""
        number = self.number()
        return (number + 1) // 2 if number % 2 else -(number // 2)
