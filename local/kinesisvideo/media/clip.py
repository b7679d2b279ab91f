"""Join fragments to one MP4 file without decoding them."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import av

from local.kinesisvideo.errors import KinesisVideoError
from local.kinesisvideo.mkv import codec_private

VIDEO = {"h264", "hevc"}
G711 = {"pcm_alaw", "pcm_mulaw"}
SOUND = {"aac", *G711}


@dataclass(frozen=True, slots=True)
class ClipPart:
    """One fragment of a clip: its media and its start by the producer's clock."""

    header: bytes
    cluster: bytes
    start_ms: int
    cluster_ms: int  # what the cluster itself says of its start
    length_ms: int


def write(
    parts: Iterable[ClipPart], output: IO[bytes], options: Mapping[str, str] | None = None
) -> bool:
    """Write a clip that starts with its first part; return False if there is no part.

    `options` are those of FFmpeg's MP4 writer.
    Pauses between the parts stay pauses. Where the encoder's settings change, its new
    parameter sets go before the frames, which AWS does not document: it may refuse.
    """
    joined = _ClipWriter(output, options or {})
    try:
        for part in parts:
            joined.add(part)
        joined.close()
    except av.FFmpegError as error:
        message = "A frame of the media could not be parsed"
        raise KinesisVideoError("InvalidMediaFrameException", message) from error
    return not joined.is_empty


@dataclass(slots=True)
class _ClipWriter:
    output: IO[bytes]
    options: Mapping[str, str]
    _container: Any = None
    _targets: list[Any] = field(default_factory=list)
    _codecs: list[str] = field(default_factory=list)
    _private: bytes = b""
    _changed: bool = False
    _zero_ms: int = 0
    _end_ms: int = 0  # of the last frame so far, from the clip's start
    _decoded: dict[int, int] = field(default_factory=dict)  # each track's last decoding time

    @property
    def is_empty(self) -> bool:
        return self._container is None

    def close(self) -> None:
        if self._container is not None:
            self._container.close()

    def add(self, part: ClipPart) -> None:
        codec_private.require(part.header)
        film = io.BytesIO(part.header + part.cluster)
        opened: Any = av.open(film, format="matroska")
        with opened as source:
            tracks = _tracks(source)
            if self._container is None:
                self._open(tracks, part)
            if _codecs(tracks) != self._codecs:
                raise _unsupported("The tracks change within the clip")
            sets = self._new_parameter_sets(tracks[0])
            # Overlapping fragments are put one behind the other.
            start = max(part.start_ms - self._zero_ms, self._end_ms)
            for packet in _timed(source, tracks, part):
                self._mux(_with(sets, packet), packet.stream, start - part.cluster_ms)
            self._end_ms = start + part.length_ms

    def _open(self, tracks: Sequence[Any], part: ClipPart) -> None:
        self._codecs = _codecs(tracks)
        # FFmpeg's MP4 writer takes no G.711; its twin for QuickTime does, in the same boxes.
        kind = "mp4" if G711.isdisjoint(self._codecs) else "mov"
        options = {"brand": "mp42", **self.options}
        self._container = av.open(self.output, "w", format=kind, options=options)
        self._targets = [self._container.add_stream_from_template(track) for track in tracks]
        self._private = bytes(tracks[0].codec_context.extradata)
        self._zero_ms = part.start_ms

    def _new_parameter_sets(self, video: Any) -> bytes:
        """Return the parameter sets to insert after a change of the encoder's settings."""
        private = bytes(video.codec_context.extradata)
        self._changed |= private != self._private
        name = video.codec_context.name
        return codec_private.parameter_sets(name, private) if self._changed else b""

    def _mux(self, packet: Any, track: Any, shift_ms: int) -> None:
        shift = round(shift_ms / 1000 / packet.time_base)
        index = track.index
        packet.dts = max(packet.dts + shift, self._decoded.get(index, packet.dts + shift - 1) + 1)
        packet.pts = max(packet.pts + shift, packet.dts)
        self._decoded[index] = packet.dts
        packet.stream = self._targets[index]
        self._container.mux(packet)


def _tracks(source: Any) -> list[Any]:
    """Return the video track and, if there is one, the audio track, in AWS's order."""
    tracks = list(source.streams)[:2]
    names = _codecs(tracks)
    if not names or names[0] not in VIDEO or not SOUND.issuperset(names[1:]):
        raise _unsupported("Track 1 must be H.264 or H.265 and track 2 AAC or G.711")
    codec_private.check(names[0], bytes(tracks[0].codec_context.extradata or b""))
    return tracks


def _codecs(tracks: Sequence[Any]) -> list[str]:
    return [track.codec_context.name if track.codec_context else "" for track in tracks]


def _timed(source: Any, tracks: Sequence[Any], part: ClipPart) -> Iterator[Any]:
    """Yield all packets in order, with decoding times and durations."""
    packets = [packet for packet in source.demux(*tracks) if packet.pts is not None]
    for track in tracks:
        own = [packet for packet in packets if packet.stream is track]
        _set_decoding_times(own)
        for packet in own:
            even = round(part.length_ms / 1000 / packet.time_base / len(own))
            packet.duration = packet.duration or even
    yield from packets


def _set_decoding_times(packets: Sequence[Any]) -> None:
    """Set decoding times: Matroska has presentation times only, MP4 needs both."""
    rising = sorted(packet.pts for packet in packets)
    late = max((at - one.pts for at, one in zip(rising, packets, strict=True)), default=0)
    for at, packet in zip(rising, packets, strict=True):
        packet.dts = at - late


def _with(sets: bytes, packet: Any) -> Any:
    """Return the packet, with parameter sets before a key frame of the video."""
    if not sets or packet.stream.index or not packet.is_keyframe:
        return packet
    told = av.Packet(sets + bytes(packet))
    told.pts, told.dts, told.time_base = packet.pts, packet.dts, packet.time_base
    told.duration, told.is_keyframe = packet.duration, True
    return told


def _unsupported(message: str) -> KinesisVideoError:
    return KinesisVideoError("UnsupportedStreamMediaTypeException", message)
