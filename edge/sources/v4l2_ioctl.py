"""Queries a video device with ioctl calls (linux/videodev2.h)."""

import errno
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

# Request numbers, made by _IOR and _IOWR from the structures' sizes.
QUERYCAP, ENUM_FMT = 0x80685600, 0xC0405602
ENUM_FRAMESIZES, ENUM_FRAMEINTERVALS = 0xC02C564A, 0xC034564B
CAPABILITY, FORMAT, SIZE, INTERVAL = 104, 64, 44, 52
BUFFER_CAPTURE, DISCRETE = 1, 1
VIDEO_CAPTURE, DEVICE_CAPS, MEMORY_TO_MEMORY = 0x1, 0x8000_0000, 0x8000 | 0x4000
# The sizes to try with a driver that supports any size within bounds.
USUAL_SIZES = ((640, 480), (1280, 720), (1920, 1080))
DEFAULT_RATE = 30.0
# The limit for a driver that never ends its enumeration.
MOST = 256
Ioctl = Callable[[int, int, bytearray], int]


@dataclass(frozen=True, slots=True)
class Mode:
    """A capture mode: format (FourCC), size in pixels, frames a second."""

    format: str
    width: int
    height: int
    rate: float


@dataclass(frozen=True, slots=True)
class Device:
    """A device's driver, name and capture modes."""

    driver: str
    card: str
    is_camera: bool
    modes: list[Mode]


def query_device(handle: int, ioctl: Ioctl) -> Device:
    """Query an opened device; raises OSError if it is no video device."""
    answer = bytearray(CAPABILITY)
    ioctl(handle, QUERYCAP, answer)
    driver, card = _text(answer[:16]), _text(answer[16:48])
    everything, of_this_device = struct.unpack_from("=II", answer, 84)
    able = of_this_device if everything & DEVICE_CAPS else everything
    is_camera = bool(able & VIDEO_CAPTURE) and not able & MEMORY_TO_MEMORY
    return Device(driver, card, is_camera, list(_modes(handle, ioctl)) if is_camera else [])


def _modes(handle: int, ioctl: Ioctl) -> Iterator[Mode]:
    for answer in _enumerate(handle, ioctl, ENUM_FMT, FORMAT, struct.pack("=I", BUFFER_CAPTURE)):
        code = bytes(answer[44:48])
        for width, height in _sizes(handle, ioctl, code):
            for rate in _rates(handle, ioctl, code, width, height):
                yield Mode(code.decode("ascii", "replace").strip(), width, height, rate)


def _sizes(handle: int, ioctl: Ioctl, code: bytes) -> Iterator[tuple[int, int]]:
    for answer in _enumerate(handle, ioctl, ENUM_FRAMESIZES, SIZE, code):
        kind, *numbers = struct.unpack_from("=7I", answer, 8)
        if kind == DISCRETE:
            yield numbers[0], numbers[1]
            continue
        least_width, most_width, _, least_height, most_height, _ = numbers
        for width, height in USUAL_SIZES:
            if least_width <= width <= most_width and least_height <= height <= most_height:
                yield width, height
        return


def _rates(handle: int, ioctl: Ioctl, code: bytes, width: int, height: int) -> Iterator[float]:
    has_any = False
    selector = code + struct.pack("=II", width, height)
    for answer in _enumerate(handle, ioctl, ENUM_FRAMEINTERVALS, INTERVAL, selector):
        kind, seconds, parts = struct.unpack_from("=III", answer, 16)
        if seconds and parts:
            has_any = True
            # If the driver supports any interval within bounds, it reports the shortest first.
            yield parts / seconds
        if kind != DISCRETE:
            break
    if not has_any:
        yield DEFAULT_RATE


def _enumerate(
    handle: int, ioctl: Ioctl, request: int, size: int, selector: bytes
) -> Iterator[bytearray]:
    """Return an enumeration's entries, until the driver has no more."""
    for number in count():
        answer = bytearray(struct.pack("=I", number) + selector).ljust(size, b"\0")
        try:
            ioctl(handle, request, answer)
        except OSError as exc:
            if exc.errno in (errno.EINVAL, errno.ENOTTY):
                return
            raise
        if number >= MOST:
            return
        yield answer


def _text(field: bytearray) -> str:
    return bytes(field).split(b"\0")[0].decode(errors="replace")
