"""CPU time of the edge's capture, compared with gst-launch-1.0 encoding the same into a fakesink.

Needs GStreamer from Debian: gstreamer1.0-tools, -plugins-base, -good, -ugly and -libav.
"""

import importlib
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
from av.video.stream import VideoStream

from bench.measure import measure
from edge.capture.pipeline import CapturePipeline
from edge.config import parse
from edge.media import h264
from edge.media.mkv import EncodedFrame, VideoTrack
from edge.monitor.event_log import EventLog
from edge.sources import open_source

ROOT = Path(__file__).resolve().parents[2]
FILM = ROOT / "demo" / "film.mp4"
SIZE, RATE = (1280, 720), 10
# Two lengths are measured and subtracted, which removes the cost of the start.
SHORT_S, LONG_S = 5, 40
CLIPS: dict[str, dict[int, Path]] = {}
LIMITS = {"encoded, times gst-launch": 1.15, "passed through, times gst-launch": 0.15}
# The settings of edge/capture/encoder.py in x264enc's words.
X264ENC = (
    "x264enc speed-preset=superfast tune=zerolatency pass=qual quantizer=23 bitrate=4000 "
    "vbv-buf-capacity=1000 key-int-max=10 bframes=0 threads=1 option-string=scenecut=0"
)
CAMERAS, CAMERA_SIZE, CAMERA_RATE, CAMERA_S = 4, (1920, 1080), 20, 20


class NullSink:
    """A sink that discards all frames, so that only the capture is measured."""

    def begin(self, at_ms: int, track: VideoTrack) -> None:
        """Discard the start of a fragment."""

    def add(self, frame: EncodedFrame) -> None:
        """Discard the frame."""

    def end(self, tags: Mapping[str, str] | None, *, is_wanted: bool = True) -> None:
        """Discard the end of a fragment."""


def once() -> Mapping[str, float]:
    """Measure CPU seconds per second of video, ours as a share of gst-launch's."""
    gst = per_second(lambda clip: cpu_of(gst_launch(clip)), CLIPS["bad"])
    encoded = per_second(lambda clip: cpu_of(ours(clip)), CLIPS["bad"])
    passed = per_second(lambda clip: cpu_of(ours(clip)), CLIPS["good"])
    return {
        "gst-launch, ms of CPU a second": gst * 1000,
        "encoded, times gst-launch": encoded / gst,
        "passed through, times gst-launch": passed / gst,
        "four cameras at 1080p, percent of a core": four_cameras() * 100,
    }


def per_second(cpu: Callable[[Path], float], clips: Mapping[int, Path]) -> float:
    """Return the CPU seconds per second of video, without those of the start."""
    return (cpu(clips[LONG_S]) - cpu(clips[SHORT_S])) / (LONG_S - SHORT_S)


def cpu_of(command: Sequence[str]) -> float:
    """Run a program to its end and give the CPU seconds it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ours(clip: Path | str, *options: str) -> list[str]:
    """Return the command that captures a clip and discards it."""
    return [sys.executable, "-m", "bench.edge.cpu", "capture", str(clip), *options]


def gst_launch(clip: Path) -> list[str]:
    """Return GStreamer's command for the same decoding and encoding."""
    line = f"filesrc location={clip} ! matroskademux ! h264parse ! avdec_h264 max-threads=1 ! "
    line += f"{X264ENC} ! video/x-h264,profile=main ! fakesink sync=false"
    return ["gst-launch-1.0", "-q", *line.split()]


def capture(source: str, seconds: str = "0") -> None:
    """Capture with the defaults, for so many seconds or to the end; print the CPU seconds."""
    config = parse(["--camera", "bench", "--source", source, "--as-fast-as-possible"])
    stop, began = threading.Event(), time.process_time()
    with open_source(config, stop) as opened:
        if float(seconds):
            threading.Timer(float(seconds), stop.set).start()
        began = time.process_time()
        CapturePipeline(
            config, opened, NullSink(), EventLog(config, sys.stdout, sys.stderr), stop
        ).run()
        print(time.process_time() - began)


def four_cameras() -> float:
    """Return the share of a core that four network cameras take, each in its own process."""
    # The tests' camera, which has no types.
    camera_of = importlib.import_module("tests.support.edge.rtsp").Camera
    with av.open(str(CLIPS["camera"][SHORT_S])) as container:
        film = [packet for packet in container.demux(video=0) if packet.size]
        extradata = container.streams.video[0].codec_context.extradata
    with camera_of(annex_b(film, extradata), rate=CAMERA_RATE) as camera:
        running = [
            subprocess.Popen(
                ours(camera.url(), str(CAMERA_S)), cwd=ROOT, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True,
            )
            for _ in range(CAMERAS)
        ]  # fmt: skip
        return sum(float(each.communicate()[0].split()[-1]) for each in running) / CAMERA_S


def annex_b(packets: "list[av.Packet[VideoStream]]", extradata: bytes | None) -> list[bytes]:
    """Give packets of a film as a camera sends them."""
    parameters = h264.parameter_sets(extradata or b"")
    made = []
    for packet in packets:
        units = list(h264.split_avcc(bytes(packet), 4))
        units = [*parameters, *units] if packet.is_keyframe else units
        made.append(b"".join(h264.START_CODE + unit for unit in units))
    return made


def draw(
    folder: Path, name: str, seconds: int, size: tuple[int, int], rate: int, **options: str
) -> Path:
    """Make a clip of the demo film, in another size and encoding."""
    path = folder / f"{name}-{seconds}.mkv"
    with av.open(str(path), "w") as out, av.open(str(FILM)) as film:
        video = out.add_stream("libx264", rate=rate, options={"preset": "veryfast", **options})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        repeated = rate // RATE
        for number, image in enumerate(film.decode(video=0)):
            if number >= seconds * RATE:
                break
            for again in range(repeated):
                scaled = image.reformat(*size)
                scaled.pts = (number * repeated + again) * 1000 // (RATE * repeated)
                scaled.time_base, scaled.pict_type = Fraction(1, 1000), 0
                out.mux(video.encode(scaled))
        out.mux(video.encode(None))
    return path


def clips(folder: Path) -> dict[str, dict[int, Path]]:
    """Make three films: one that must be encoded, one that passes through, one like a camera's."""
    bad, good = {"bf": "2", "g": "100"}, {"bf": "0", "g": "10", "x264-params": "scenecut=0"}
    camera = {"bf": "0", "g": "20", "b": "4000000", "x264-params": "scenecut=0"}
    return {
        "bad": {n: draw(folder, "bad", n, SIZE, RATE, **bad) for n in (SHORT_S, LONG_S)},
        "good": {n: draw(folder, "good", n, SIZE, RATE, **good) for n in (SHORT_S, LONG_S)},
        "camera": {SHORT_S: draw(folder, "camera", SHORT_S, CAMERA_SIZE, CAMERA_RATE, **camera)},
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["capture"]:
        capture(*sys.argv[2:])
        sys.exit()
    with tempfile.TemporaryDirectory() as made:
        CLIPS.update(clips(Path(made)))
        sys.exit(0 if measure(once, LIMITS) else 1)
