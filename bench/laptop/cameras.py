"""Cameras for the benchmarks: the demo's film at a steady bit rate, sent and timed."""

import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

import av
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cli.setup.toolchain import ROOT
from edge.media import mkv
from local.laptop import LaptopAWS

FRAMES_PER_SECOND = 25
FILM = ROOT / "demo" / "film.mp4"
FILM_SECONDS = 20
PATIENCE_SECONDS = 30

Frame = tuple[int, bool, bytes]  # milliseconds from its fragment's start, key frame or not, data


class Film:
    """The beginning of the demo's film, in fragments of one second, padded to its bit rate."""

    def __init__(self, kilobits: int) -> None:
        """Encode the film at that bit rate and split it into fragments."""
        with av.open(io.BytesIO(_encoded(kilobits)), "r", format="matroska") as container:
            stream = container.streams.video[0]
            private = bytes(stream.codec_context.extradata or b"")
            self.header = mkv.header(mkv.VideoTrack(stream.width, stream.height, private))
            self._fragments: list[list[Frame]] = []
            for packet in container.demux(stream):
                if packet.pts is not None:
                    self._add(round(packet.pts * packet.time_base * 1000), packet)

    def _add(self, time_ms: int, packet: Any) -> None:
        if packet.is_keyframe:
            self._fragments.append([])
        self._fragments[-1].append((time_ms % 1000, packet.is_keyframe, bytes(packet)))

    def fragment(self, number: int, start_ms: int) -> Iterator[tuple[int, bytes]]:
        """Yield each chunk of a fragment, and when it is due in ms after the fragment's start."""
        frames = self._fragments[number % len(self._fragments)]
        last = len(frames) - 1
        for index, (offset, is_key, data) in enumerate(frames):
            before = b"" if index else mkv.cluster(start_ms)
            after = mkv.end_of_fragment() if index == last else b""
            yield offset, before + mkv.block(offset, is_key=is_key, data=data) + after


def _encoded(kilobits: int) -> bytes:
    with av.open(str(FILM)) as source:
        pictures = list(source.decode(video=0))
        shown = float(source.streams.video[0].average_rate or 1)
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as target:
        stream: Any = target.add_stream("libx264", rate=FRAMES_PER_SECOND)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        stream.bit_rate = kilobits * 1000
        rate = f"nal-hrd=cbr:vbv-maxrate={kilobits}:vbv-bufsize={kilobits}"
        keys = f"keyint={FRAMES_PER_SECOND}:min-keyint={FRAMES_PER_SECOND}:scenecut=0"
        stream.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "x264-params": f"{rate}:{keys}",
        }
        for number in range(FILM_SECONDS * FRAMES_PER_SECOND):
            picture = pictures[int(number / FRAMES_PER_SECOND * shown)]
            picture.pts, picture.time_base = number, Fraction(1, FRAMES_PER_SECOND)
            picture.pict_type = 0
            target.mux(stream.encode(picture))
        target.mux(stream.encode(None))
    return file.getvalue()


class Camera:
    """A PutMedia connection that measures how long each fragment's PERSISTED takes.

    The time starts when the fragment's last byte is given to the socket, and ends when the
    acknowledgement is read.
    """

    def __init__(self, laptop: LaptopAWS, stream: str, film: Film) -> None:
        """Connect to the stream and send the film's header."""
        self._film = film
        self.sent: dict[int, float] = {}  # when, by each fragment's time in ms
        self._heard: dict[int, float] = {}
        self._news = threading.Condition()
        self._ended = False
        url = urlsplit(laptop.facts["media_endpoint"])
        self._socket = socket.create_connection((url.hostname, url.port), PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(_head(laptop, stream))
        threading.Thread(target=self._listen, daemon=True).start()
        self._send(film.header)

    def play(self, seconds: int, *, in_real_time: bool = True, first: int = 0) -> None:
        """Send fragments of one second: in real time, or each when the one before is persisted."""
        began_ms = round(time.time() * 1000) if in_real_time else 1_700_000_000_000
        begun = time.perf_counter()
        for number in range(first, first + seconds):
            start_ms = began_ms + 1000 * number
            for offset, chunk in self._film.fragment(number, start_ms):
                if in_real_time:
                    due = begun + number - first + offset / 1000
                    time.sleep(max(0.0, due - time.perf_counter()))
                self._send(chunk)
            with self._news:
                self.sent[start_ms] = time.perf_counter()
            if not in_real_time:
                self._wait_for(start_ms)

    def end(self) -> dict[int, float]:
        """Close the connection; return the seconds until PERSISTED by each fragment's time."""
        for start_ms in list(self.sent):
            self._wait_for(start_ms)
        self._socket.sendall(b"0\r\n\r\n")
        with self._news:
            self._news.wait_for(lambda: self._ended, PATIENCE_SECONDS)
        self._socket.close()
        return {at: self._heard[at] - sent for at, sent in self.sent.items()}

    def _send(self, chunk: bytes) -> None:
        self._socket.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))

    def _wait_for(self, start_ms: int) -> None:
        with self._news:
            done = self._news.wait_for(
                lambda: start_ms in self._heard or self._ended, PATIENCE_SECONDS
            )
        if not done or start_ms not in self._heard:
            raise RuntimeError("a fragment was not persisted")

    def _listen(self) -> None:
        with self._socket.makefile("rb") as answer:
            while line := answer.readline():
                if b"PERSISTED" in line:
                    now = time.perf_counter()
                    with self._news:
                        self._heard[json.loads(line)["FragmentTimecode"]] = now
                        self._news.notify_all()
                if line == b"0\r\n" or b'"ERROR"' in line:
                    break
        with self._news:
            self._ended = True
            self._news.notify_all()


def _head(laptop: LaptopAWS, stream: str) -> bytes:
    url = laptop.facts["media_endpoint"]
    asked = {
        "x-amzn-stream-name": stream,
        "x-amzn-fragment-timecode-type": "ABSOLUTE",
        "x-amzn-producer-start-timestamp": f"{time.time():.3f}",
    }
    request = AWSRequest("POST", f"{url}/putMedia", headers=asked)
    keys = Credentials(laptop.facts["access_key_id"], laptop.facts["secret_access_key"])
    SigV4Auth(keys, "kinesisvideo", laptop.facts["region"]).add_auth(request)
    lines = {"Host": urlsplit(url).netloc, "Transfer-Encoding": "chunked", **request.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST /putMedia HTTP/1.1\r\n{head}\r\n".encode()
