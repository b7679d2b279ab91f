"""The command line, read once into one frozen value."""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

EPILOG = """\
example:
  python -m edge --camera front-door --source film.mp4

Credentials, region and endpoints come from where every AWS SDK looks for them
(environment, shared files, device role), never from the command line.

exit codes:
  0    every fragment was stored
  1    the film ended or was stopped, and some fragments were not stored
  2    a wrong option, or a source that cannot be read
  3    AWS refused: credentials, permission, stream
  4    AWS could not be reached
  130  stopped at once by a second Ctrl-C
"""


@dataclass(frozen=True, slots=True)
class Config:
    """What one run of the edge was asked to do."""

    camera: str
    source: Path
    stream: str
    fragment_seconds: float
    is_tagged: bool
    is_held: bool
    is_json: bool


def camera_name(text: str) -> str:
    """Accept what may be a camera's name, everywhere in Whosthere."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no camera name: a lower-case letter, then at most 31 "
            "lower-case letters, digits or hyphens"
        )
    return text


def fragment_seconds(text: str) -> float:
    """Accept a length that PutMedia takes for a fragment."""
    # AWS, "Kinesis Video Streams limits": from 1 s; older pages end at 10 s.
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 10:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 1 and 10")
    return seconds


def parse(arguments: list[str] | None = None) -> Config:
    """Read the command line, or end with a message that names the wrong option."""
    options = _parser().parse_args(arguments)
    return Config(
        camera=options.camera,
        source=options.source,
        stream=options.stream or f"{options.stack}-{options.camera}",
        fragment_seconds=options.fragment_seconds,
        is_tagged=options.tag == "always",
        is_held=options.hold,
        is_json=options.json,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m edge",
        description="Send a film to a camera's video stream as if it happened now.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--camera", required=True, type=camera_name, help="the camera to be")
    add(
        "--source",
        required=True,
        type=Path,
        metavar="FILE",
        help="a film in any format that FFmpeg reads; its sound is left out",
    )
    add("--stack", default="whosthere", help="the stack (default: %(default)s)")
    add("--stream", metavar="NAME", help="the stream (default: STACK-CAMERA)")
    add(
        "--fragment-seconds",
        type=fragment_seconds,
        default=1.0,
        metavar="S",
        help="a key frame and a new fragment every S seconds (default: 1)",
    )
    add(
        "--tag",
        choices=("never", "always"),
        default="never",
        help="mark fragments for image generation (default: %(default)s)",
    )
    add(
        "--hold",
        action="store_true",
        help="stand still on the first frame until Enter is pressed (a line on standard input)",
    )
    add("--json", action="store_true", help="tell start and end as JSON lines on stdout")
    return parser
