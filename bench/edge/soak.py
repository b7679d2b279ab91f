"""Network cameras of all kinds, served by GStreamer: is each picture stored, at its time?

    PYTHONPATH=.:functions .whosthere/project/bin/python -m bench.edge.soak [--minutes 10]

The demo film, numbered, is encoded once per kind and served over RTSP as it is. The edge sends it
to the laptop AWS, all kinds at the same time. Then every stored picture is decoded: its number and
its time are compared with the film's, and the faces that dlib finds in a picture of each second
with those in the film. Needs the packages that bench/edge/rtsp_server.py names.
"""

import argparse
import contextlib
import importlib
import io
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from cli.setup.laptop_stack import drop_aws_settings
from cli.setup.toolchain import ROOT
from edge.sources import barcode
from local.laptop import LaptopAWS

edge_run: Any = importlib.import_module("tests.support.edge.run")  # without types

FILM, RATE, SIZE, LARGE = ROOT / "demo" / "film.mp4", 10, (640, 480), (3840, 2160)
EMULATOR = ROOT / ".whosthere" / "emulator" / "bin" / "python"
FACE_SIZE, FACES_EVERY = (640, 480), RATE
FRAME_MS = 1000 / RATE
REORDERED = 4  # more than any of the encoders reorders
H264 = "h264parse ! rtph264pay name=pay0 pt=96 config-interval=1"
HEVC = "h265parse ! rtph265pay name=pay0 pt=96 config-interval=1"
X264 = {"preset": "superfast", "g": str(RATE), "forced-idr": "1"}
X265 = "log-level=none:keyint=10:min-keyint=10:scenecut=0:bframes=3:b-adapt=0:open-gop=0"
ALWAYS = ("--passthrough", "always")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of camera: encoder and its options, GStreamer's payloader, options of the edge."""

    name: str
    codec: str
    encoder_options: dict[str, str]
    payload: str
    size: tuple[int, int] = SIZE
    pixels: str = "yuv420p"
    options: tuple[str, ...] = ()


B_FRAMES = X264 | {"bf": "3", "x264-params": "scenecut=0:b-adapt=0"}
NO_B_FRAMES = X264 | {"bf": "0", "x264-params": "scenecut=0", "crf": "32"}
HEVC_OPTIONS = {"preset": "ultrafast", "x265-params": X265}
KINDS = (
    Kind("h264-b", "libx264", B_FRAMES, H264),
    Kind("h264-b-always", "libx264", B_FRAMES, H264, options=ALWAYS),
    Kind("hevc", "libx265", HEVC_OPTIONS, HEVC),
    Kind("hevc-always", "libx265", HEVC_OPTIONS, HEVC, options=ALWAYS),
    Kind("mjpeg", "mjpeg", {"huffman": "default"}, "rtpjpegpay name=pay0 pt=26", pixels="yuvj420p"),
    Kind("4k", "libx264", NO_B_FRAMES, H264, LARGE),
)


@dataclass(slots=True)
class Result:
    """What was stored of a film; faces by the picture's place in the film."""

    pictures: int = 0
    wrong: int = 0
    latest_ms: float = 0.0
    seen: dict[int, NDArray[np.uint8]] = field(default_factory=dict)


def numbered_film(size: tuple[int, int], pixels: str) -> Iterator[av.VideoFrame]:
    """Yield the demo film's pictures in that size, each with its number as a barcode."""
    with av.open(str(FILM)) as film:
        for number, image in enumerate(film.decode(video=0)):
            planes = image.reformat(*size, format="yuv420p").to_ndarray()
            rows = barcode.height(size[1])
            planes[size[1] - rows : size[1]] = barcode.draw_row(number, size[0])
            drawn = av.VideoFrame.from_ndarray(planes, format="yuv420p").reformat(format=pixels)
            drawn.pts, drawn.time_base = number, Fraction(1, RATE)
            yield drawn


def make_film(kind: Kind, path: Path, seconds: float) -> int:
    """Encode the film once and repeat its packets; return the number of pictures."""
    clip = io.BytesIO()
    with av.open(clip, "w", format="matroska") as out:
        stream: Any = out.add_stream(kind.codec, rate=RATE, options=kind.encoder_options)
        stream.width, stream.height, stream.pix_fmt = *kind.size, kind.pixels
        stream.codec_context.time_base = Fraction(1, RATE)
        for image in numbered_film(kind.size, kind.pixels):
            out.mux(stream.encode(image))
        out.mux(stream.encode(None))
    return repeat_film(clip, path, seconds)


def repeat_film(clip: io.BytesIO, path: Path, seconds: float) -> int:
    """Write the clip's packets again and again; return the number of pictures."""
    clip.seek(0)
    opened: Any = av.open(clip)
    written = av.open(str(path), "w", format="matroska")
    with opened as whole, written as out:
        packets: list[Any] = [packet for packet in whole.demux(video=0) if packet.size]
        copy = out.add_stream_from_template(whole.streams.video[0])
        count = max(1, round(seconds * RATE / len(packets))) * len(packets)
        step = round(1 / RATE / packets[0].time_base)
        for number in range(count):
            loops, place = divmod(number, len(packets))
            again: Any = av.Packet(bytes(packets[place]))
            again.stream, again.time_base = copy, packets[place].time_base
            again.is_keyframe = packets[place].is_keyframe
            again.pts = packets[place].pts + loops * len(packets) * step
            again.dts = (number - REORDERED) * step
            out.mux(again)
    return count


@contextlib.contextmanager
def served(films: dict[str, tuple[Kind, Path]]) -> Iterator[int]:
    """Serve the films while the block runs; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    pipelines = [
        f"{name}=filesrc location={path} ! matroskademux ! {kind.payload}"
        for name, (kind, path) in films.items()
    ]
    command = ["/usr/bin/python3", str(ROOT / "bench" / "edge" / "rtsp_server.py"), str(port)]
    with subprocess.Popen([*command, *pipelines], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            server.stdout.readline()
            yield port
        finally:
            server.terminate()


def send(laptop: LaptopAWS, kind: Kind, port: int, folder: Path) -> dict[str, Any]:
    """Run the edge until the film has ended; return its last event, and its last status line."""
    command = [sys.executable, "-m", "edge", "--camera", "front-door", "--stream", kind.name]
    command += ["--source", f"rtsp://127.0.0.1:{port}/{kind.name}", "--rate", "30"]
    command += ["--tag", "never", "--buffer-folder", str(folder / f"{kind.name}.buffer"), "--json"]
    with subprocess.Popen(
        [*command, *kind.options],
        cwd=ROOT,
        env=laptop.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as edge:
        assert edge.stderr is not None
        for line in edge.stderr:
            print(f"{kind.name}: {line.rstrip()}", flush=True)
            if "has ended" in line:
                status = json.loads((folder / f"{kind.name}.buffer" / "status.json").read_text())
                edge.terminate()
        assert edge.stdout is not None
        event: dict[str, Any] = json.loads(edge.stdout.read().splitlines()[-1])
    return event | {"video": status["video"], "cpu_percent": status["cpu_percent"]}


def stored_pictures(laptop: LaptopAWS, stream: str) -> Iterator[tuple[float, av.VideoFrame]]:
    """Yield all stored pictures with their times, in milliseconds since 1970."""
    media = edge_run.archive(laptop, stream, "GET_MEDIA_FOR_FRAGMENT_LIST")
    for fragment in edge_run.fragments_in(laptop, stream):
        reply = media.get_media_for_fragment_list(
            StreamName=stream, Fragments=[fragment["FragmentNumber"]]
        )
        film: Any = av.open(io.BytesIO(reply["Payload"].read()), format="matroska")
        with film:
            for image in film.decode(video=0):
                yield float(image.pts * image.time_base * 1000), image


def compare(pictures: Iterable[tuple[float, av.VideoFrame]], length: int) -> Result:
    """Compare stored pictures with the film of `length` pictures, which repeats."""
    result, first_ms = Result(), None
    for place, (at_ms, image) in enumerate(pictures):
        first_ms = at_ms if first_ms is None else first_ms
        result.pictures += 1
        result.wrong += barcode.read_number(image) != place % length
        result.latest_ms = max(result.latest_ms, abs(at_ms - first_ms - place * FRAME_MS))
        if place % FACES_EVERY == 0:
            result.seen[place] = small(image)
    return result


def small(image: av.VideoFrame) -> NDArray[np.uint8]:
    """Return a picture as dlib is to see it."""
    return np.array(image.reformat(*FACE_SIZE, format="gray8").to_ndarray(), np.uint8)


def count_faces(pictures: dict[int, NDArray[np.uint8]], folder: Path) -> dict[int, int]:
    """Count the faces that dlib finds in each picture, in the laptop AWS's environment."""
    path = folder / "pictures.npz"
    named: dict[str, Any] = {str(place): picture for place, picture in pictures.items()}
    np.savez(path, **named)
    command = [str(EMULATOR), "-c", DLIB, str(path)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return {int(place): count for place, count in json.loads(done.stdout).items()}


# Enlarged once, dlib finds faces from 40 pixels on.
DLIB = """
import json, sys, dlib, numpy
find = dlib.get_frontal_face_detector()
pictures = numpy.load(sys.argv[1])
print(json.dumps({name: len(find(pictures[name], 1)) for name in pictures}))
"""


def main() -> None:
    """Send all kinds at the same time, and print what was stored of each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=0.7)
    parser.add_argument("--kinds", nargs="*", choices=[kind.name for kind in KINDS])
    typed = parser.parse_args()
    kinds = [kind for kind in KINDS if not typed.kinds or kind.name in typed.kinds]
    drop_aws_settings()
    with tempfile.TemporaryDirectory() as name, LaptopAWS(Path(name, "laptop")) as laptop:
        if not soak(kinds, typed.minutes * 60, laptop, Path(name)):
            sys.exit(1)


def soak(kinds: list[Kind], seconds: float, laptop: LaptopAWS, folder: Path) -> bool:
    """Send and compare; return whether everything was stored at its time."""
    films, lengths = {}, {}
    for kind in kinds:
        films[kind.name] = kind, folder / f"{kind.name}.mkv"
        lengths[kind.name] = make_film(kind, folder / f"{kind.name}.mkv", seconds)
        control = laptop.client("kinesisvideo")
        control.create_stream(StreamName=kind.name, DataRetentionInHours=1)
    print(f"films are made: {lengths}", flush=True)
    sent: dict[str, dict[str, Any]] = {}
    with served(films) as port:
        _all_at_once(kinds, lambda kind: sent.update({kind.name: send(laptop, kind, port, folder)}))
    reference = {
        place: small(image)
        for place, image in enumerate(numbered_film(SIZE, "yuv420p"))
        if place % FACES_EVERY == 0
    }
    clip = sum(1 for _ in numbered_film((64, 48), "yuv420p"))
    expected = count_faces(reference, folder)
    verdicts = []
    for kind in kinds:
        result = compare(stored_pictures(laptop, kind.name), clip)
        faces = count_faces(result.seen, folder)
        same = sum(faces[place] == expected[place % clip] for place in faces)
        verdicts.append(_print(kind, lengths[kind.name], sent[kind.name], result))
        of_film = sum(expected[place % clip] for place in faces)
        print(
            f"  faces: {sum(faces.values())} in {len(faces)} pictures, the film has {of_film}; "
            f"as many in {same} pictures",
            flush=True,
        )
    return all(verdicts)


def _print(kind: Kind, length: int, sent: dict[str, Any], result: Result) -> bool:
    is_right = result.pictures == length and not result.wrong and result.latest_ms <= FRAME_MS
    print(
        f"{kind.name}: {'ok' if is_right else 'WRONG'}; film {length} pictures, sent "
        f"{sent['frames']}, stored {result.pictures}, of these {result.wrong} out of place; times "
        f"within {result.latest_ms:.0f} ms of the film's; {sent['fragments']} fragments, "
        f"{sent['persisted']} persisted; {sent['video']}, {sent['cpu_percent']:.0f} % of a core"
    )
    return is_right


def _all_at_once(kinds: list[Kind], call: Callable[[Kind], None]) -> None:
    threads = [threading.Thread(target=call, args=(kind,)) for kind in kinds]
    for thread in threads:
        thread.start()
        time.sleep(1)
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
