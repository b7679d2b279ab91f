"""Captures any source into memory, for a test to inspect."""

import io
import threading
from dataclasses import dataclass, field

import av

from edge.capture.pipeline import CapturePipeline
from edge.config import parse
from edge.media import mkv
from edge.sources import open_source


@dataclass
class Fragment:
    at_ms: int
    track: mkv.VideoTrack
    frames: list = field(default_factory=list)
    tags: dict | None = None
    is_wanted: bool | None = None

    @property
    def is_tagged(self):
        return self.tags is not None

    def matroska(self):
        """Return the fragment as a film of its own."""
        blocks = [
            mkv.block(f.at_ms - self.at_ms, is_key=f.is_key, data=f.data) for f in self.frames
        ]
        return b"".join([mkv.header(self.track), mkv.cluster(self.at_ms), *blocks])

    def images(self):
        with av.open(io.BytesIO(self.matroska()), format="matroska") as stored:
            return list(stored.decode(video=0))


class RecordingSink:
    """A sink that keeps all fragments and checks the real buffer's preconditions."""

    def __init__(self, *, is_reordered=False):
        self.fragments, self._last, self._is_reordered = [], -1, is_reordered

    def begin(self, at_ms, track):
        assert at_ms > self._last
        assert not self.fragments or self.fragments[-1].is_wanted is not None
        self.fragments.append(Fragment(at_ms, track))

    def add(self, frame):
        assert frame.at_ms > (self.fragments[-1].at_ms if self._is_reordered else self._last) or (
            frame.at_ms == self.fragments[-1].at_ms and not self.fragments[-1].frames
        )
        assert frame.is_key or self.fragments[-1].frames
        self._last = max(self._last, frame.at_ms)
        self.fragments[-1].frames.append(frame)

    def end(self, tags, *, is_wanted=True):
        self.fragments[-1].tags, self.fragments[-1].is_wanted = tags, is_wanted


class RecordingLog:
    """An event log that keeps its lines."""

    def __init__(self):
        self.lines, self.starts, self.plays = [], [], []

    def log(self, text):
        self.lines.append(text)

    def started(self, at_ms):
        self.starts.append(at_ms)

    def playing(self, at_ms):
        self.plays.append(at_ms)


@dataclass
class Captured:
    fragments: list
    said: RecordingLog
    segmenter: object
    video: str = ""

    @property
    def images(self):
        return [image for fragment in self.fragments for image in fragment.images()]

    @property
    def frames(self):
        return [frame for fragment in self.fragments for frame in fragment.frames]

    @property
    def times_ms(self):
        """Return each frame's time, counted from the first."""
        return [frame.at_ms - self.frames[0].at_ms for frame in self.frames]

    @property
    def size(self):
        (track,) = {fragment.track for fragment in self.fragments}
        return track.width, track.height


def config_of(source, *options):
    return parse(["--camera", "front-door", "--source", str(source), *options])


def capture(config, source=None, stop=None, *, is_reordered=False):
    """Capture a source to its end."""
    stop = stop or threading.Event()
    kept, said = RecordingSink(is_reordered=is_reordered), RecordingLog()
    with source or open_source(config, stop) as opened:
        run = CapturePipeline(config, opened, kept, said, stop)
        run.run()
    return Captured(kept.fragments, said, run.segmenter, run.video)


def capture_film(path, *options, **more):
    """Capture a film as fast as possible, at its own rate, without tags."""
    wanted = ("--as-fast-as-possible", "--rate", "30", "--tag", "never")
    return capture(config_of(path, *wanted, *options), **more)
