"""Check the demo's video source, a film or a camera, before anything is started."""

import argparse
from pathlib import Path

import av
from av.error import FFmpegError

from cli.errors import InputError
from edge.commands.cameras import Camera, find_cameras
from edge.errors import SourceError
from edge.sources.film import FilmSource
from edge.urls import has_password

SHORTEST_FILM_SECONDS = 1  # a single picture decodes too
LONGEST_FILM_SECONDS = 24 * 3600  # a session's limit
CAMERA_SECONDS, MIN_CAMERA_SECONDS, MAX_CAMERA_SECONDS = 60, 10, 3600
FIRST_CAMERA = "first"  # --webcam without a value
INSTEAD = 'Give a film instead: ./whosthere demo --video me.mp4 --person "Me=me.jpg"'


def film_seconds(path: Path) -> float:
    """Return the length of a film; InputError says what is wrong with any other file."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give --video the path of a film")
    try:
        with av.open(str(path)) as container:
            seconds = _probe(path, container)
    except FFmpegError as error:
        raise InputError(
            f"{path}: no film that can be decoded ({error.strerror}); "
            "give --video an MP4, MKV, MOV or another file with a video track"
        ) from error
    except SourceError as error:
        raise InputError(f"{path}: no film; give --video a film, not a picture") from error
    if seconds < SHORTEST_FILM_SECONDS:
        raise InputError(f"{path}: shorter than a second; give --video a film, not a picture")
    if seconds > LONGEST_FILM_SECONDS:
        raise InputError(f"{path}: longer than a session may be (24 hours); cut it first")
    return seconds


def _probe(path: Path, container: "av.container.InputContainer") -> float:
    """Return the length that the file states, else as the edge plays it."""
    if not container.streams.video:
        raise InputError(f"{path}: there is no video in this file; give --video a film")
    stream = container.streams.video[0]
    if next(iter(container.decode(stream)), None) is None:
        raise InputError(f"{path}: the video track is empty; give --video another film")
    if container.duration:
        return float(container.duration / av.time_base)
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # Some recorders do not write it, and a bare stream (`rpicam-vid -o door.h264`) has no times.
    with FilmSource(path) as film:
        return film.seconds()


def camera_seconds(text: str) -> int:
    """Parse `--seconds`: for how long the camera is watched."""
    if not text.isdigit() or not MIN_CAMERA_SECONDS <= int(text) <= MAX_CAMERA_SECONDS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not from {MIN_CAMERA_SECONDS} to {MAX_CAMERA_SECONDS}"
        )
    return int(text)


def camera_source(given: str, cameras: list[Camera] | None = None) -> str:
    """Return the edge's source for `--webcam`; InputError says what to do if there is none."""
    if given != FIRST_CAMERA:
        if has_password(given):
            raise InputError(
                "--webcam: everybody on this machine can read a password on a command line"
            )
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
