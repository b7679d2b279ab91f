"""`whosthere-edge cameras`: lists the cameras of this machine as values of --source."""

import argparse
import fcntl
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from ..config import PICAMERA
from ..sources.picamera import module_numbers
from ..sources.v4l2 import MODULE_DRIVERS
from ..sources.v4l2_ioctl import Ioctl, query_device

HINT = "other sources: rtsp://HOST/PATH, a film's path, test (a pattern)"


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that is connected to this machine; `source` is the value of --source."""

    source: str
    name: str


def main(arguments: list[str]) -> int:
    """Print a line for each camera and return the exit code: 1 if there is none."""
    parser = argparse.ArgumentParser(
        prog="whosthere-edge cameras",
        description="List the cameras that are connected to this machine.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    cameras = find_cameras()
    if options.json:
        sys.stdout.write(json.dumps([asdict(camera) for camera in cameras]) + "\n")
    else:
        for camera in cameras:
            sys.stdout.write(f"{camera.source:<12} {camera.name}\n")
        sys.stderr.write(f"{'no camera found here; ' if not cameras else ''}{HINT}\n")
    return 0 if cameras else 1


def find_cameras(devices: Path = Path("/dev"), ioctl: Ioctl = fcntl.ioctl) -> list[Camera]:
    """Return the camera modules and all V4L2 devices that capture video."""
    cameras = [
        Camera(f"{PICAMERA}:{number}" if number else PICAMERA, "the Pi's camera module")
        for number in module_numbers()
    ]
    nodes = sorted(devices.glob("video[0-9]*"), key=lambda path: int(path.name[5:]))
    named = ((path, _camera_name(path, ioctl)) for path in nodes)
    return cameras + [Camera(str(path), name) for path, name in named if name is not None]


def _camera_name(path: Path, ioctl: Ioctl) -> str | None:
    """Return a capture device's name; None for any other device and for the camera module's."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as exc:
        return f"cannot be opened: {exc.strerror}" if isinstance(exc, PermissionError) else None
    try:
        device = query_device(handle, ioctl)
    except OSError:
        return None
    finally:
        os.close(handle)
    return device.card if device.is_camera and device.driver not in MODULE_DRIVERS else None
