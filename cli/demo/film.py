"""Looks at a film before anything is started: whether it is one, and how long it is."""

from pathlib import Path

import av
from av.error import FFmpegError

from cli.errors import InputError

SHORTEST_SECONDS = 1  # a single picture decodes too
LONGEST_SECONDS = 24 * 3600  # a session's limit


def length_of(path: Path) -> float:
    """Seconds of a film that can be decoded; InputError says what is wrong with any other file."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give --video the path of a film")
    try:
        with av.open(str(path)) as container:
            seconds = _look(path, container)
    except FFmpegError as error:
        raise InputError(
            f"{path}: no film that can be decoded ({error.strerror}); "
            "give --video an MP4, MKV, MOV or another file with a video track"
        ) from error
    if seconds < SHORTEST_SECONDS:
        raise InputError(f"{path}: shorter than a second; give --video a film, not a picture")
    if seconds > LONGEST_SECONDS:
        raise InputError(f"{path}: longer than a session may be (24 hours); cut it first")
    return seconds


def _look(path: Path, container: "av.container.InputContainer") -> float:
    if not container.streams.video:
        raise InputError(f"{path}: there is no video in this file; give --video a film")
    stream = container.streams.video[0]
    if next(iter(container.decode(stream)), None) is None:
        raise InputError(f"{path}: the video track is empty; give --video another film")
    if container.duration:
        return float(container.duration / av.time_base)
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return _length_by_packets(container, stream)


def _length_by_packets(
    container: "av.container.InputContainer", stream: "av.video.stream.VideoStream"
) -> float:
    # Some recorders never write the length into the file: read on to its end.
    last = 0.0
    for packet in container.demux(stream):
        if packet.pts is not None and packet.time_base is not None:
            last = max(last, float(packet.pts * packet.time_base))
    return last
