"""V4L2 devices: chooses the best mode and reads it through FFmpeg."""

import fcntl
import os
import threading
from pathlib import Path

import av
from av.error import FFmpegError

from ..config import Config
from ..errors import SourceError, SourceLostError
from .live import LiveSource
from .source import STALL_S
from .v4l2_ioctl import Device, Ioctl, Mode, query_device

INPUT_FORMAT = "v4l2"
# Supported formats with FFmpeg's names, the cheapest to handle first.
FORMATS = {"H264": "h264", "YUYV": "yuyv422", "MJPG": "mjpeg"}
# Drivers of the camera module's receiver and image processors: their raw data needs libcamera.
MODULE_DRIVERS = {"unicam", "bcm2835-unicam", "rp1-cfe", "bcm2835-isp", "pispbe"}
IS_MODULE = (
    "{path} belongs to the Pi's camera module ({card}), whose pictures are raw here. "
    "Use --source picamera."
)


def open_v4l2(
    path: str,
    config: Config,
    stop: threading.Event,
    stall_s: float = STALL_S,
    ioctl: Ioctl = fcntl.ioctl,
) -> LiveSource:
    """Open a device in the mode that fits the configured size and rate best."""
    device = _query(path, ioctl)
    if device.driver in MODULE_DRIVERS:
        raise SourceError(IS_MODULE.format(path=path, card=device.card))
    if not device.is_camera:
        raise SourceError(f"{path} ({device.card}) is no camera. {_others(path)}")
    mode = best_mode(device.modes, config.size, config.rate)
    if mode is None:
        offered = ", ".join(sorted({mode.format for mode in device.modes})) or "nothing"
        raise SourceError(f"{path} gives {offered}; MJPEG, YUYV or H.264 is needed.")
    options = {
        "input_format": FORMATS[mode.format],
        "video_size": f"{mode.width}x{mode.height}",
        "framerate": f"{mode.rate:g}",
    }
    try:
        container = av.open(path, format=INPUT_FORMAT, options=options, timeout=(stall_s, stall_s))
    except (FFmpegError, OSError) as exc:
        raise SourceLostError(f"{path} does not play: {exc.strerror}.") from exc
    return LiveSource(container, f"{path} ({device.card})", stop, stall_s)


def best_mode(modes: list[Mode], size: tuple[int, int], rate: float) -> Mode | None:
    """Choose a mode: the largest that fits the size, then fast enough, then cheap to handle."""
    known = [mode for mode in modes if mode.format in FORMATS]
    fitting = [mode for mode in known if mode.width <= size[0] and mode.height <= size[1]]
    if not fitting and known:
        # All are larger: take the smallest and scale it down.
        least = min(mode.width * mode.height for mode in known)
        fitting = [mode for mode in known if mode.width * mode.height == least]
    order = list(FORMATS)

    def worth(mode: Mode) -> tuple[bool, int, float, int]:
        is_fast = mode.rate >= rate * 0.99
        # Of the rates that are fast enough take the slowest: extra frames would be dropped.
        speed = -mode.rate if is_fast else mode.rate
        return is_fast, mode.width * mode.height, -order.index(mode.format), round(speed)

    return max(fitting, key=worth, default=None)


def _query(path: str, ioctl: Ioctl) -> Device:
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except FileNotFoundError:
        raise SourceLostError(f"There is no {path}. Is it plugged in? {_others(path)}") from None
    except PermissionError:
        raise SourceError(
            f"{path} may not be opened by this user. Add them to the group video."
        ) from None
    except OSError as exc:
        raise SourceLostError(f"{path} cannot be opened: {exc.strerror}.") from None
    try:
        return query_device(handle, ioctl)
    except OSError as exc:
        raise SourceError(f"{path} is no camera: {exc.strerror}. {_others(path)}") from None
    finally:
        os.close(handle)


def _others(path: str) -> str:
    there = sorted(str(device) for device in Path("/dev").glob("video*") if str(device) != path)
    return f"There are: {', '.join(there)}." if there else "There is no other device either."
