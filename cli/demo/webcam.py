"""The camera that stands in for the door: found before anything is started."""

import argparse

from cli.errors import InputError
from edge.commands.cameras import Camera, find_cameras
from edge.urls import has_password

SECONDS, SHORTEST, LONGEST = 60, 10, 3600
INSTEAD = 'Give a film instead: ./whosthere demo --video me.mp4 --person "Me=me.jpg"'
FIRST = "first"  # --webcam without a value


def seconds(text: str) -> int:
    """Accept how long to look, in seconds."""
    if not text.isdigit() or not SHORTEST <= int(text) <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not from {SHORTEST} to {LONGEST}")
    return int(text)


def source_of(given: str, cameras: list[Camera] | None = None) -> str:
    """The edge's source for --webcam; InputError names the alternative if there is no camera."""
    if given != FIRST:
        if has_password(given):
            raise InputError("--webcam: a password on a command line is everybody's to read")
        return given
    usable = find_cameras() if cameras is None else cameras
    for camera in usable:
        if not camera.name.startswith("cannot be opened"):
            return camera.source
    if usable:
        raise InputError(
            f"{usable[0].source} {usable[0].name}. Add yourself to the group video "
            f"(sudo usermod -aG video $USER, then log in again). {INSTEAD}"
        )
    raise InputError(f"there is no camera here (no /dev/video*). {INSTEAD}")
