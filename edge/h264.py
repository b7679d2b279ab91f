"""Turns H.264 as encoders write it (Annex B) into H.264 as Matroska holds it (AVCC)."""

START_CODE = b"\x00\x00\x01"
SEQUENCE_PARAMETERS, PICTURE_PARAMETERS, DELIMITER = 7, 8, 9


def units(annex_b: bytes) -> list[bytes]:
    """Split a byte stream into its NAL units."""
    # A unit never ends in a zero byte: zeros there belong to the next start code.
    pieces = (piece.rstrip(b"\x00") for piece in annex_b.split(START_CODE))
    return [piece for piece in pieces if piece]


def codec_private(annex_b: bytes) -> bytes:
    """Make the decoder configuration record of ISO/IEC 14496-15."""
    sequence = _one_of(annex_b, SEQUENCE_PARAMETERS)
    picture = _one_of(annex_b, PICTURE_PARAMETERS)
    # Version 1; profile, compatibility and level; lengths of 4 bytes; one set of each.
    return b"".join(
        (b"\x01", sequence[1:4], b"\xff\xe1", _length(sequence, 2), sequence)
        + (b"\x01", _length(picture, 2), picture)
    )


def frame(annex_b: bytes) -> bytes:
    """Prefix each unit of a frame with its length; what the record says is left out."""
    left_out = {SEQUENCE_PARAMETERS, PICTURE_PARAMETERS, DELIMITER}
    kept = (unit for unit in units(annex_b) if _kind(unit) not in left_out)
    return b"".join(_length(unit, 4) + unit for unit in kept)


def _one_of(annex_b: bytes, kind: int) -> bytes:
    return next(unit for unit in units(annex_b) if _kind(unit) == kind)


def _kind(unit: bytes) -> int:
    return unit[0] & 0x1F


def _length(unit: bytes, octets: int) -> bytes:
    return len(unit).to_bytes(octets, "big")
