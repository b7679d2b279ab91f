"""The Pi's camera module, read through rpicam-vid, which Raspberry Pi OS provides."""

import os
import selectors
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from fcntl import F_SETPIPE_SZ, fcntl
from typing import cast

import av
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from ..config import Config
from ..errors import SourceError, SourceLostError
from ..media.timeline import LiveTimeline
from .annex_b import AccessUnit, AccessUnitParser
from .samples import CodedPacket
from .source import STALL_S, STOP_POLL_S, Source
from .stderr_tail import StderrTail

# The program's name since 2024, and its name before.
PROGRAMS = ("rpicam-vid", "libcamera-vid")
NOT_INSTALLED = (
    "The camera module needs rpicam-vid, which is not installed: sudo apt install rpicam-apps-lite"
)
LIST_S = 15.0
EXIT_S = 3.0
# Options of later versions only: no B-frames where there is no hardware encoder (Pi 5), and
# H.264 without a container.
NEWER_OPTIONS = {"--low-latency": [], "--libav-format": ["h264"]}
# Large enough for a whole frame, so that the program never blocks inside one.
PIPE_BYTES = 1 << 20
READ_BYTES = 1 << 18
# A pause of this share of the frame interval ends a frame.
PAUSE_SHARE = 0.3
LONGEST_PAUSE_S = 0.03


def module_numbers() -> list[int]:
    """Return the numbers of this machine's camera modules that answer."""
    program = _program()
    if program is None:
        return []
    try:
        listed = _output_of([program, "--list-cameras"])
    except (OSError, subprocess.TimeoutExpired):
        return []
    # The line of a camera is "0 : imx708 [4608x2592 ...] (/base/...)".
    numbers = (line.split(" : ")[0].strip() for line in listed.splitlines())
    return [int(number) for number in numbers if number.isdigit()]


class PiCameraSource(Source):
    """The H.264 that rpicam-vid writes, frame by frame."""

    name = "the camera module"
    can_pass_through = True
    has_times = False

    def __init__(self, config: Config, stop: threading.Event, stall_s: float = STALL_S) -> None:
        """Start the program; a camera that is silent for `stall_s` is lost."""
        program = _program()
        if program is None:
            raise SourceError(NOT_INSTALLED)
        self.rate = config.rate
        self.timeline: LiveTimeline = LiveTimeline()
        decoder = av.CodecContext.create("h264", "r")
        assert isinstance(decoder, VideoCodecContext)
        self.decoder = decoder
        self._stop = stop
        self._stall_s = stall_s
        self._program = program
        self._stderr_tail = StderrTail()
        self._process = _start([program, *_module_options(config), *_options(program, config)])

    def close(self) -> None:
        """End the program."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(EXIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def samples(self) -> Iterator[CodedPacket]:
        """Return each frame as soon as it is complete; can be called once."""
        begun = time.monotonic()
        for frame in self._frames():
            seconds = frame.seconds - begun
            # The frame arrived when its first bytes were read, not now.
            self.timeline.on_arrival(seconds, time.time() - (time.monotonic() - frame.seconds))
            packet = cast("av.Packet[VideoStream]", av.Packet(frame.data))
            yield CodedPacket(packet, seconds)

    def _frames(self) -> Iterator[AccessUnit]:
        frames, last = AccessUnitParser(), time.monotonic()
        with selectors.DefaultSelector() as selector:
            for pipe in (self._process.stdout, self._process.stderr):
                assert pipe is not None
                selector.register(pipe, selectors.EVENT_READ)
            while not (self._stop.is_set() and time.monotonic() - last > STOP_POLL_S):
                try:
                    data = self._read(selector, self._pause_s)
                except SourceLostError:
                    yield from frames.flush()
                    raise
                if data is None:
                    yield from frames.on_pause()
                    self._check(last)
                else:
                    last = time.monotonic()
                    yield from frames.feed(data, last)

    @property
    def _pause_s(self) -> float:
        return min(LONGEST_PAUSE_S, PAUSE_SHARE / self.rate)

    def _read(self, selector: selectors.BaseSelector, wait_s: float) -> bytes | None:
        """Return what the camera wrote, None after a pause; raise when the program has ended."""
        found = None
        for key, _ in selector.select(wait_s):
            data = os.read(key.fd, READ_BYTES)
            if key.fileobj is self._process.stderr:
                self._stderr_tail.feed(data)
                if not data:
                    selector.unregister(key.fileobj)
            elif data:
                found = data
            else:
                raise SourceLostError(self._exit_message())
        return found

    def _check(self, last: float) -> None:
        if time.monotonic() - last > self._stall_s:
            raise SourceLostError(
                f"The camera module gave no frame for {self._stall_s:.0f} s."
                + self._stderr_tail.summary()
            )

    def _exit_message(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_S)
        assert self._process.stderr is not None
        os.set_blocking(self._process.stderr.fileno(), False)
        self._stderr_tail.feed(self._process.stderr.read() or b"")
        code = self._process.poll()
        return f"{self._program} ended (exit code {code})." + self._stderr_tail.summary()


def _program() -> str | None:
    return next((name for name in PROGRAMS if shutil.which(name)), None)


def _options(program: str, config: Config) -> list[str]:
    width, height = config.size
    options = [
        *("--codec", "h264", "--inline", "--nopreview", "--flush", "--timeout", "0"),
        *("--width", str(width), "--height", str(height), "--framerate", f"{config.rate:g}"),
        *("--intra", str(max(1, round(config.rate * config.fragment_seconds)))),
        *("--bitrate", str(config.bitrate_kbit * 1000), "--output", "-"),
    ]
    with suppress(OSError, subprocess.TimeoutExpired):
        known = _output_of([program, "--help"])
        for option, values in NEWER_OPTIONS.items():
            options += [option, *values] if option in known else []
    # The owner's come last, so they count.
    return [*options, *config.module.more]


def _module_options(config: Config) -> list[str]:
    number, module = config.source.partition(":")[2] or "0", config.module
    if not number.isdigit():
        raise SourceError(f"{config.source} is no camera module; the second is picamera:1.")
    return [
        *(["--camera", number] if int(number) else []),
        *(["--rotation", str(module.rotate)] if module.rotate else []),
        *(["--hflip"] if module.hflip else []),
        *(["--vflip"] if module.vflip else []),
        *(["--autofocus-mode", module.autofocus] if module.autofocus else []),
    ]


def _output_of(command: list[str]) -> str:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=LIST_S,
        check=False,
    )
    return done.stdout


def _start(command: list[str]) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,  # Ctrl-C must reach only us
    )
    assert process.stdout is not None
    with suppress(OSError):
        fcntl(process.stdout, F_SETPIPE_SZ, PIPE_BYTES)
    return process
