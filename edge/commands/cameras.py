"""`whosthere-edge cameras`: the sources found on this machine, as --source wants them."""

import argparse
import fcntl
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from ..sources.picamera import has_camera
from ..sources.v4l2 import MODULE_DRIVERS
from ..sources.v4l2_ioctl import Ioctl, ask

HINT = "there are also: rtsp://HOST/PATH, a film's path, test (a pattern)"


@dataclass(frozen=True, slots=True)
class Camera:
    """Something that can be a source here."""

    source: str
    name: str


def main(arguments: list[str]) -> int:
    """Print a line for each camera found; 1 if there is none."""
    parser = argparse.ArgumentParser(
        prog="whosthere-edge cameras", description="List the cameras of this machine."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    cameras = found()
    if options.json:
        sys.stdout.write(json.dumps([asdict(camera) for camera in cameras]) + "\n")
    else:
        for camera in cameras:
            sys.stdout.write(f"{camera.source:<12} {camera.name}\n")
        sys.stderr.write(f"{'no camera found here; ' if not cameras else ''}{HINT}\n")
    return 0 if cameras else 1


def found(devices: Path = Path("/dev"), ioctl: Ioctl = fcntl.ioctl) -> list[Camera]:
    """The camera module first, then every V4L2 device that gives pictures."""
    cameras = [Camera("picamera", "the Pi's camera module")] if has_camera() else []
    nodes = sorted(devices.glob("video[0-9]*"), key=lambda path: int(path.name[5:]))
    named = ((path, _name(path, ioctl)) for path in nodes)
    return cameras + [Camera(str(path), name) for path, name in named if name is not None]


def _name(path: Path, ioctl: Ioctl) -> str | None:
    """What a camera calls itself; None for any other device, and for the module's own parts."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as exc:
        return f"cannot be opened: {exc.strerror}" if isinstance(exc, PermissionError) else None
    try:
        device = ask(handle, ioctl)
    except OSError:
        return None
    finally:
        os.close(handle)
    return device.card if device.is_camera and device.driver not in MODULE_DRIVERS else None
