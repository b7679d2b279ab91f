"""The cost of `--tag face` and the faces it misses, compared with dlib on the demo film.

dlib comes from the environment of the laptop AWS.
"""

import importlib
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import av

from edge.capture.pipeline import CapturePipeline
from edge.config import parse
from edge.media.mkv import EncodedFrame, VideoTrack
from edge.monitor.event_log import EventLog
from edge.sources import open_source

ROOT = Path(__file__).resolve().parents[2]
FILM, RATE = ROOT / "demo" / "film.mp4", 10
# dlib is slow, so it sees only every third frame.
EVERY = 3
EMULATOR = ROOT / ".whosthere" / "emulator" / "bin" / "python"
# Both ways to send the film: passed through, and encoded (which inspects more frames).
WAYS = {"passed through": (), "encoded": ("--hold",)}


class TagRecorder:
    """A sink that records when each fragment began and its tags, None without."""

    def __init__(self) -> None:
        """Start without fragments."""
        self.fragments: list[tuple[int, Mapping[str, str] | None]] = []
        self._begun_ms = 0

    def begin(self, at_ms: int, track: VideoTrack) -> None:
        """Record when the fragment begins."""
        self._begun_ms = at_ms

    def add(self, frame: EncodedFrame) -> None:
        """Discard the frame."""

    def end(self, tags: Mapping[str, str] | None, *, is_wanted: bool = True) -> None:
        """Record the fragment's tags."""
        self.fragments.append((self._begun_ms, tags))

    def seconds(self) -> list[int]:
        """Return the seconds of the film that are in tagged fragments."""
        first_ms = self.fragments[0][0]
        return [
            round((at_ms - first_ms) / 1000) for at_ms, tags in self.fragments if tags is not None
        ]


def capture(film: Path, tag: str, *options: str) -> TagRecorder:
    """Capture a film as fast as possible; return its fragments' tags."""
    typed = ["--camera", "bench", "--source", str(film), "--as-fast-as-possible", "--tag", tag]
    config, tags = parse([*typed, *options]), TagRecorder()
    report = EventLog(config, sys.stderr, sys.stderr)
    with open_source(config, threading.Event()) as source:
        CapturePipeline(config, source, tags, report, threading.Event()).run()
    return tags


def edge(tag: str, *options: str) -> None:
    """Capture the film; print the tagged seconds and the CPU seconds it took."""
    began = time.process_time()
    tags = capture(FILM, tag, *options)
    print(json.dumps([tags.seconds(), time.process_time() - began]))


def dlib() -> None:
    """Print the number of frames in each second in which dlib finds a face."""
    detector: Callable[..., Iterable[object]]
    detector = importlib.import_module("dlib").get_frontal_face_detector()
    seen: Counter[int] = Counter()
    with av.open(str(FILM)) as film:
        for number, image in enumerate(film.decode(video=0)):
            if number % EVERY:
                continue
            # Once enlarged it finds faces from 40 pixels on.
            seen[number // RATE] += bool(list(detector(image.to_ndarray(format="gray8"), 1)))
    print(json.dumps(seen))


def main() -> None:
    """Print the cost and the misses of each way."""
    seen = {int(second): count for second, count in json.loads(asked(EMULATOR, "dlib")).items()}
    faces = {second for second, count in seen.items() if count}
    for way, options in WAYS.items():
        answers = (asked(Path(sys.executable), "edge", tag, *options) for tag in TAGS)
        tell(way, faces, len(seen), *answers)


TAGS = ("never", "motion", "face")


def tell(way: str, faces: set[int], seconds: int, *answers: str) -> None:
    """Print one way's figures."""
    (_, bare), (moving, motion), (marked, face) = (json.loads(answer) for answer in answers)
    missed, other = faces - set(marked), set(marked) - faces
    print(
        f"{way}: dlib sees faces in {len(faces)} of {seconds} s; marked {len(marked)}, of these "
        f"{len(other)} without a face to dlib; missed {sorted(missed)} ({len(missed)}). "
        f"With motion {len(moving)} are marked. Percent of a core: motion "
        f"{(motion - bare) / seconds * 100:.2f}, face {(face - bare) / seconds * 100:.2f}"
    )


def asked(python: Path, *arguments: str) -> str:
    """Run a part of this in another environment."""
    command = [str(python), "-m", "bench.edge.faces", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    return done.stdout


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["edge", tag, *rest]:
            edge(tag, *rest)
        case ["dlib"]:
            dlib()
        case _:
            main()
