"""`whosthere-edge cameras`: the sources found on this machine, as --source wants them."""

import argparse
import fcntl
import json
import os
import struct
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from .sources.picamera import has_camera

# linux/videodev2.h: VIDIOC_QUERYCAP and struct v4l2_capability (driver, card, bus, version,
# capabilities of the device, capabilities of this node).
QUERY = 0x80685600
CAPABILITY = struct.Struct("=16s32s32sIII12x")
CAPTURES = 0x00000001 | 0x00001000
# Drivers of the camera module's parts: what their nodes give is no picture to look at.
MODULE_DRIVERS = ("unicam", "bcm2835-isp", "rp1-cfe", "pispbe", "bcm2835-codec", "rpi-hevc-dec")
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


def found(devices: Path = Path("/dev")) -> list[Camera]:
    """The camera module first, then every V4L2 device that gives pictures."""
    cameras = [Camera("picamera", "the Pi's camera module")] if has_camera() else []
    nodes = sorted(devices.glob("video[0-9]*"), key=lambda path: int(path.name[5:]))
    described = ((path, _card(path)) for path in nodes)
    return cameras + [Camera(str(path), card) for path, card in described if card is not None]


def _card(path: Path) -> str | None:
    """The name of a device that captures; None for any other node, or one not ours to open."""
    try:
        node = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as exc:
        return f"cannot be opened: {exc.strerror}" if isinstance(exc, PermissionError) else None
    try:
        answer = fcntl.ioctl(node, QUERY, bytes(CAPABILITY.size))
    except OSError:
        return None
    finally:
        os.close(node)
    return card_of(answer)


def card_of(capability: bytes) -> str | None:
    """The name in a `v4l2_capability`, if what it describes gives pictures to look at."""
    driver, card, _bus, _version, _device, node = CAPABILITY.unpack(capability)
    if not node & CAPTURES or _text(driver) in MODULE_DRIVERS:
        return None
    return _text(card)


def _text(padded: bytes) -> str:
    return padded.split(b"\0")[0].decode(errors="replace")
