"""Reads any film that FFmpeg can: upright, of one size, with times that only grow."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import av
from av.error import FFmpegError
from av.video.stream import VideoStream

from .errors import SourceError
from .upright import Upright, fit

DEFAULT_RATE = 25.0
# Faces are searched a few times a second; slow-motion film would only cost.
FASTEST_RATE = 30.0
# A longer step between two frames is a break in the film's clock, not time to wait.
LONGEST_STEP_S = 10.0
NOT_FILMS = ("image2", "tty")


@dataclass(frozen=True, slots=True)
class TimedFrame:
    """One frame, upright, and when it comes, counted from the first."""

    image: av.VideoFrame
    seconds: float


class Film:
    """A film as a source of frames; a `with` block closes it."""

    def __init__(self, path: Path) -> None:
        self._name = str(path)
        self._container = _open(path)
        try:
            self._stream = self._video_stream()
            self._decoded = self._decode()
            self._first = self._first_frame()
        except BaseException:
            self._container.close()
            raise
        self.frame_rate = _frame_rate(self._stream)
        self.width, self.height = fit(self._first, self._stream)

    def __enter__(self) -> "Film":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._container.close()

    def frames(self) -> Iterator[TimedFrame]:
        """Give the film's frames in order; once."""
        upright = Upright(self.width, self.height)
        clock = FilmClock(self.frame_rate)
        last = float("-inf")
        for image in self._all_images():
            seconds = clock.seconds(image.time)
            # A tenth of leeway, or rounding would halve a film of exactly that rate.
            if seconds - last >= 0.9 / FASTEST_RATE:
                last = seconds
                yield TimedFrame(upright.turn(image), seconds)

    def _all_images(self) -> Iterator[av.VideoFrame]:
        yield self._first
        yield from self._decoded

    def _video_stream(self) -> VideoStream:
        # A song's cover is a video stream to FFmpeg.
        attached = av.stream.Disposition.attached_pic
        streams = [s for s in self._container.streams.video if not s.disposition & attached]
        name = self._container.format.name
        if not streams or name in NOT_FILMS or name.endswith("_pipe"):
            raise SourceError(f"{self._name} holds no video. {WANTED}")
        streams[0].thread_type = "AUTO"
        return streams[0]

    def _first_frame(self) -> av.VideoFrame:
        try:
            return next(self._decoded)
        except StopIteration:
            raise SourceError(
                f"{self._name} holds no frame that can be decoded. {WANTED}"
            ) from None

    def _decode(self) -> Iterator[av.VideoFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                yield from next(packets).decode()
            except StopIteration:
                return
            except av.error.InvalidDataError:
                # A damaged frame; the decoder finds its way at the next key frame.
                continue
            except FFmpegError:
                # A film that was cut off ends here, as it would for a player.
                return


class FilmClock:
    """Makes times that start at 0 and grow out of whatever the file says."""

    def __init__(self, frame_rate: float) -> None:
        self._step = 1 / frame_rate
        self._raw: float | None = None
        self._seconds = -self._step

    def seconds(self, raw: float | None) -> float:
        """Give the time of the next frame, whose own time may be missing or wrong."""
        step = self._step
        if raw is not None and self._raw is not None and 0 < raw - self._raw <= LONGEST_STEP_S:
            step = raw - self._raw
        if raw is None:
            raw = 0.0 if self._raw is None else self._raw + step
        self._raw = raw
        self._seconds += step
        return self._seconds


WANTED = "Give a film such as MP4, MOV, MKV or WebM."


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


def _frame_rate(stream: VideoStream) -> float:
    rate = float(stream.average_rate or stream.guessed_rate or DEFAULT_RATE)
    return min(rate, FASTEST_RATE) if rate > 0 else DEFAULT_RATE
