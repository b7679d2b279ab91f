"""The codec private data of H.264 and H.265 tracks, as ISO/IEC 14496-15 lays it out."""

from collections.abc import Iterator

from local.kinesisvideo.errors import KinesisVideoError
from local.kinesisvideo.mkv import ebml

_CODEC_PRIVATE = 0x63A2
_LENGTH = 4  # bytes before each unit, as every producer in use writes them


def require(header: bytes) -> None:
    """Raise GetClip's error if the first track of a header has no private data."""
    if _CODEC_PRIVATE not in _first_track(header):
        message = "The video has no codec private data"
        raise KinesisVideoError("MissingCodecPrivateDataException", message)


def _first_track(header: bytes) -> list[int]:
    """Return the element ids in the first track's entry."""
    document = ebml.read_head(header)
    segment = ebml.read_head(header, document.total) if document else None
    if document is None or segment is None:
        return []
    inside = memoryview(header)[document.total + segment.length :]
    tracks = [part for name, part in ebml.children(inside) if name == ebml.TRACKS]
    inside_tracks = [pair for part in tracks for pair in ebml.children(part)]
    entries = [entry for name, entry in inside_tracks if name == ebml.TRACK_ENTRY]
    return [name for entry in entries[:1] for name, _ in ebml.children(entry)]


def check(codec: str, private: bytes) -> None:
    """Raise GetClip's error if private data is not in AVC or HEVC format."""
    list(_sets(codec, private))


def parameter_sets(codec: str, private: bytes) -> bytes:
    """Return the parameter sets in private data, each prefixed with its length as in a frame."""
    return b"".join(len(unit).to_bytes(_LENGTH) + unit for unit in _sets(codec, private))


def _sets(codec: str, private: bytes) -> Iterator[bytes]:
    try:
        yield from (_of_h264 if codec == "h264" else _of_h265)(private)
    except (IndexError, ValueError) as error:
        message = "The codec private data is not in AVC or HEVC format"
        raise KinesisVideoError("InvalidCodecPrivateDataException", message) from error


def _of_h264(private: bytes) -> Iterator[bytes]:
    """Yield the sequence and picture parameter sets of an AVCDecoderConfigurationRecord."""
    if private[0] != 1 or private[4] & 3 != _LENGTH - 1:
        raise ValueError("not an AVC record with lengths of four bytes")
    at = 5
    for mask in (0x1F, 0xFF):
        count, at = private[at] & mask, at + 1
        for _ in range(count):
            unit, at = _unit(private, at)
            yield unit


def _of_h265(private: bytes) -> Iterator[bytes]:
    """Yield the units of an HEVCDecoderConfigurationRecord, whose arrays hold one type each."""
    if private[0] != 1 or private[21] & 3 != _LENGTH - 1:
        raise ValueError("not a HEVC record with lengths of four bytes")
    at = 23
    for _ in range(private[22]):
        count, at = int.from_bytes(private[at + 1 : at + 3]), at + 3
        for _ in range(count):
            unit, at = _unit(private, at)
            yield unit


def _unit(private: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + int.from_bytes(private[at : at + 2])
    if end > len(private):
        raise ValueError("a parameter set is cut short")
    return private[at + 2 : end], end
