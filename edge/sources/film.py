"""A film of any format that FFmpeg reads, as a source."""

import threading
from collections.abc import Iterator
from pathlib import Path

import av
from av.error import FFmpegError
from av.video.stream import VideoStream

from ..errors import SourceError
from ..media.codec import CODECS
from ..media.rotate import is_upright
from ..media.timeline import FilmTimeline, PacketTimestamps
from .hold import hold_first_frame, watch_for_enter
from .packet_decoder import PacketDecoder
from .samples import CodedPacket, DecodedFrame
from .source import Source

DEFAULT_RATE = 25.0
NOT_FILMS = ("image2", "tty")
WANTED = "Give a film such as MP4, MOV, MKV or WebM."


class FilmSource(Source):
    """A film, at its own pace or as fast as possible."""

    is_live = False

    def __init__(self, path: Path, *, is_unpaced: bool = False) -> None:
        """Open the file; raises SourceError if it holds no video."""
        self.name = str(path)
        first = _first_frame(path)
        self._container = _open(path)
        self._stream = _video_stream(self._container, self.name)
        self._stream.thread_type = "AUTO"
        self.decoder = self._stream.codec_context
        self.extradata = self.decoder.extradata or b""
        self.aspect = float(self.decoder.sample_aspect_ratio or 1) or 1.0
        self.can_pass_through = is_upright(first, self.aspect)
        # A file without a container, as rpicam-vid writes it, has no times and no length.
        self.has_times = self._container.format.name not in CODECS
        self.rate = _frame_rate(self._stream, is_stated=self.has_times)
        self._path = path
        seconds = self.seconds() if is_unpaced else 0.0
        self.timeline = FilmTimeline(is_unpaced=is_unpaced, film_seconds=seconds)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def seconds(self) -> float:
        """Return the film's length: as its container says, else by its frames and their times."""
        if self._container.duration:
            return float(self._container.duration) / av.time_base
        times, seconds = PacketTimestamps(self.rate), 0.0
        with _open(self._path) as counted:
            for packet in counted.demux(_video_stream(counted, self.name)):
                if packet.size:
                    at_s = times.next_seconds(_own_seconds(packet))
                    seconds = max(seconds, at_s + 1 / self.rate)
        return seconds

    def samples(self) -> Iterator[CodedPacket]:
        """Return the film's packets in order; can be called once."""
        times = PacketTimestamps(self.rate)
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except av.error.InvalidDataError:
                # A damaged packet; the film continues after it.
                continue
            except (StopIteration, FFmpegError):
                # A truncated film ends here, as in a player.
                return
            if packet.size:
                yield CodedPacket(packet, times.next_seconds(_own_seconds(packet)))


class HeldFilmSource(Source):
    """A film that repeats its first frame until it is released."""

    is_live = False

    def __init__(self, film: FilmSource, stop: threading.Event) -> None:
        """Hold an opened film; a line on standard input or `stop` releases it."""
        self._film = film
        self._stop = stop
        self.name, self.rate, self.aspect = film.name, film.rate, film.aspect
        self.timeline = film.timeline

    def close(self) -> None:
        """Close the file."""
        self._film.close()

    def samples(self) -> Iterator[DecodedFrame]:
        """Return the first frame repeatedly, then the film; can be called once."""
        pressed = watch_for_enter()
        return hold_first_frame(
            self._frames(),
            self.rate,
            lambda: pressed.is_set() or self._stop.is_set(),
            lambda seconds: self.on_playing(self.timeline.at_ms(seconds)),
        )

    def _frames(self) -> Iterator[DecodedFrame]:
        assert self._film.decoder is not None
        decoder = PacketDecoder(self._film.decoder, self.rate)
        for sample in self._film.samples():
            yield from decoder.push(sample)
        yield from decoder.flush()


def _first_frame(path: Path) -> av.VideoFrame:
    """Decode the first frame, to prove that the file is a film."""
    with _open(path) as container:
        stream = _video_stream(container, str(path))
        packets = container.demux(stream)
        while True:
            try:
                for image in next(packets).decode():
                    return image
            except av.error.InvalidDataError:
                continue
            except (StopIteration, FFmpegError):
                break
    raise SourceError(f"{path} holds no frame that can be decoded. {WANTED}")


def _open(path: Path) -> av.container.InputContainer:
    if not path.exists():
        raise SourceError(f"There is no file {path}. Check the path.")
    if not path.is_file():
        raise SourceError(f"{path} is no file. {WANTED}")
    try:
        return av.open(str(path))
    except PermissionError as exc:
        raise SourceError(f"{path} may not be read by this user. Check its mode.") from exc
    except (FFmpegError, ValueError) as exc:
        raise SourceError(f"{path} is no video that FFmpeg can read. {WANTED}") from exc


def _video_stream(container: av.container.InputContainer, name: str) -> VideoStream:
    # FFmpeg lists a song's cover as a video stream.
    attached = av.stream.Disposition.attached_pic
    streams = [s for s in container.streams.video if not s.disposition & attached]
    kind = container.format.name
    if not streams or kind in NOT_FILMS or kind.endswith("_pipe"):
        raise SourceError(f"{name} holds no video. {WANTED}")
    return streams[0]


def _frame_rate(stream: VideoStream, *, is_stated: bool) -> float:
    # Without a container FFmpeg states 25, and guesses from the parameter sets.
    known = (stream.average_rate, stream.guessed_rate)
    rate = float(next(filter(None, known if is_stated else reversed(known)), DEFAULT_RATE))
    return rate if rate > 0 else DEFAULT_RATE


def _own_seconds(packet: "av.Packet[VideoStream]") -> float | None:
    return None if packet.pts is None else float(packet.pts * packet.time_base)
