"""Any film that FFmpeg can read, with times that only grow."""

import threading
from collections.abc import Iterator
from pathlib import Path

import av
from av.error import FFmpegError
from av.video.stream import VideoStream

from ..errors import SourceError
from ..media.rotate import is_upright
from ..media.timeline import MendedTimes, PlayedTime
from .decode import Decoding
from .hold import enter_pressed, held
from .samples import Coded, Picture
from .source import Source

DEFAULT_RATE = 25.0
NOT_FILMS = ("image2", "tty")
WANTED = "Give a film such as MP4, MOV, MKV or WebM."


class Film(Source):
    """A film as a source, at its own pace or at none."""

    is_live = False

    def __init__(self, path: Path, *, is_unpaced: bool = False) -> None:
        self.name = str(path)
        first = _first_image(path)
        self._container = _open(path)
        self._stream = _video_stream(self._container, self.name)
        self._stream.thread_type = "AUTO"
        self.decoder = self._stream.codec_context
        self.extradata = self.decoder.extradata or b""
        self.rate = _frame_rate(self._stream)
        self.aspect = float(self.decoder.sample_aspect_ratio or 1) or 1.0
        self.is_passable = self.decoder.name == "h264" and is_upright(first, self.aspect)
        seconds = float(self._container.duration or 0) / av.time_base
        self.timeline = PlayedTime(is_unpaced=is_unpaced, film_seconds=seconds)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def samples(self) -> Iterator[Coded]:
        """Give the film's packets in order; once."""
        times = MendedTimes(self.rate)
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except av.error.InvalidDataError:
                # A damaged piece; the film goes on behind it.
                continue
            except (StopIteration, FFmpegError):
                # A film that was cut off ends here, as it would for a player.
                return
            if packet.size:
                raw = None if packet.pts is None else float(packet.pts * packet.time_base)
                yield Coded(packet, times.seconds(raw))


class HeldFilm(Source):
    """A film that stands still on its first frame until it is let go."""

    is_live = False

    def __init__(self, film: Film, stop: threading.Event) -> None:
        self._film = film
        self._stop = stop
        self.name, self.rate, self.aspect = film.name, film.rate, film.aspect
        self.timeline = film.timeline

    def close(self) -> None:
        """Close the file."""
        self._film.close()

    def samples(self) -> Iterator[Picture]:
        """Give the first frame again and again, then the film; once."""
        pressed = enter_pressed()
        return held(
            self._pictures(),
            self.rate,
            lambda: pressed.is_set() or self._stop.is_set(),
            lambda seconds: self.on_playing(self.timeline.at_ms(seconds)),
        )

    def _pictures(self) -> Iterator[Picture]:
        assert self._film.decoder is not None
        decoding = Decoding(self._film.decoder, self.rate)
        for sample in self._film.samples():
            yield from decoding.take(sample)
        yield from decoding.rest()


def _first_image(path: Path) -> av.VideoFrame:
    """Decode the film's first frame: a film without one is none."""
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
        raise SourceError(f"{path} is no video that FFmpeg knows. {WANTED}") from exc


def _video_stream(container: av.container.InputContainer, name: str) -> VideoStream:
    # A song's cover is a video stream to FFmpeg.
    attached = av.stream.Disposition.attached_pic
    streams = [s for s in container.streams.video if not s.disposition & attached]
    kind = container.format.name
    if not streams or kind in NOT_FILMS or kind.endswith("_pipe"):
        raise SourceError(f"{name} holds no video. {WANTED}")
    return streams[0]


def _frame_rate(stream: VideoStream) -> float:
    rate = float(stream.average_rate or stream.guessed_rate or DEFAULT_RATE)
    return rate if rate > 0 else DEFAULT_RATE
