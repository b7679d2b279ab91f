"""H.264 NAL units: Annex B, as encoders write them, and AVCC, as Matroska holds them."""

from collections.abc import Iterable, Iterator

START_CODE = b"\x00\x00\x01"
SLICE, IDR_SLICE, SPS, PPS, AUD = 1, 5, 7, 8, 9
# Slice types of B-frames (table 7-6; types 5 to 9 say the same of all slices).
B_SLICE_TYPES = {1, 6}


def split_annex_b(annex_b: bytes) -> list[bytes]:
    """Split an Annex B byte stream into its NAL units."""
    # A unit never ends in a zero byte, so trailing zeros belong to the next start code.
    pieces = (piece.rstrip(b"\x00") for piece in annex_b.split(START_CODE))
    return [piece for piece in pieces if piece]


def split_avcc(data: bytes, octets: int) -> Iterator[bytes]:
    """Split AVCC data into its NAL units; `octets` is the size of a length prefix."""
    at = 0
    while at + octets < len(data):
        length = int.from_bytes(data[at : at + octets], "big")
        yield data[at + octets : at + octets + length]
        at += octets + length


def codec_private(parameters: list[bytes]) -> bytes:
    """Make the decoder configuration record (ISO/IEC 14496-15), Matroska's CodecPrivate."""
    sequence = first_of_type(parameters, SPS)
    pictures = dict.fromkeys(unit for unit in parameters if nal_type(unit) == PPS)
    # Version 1; profile, compatibility and level; 4-byte lengths; one sequence parameter set.
    head = b"\x01" + sequence[1:4] + b"\xff\xe1" + with_length(sequence, 2)
    return head + bytes([len(pictures)]) + b"".join(with_length(unit, 2) for unit in pictures)


def parameter_sets(codec_private: bytes) -> list[bytes]:
    """Return the parameter sets of a decoder configuration record."""
    found: list[bytes] = []
    at = 5
    for mask in (0x1F, 0xFF):
        count, at = codec_private[at] & mask, at + 1
        for _ in range(count):
            length = int.from_bytes(codec_private[at : at + 2], "big")
            found.append(codec_private[at + 2 : at + 2 + length])
            at += 2 + length
    return found


def avcc_frame(units: list[bytes]) -> bytes:
    """Join a frame's NAL units, without those that the decoder configuration record holds."""
    left_out = {SPS, PPS, AUD}
    return join_avcc(unit for unit in units if nal_type(unit) not in left_out)


def join_avcc(units: Iterable[bytes]) -> bytes:
    """Join NAL units, each with a length prefix of 4 bytes."""
    return b"".join(with_length(unit, 4) for unit in units)


def is_idr(unit: bytes) -> bool:
    """Return whether a unit belongs to a frame that decoding can start at (IDR)."""
    return nal_type(unit) == IDR_SLICE


def is_b_slice(unit: bytes) -> bool:
    """Return whether a unit is a slice of a B-frame."""
    if nal_type(unit) != SLICE:
        return False
    bits = BitReader(unit[1:16])
    bits.read_ue()
    return bits.read_ue() in B_SLICE_TYPES


def first_of_type(parameters: list[bytes], wanted: int) -> bytes:
    """Return the first unit of that type; raises StopIteration if there is none."""
    return next(unit for unit in parameters if nal_type(unit) == wanted)


def nal_type(unit: bytes) -> int:
    """Return a unit's nal_unit_type (table 7-1)."""
    return unit[0] & 0x1F


def with_length(unit: bytes, octets: int) -> bytes:
    """Return the unit with its length prefix of so many bytes."""
    return len(unit).to_bytes(octets, "big") + unit


class BitReader:
    """Reads a NAL unit's payload bit by bit."""

    def __init__(self, escaped: bytes) -> None:
        # Encoders insert a 3 where data would look like a start code.
        """Start at the first bit; remove the emulation prevention bytes."""
        data = escaped.replace(b"\x00\x00\x03", b"\x00\x00")
        self._bits = "".join(f"{octet:08b}" for octet in data)
        self._at = 0

    def read_bits(self, count: int) -> int:
        """Read an unsigned number of so many bits; bits past the end are zeros."""
        bits = self._bits[self._at : self._at + count]
        self._at += count
        return int(bits.ljust(count, "0") or "0", 2)

    def read_ue(self) -> int:
        """Read an unsigned Exp-Golomb number, ue(v) (section 9.1)."""
        zeros = 0
        while zeros < 32 and not self.read_bits(1):
            zeros += 1
        return (1 << zeros) - 1 + (self.read_bits(zeros) if zeros else 0)

    def read_se(self) -> int:
        """Read a signed Exp-Golomb number, se(v) (section 9.1.1)."""
        number = self.read_ue()
        return (number + 1) // 2 if number % 2 else -(number // 2)
