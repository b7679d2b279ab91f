"""`whosthere-edge snapshot FILE`: writes what the camera sees as a JPEG."""

import argparse
import sys
import threading
import time
from pathlib import Path

import av

from ..config import Config, parse
from ..errors import EdgeError, SourceError
from ..media.jpeg import encode_jpeg
from ..media.rotate import Rotator, output_size
from ..sources import open_source
from ..sources.packet_decoder import PacketDecoder
from ..sources.samples import CodedPacket, DecodedFrame
from ..sources.source import Source

# A camera that has just started is dark for a moment.
SETTLES_S = 1.0
LONGEST_S = 20.0
# The picture shows people: only this user may read it.
FILE_MODE = 0o600
EPILOG = "Every option of `whosthere-edge run` counts, such as --settings FILE or --source SOURCE."


def main(arguments: list[str]) -> int:
    """Write one picture and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="whosthere-edge snapshot",
        usage="%(prog)s FILE [OPTIONS]",
        description="Write what the camera sees to FILE, a JPEG that shows people.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the picture to write")
    # FILE comes first: what follows may be an option of `run` and its value.
    options, config = parser.parse_args(arguments[:1]), parse(arguments[1:])
    try:
        name, image = take_picture(config)
        _write_picture(options.file, image)
    except EdgeError as exc:
        sys.stderr.write(f"whosthere-edge snapshot: {exc}\n")
        return exc.exit_code
    except OSError as exc:
        sys.stderr.write(f"whosthere-edge snapshot: {options.file}: {exc.strerror}\n")
        return 1
    sys.stdout.write(f"{options.file}: {name} at {image.width}x{image.height}\n")
    return 0


def take_picture(config: Config) -> tuple[str, av.VideoFrame]:
    """Return the source's name and an upright picture of it; raise SourceError without one."""
    stop = threading.Event()
    timer = threading.Timer(LONGEST_S, stop.set)
    timer.start()
    try:
        with open_source(config, stop) as source:
            image = _settled_picture(source, stop)
            size = output_size(image, source.aspect, (image.width, image.height))
            return source.name, Rotator(*size).rotate(image)
    finally:
        timer.cancel()


def _settled_picture(source: Source, stop: threading.Event) -> av.VideoFrame:
    decoder = PacketDecoder(source.decoder, source.rate) if source.decoder else None
    until, image = time.monotonic() + (SETTLES_S if source.is_live else 0.0), None
    for sample in source.samples():
        for frame in _decoded(sample, decoder):
            image = frame.image
        if stop.is_set() or (image is not None and time.monotonic() >= until):
            break
    if image is None and decoder is not None:
        image = next((frame.image for frame in decoder.flush()), None)
    if image is None:
        raise SourceError(f"{source.name} gives no picture that can be decoded.")
    return image


def _decoded(
    sample: CodedPacket | DecodedFrame, decoder: PacketDecoder | None
) -> list[DecodedFrame]:
    if isinstance(sample, DecodedFrame):
        return [sample]
    assert decoder is not None, "packets without a decoder"
    return list(decoder.push(sample))


def _write_picture(path: Path, image: av.VideoFrame) -> None:
    path.touch(mode=FILE_MODE)
    path.chmod(FILE_MODE)
    path.write_bytes(encode_jpeg(image))
