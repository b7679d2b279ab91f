"""The options of `whosthere-edge run`, each validated by its type."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

DESCRIPTION = "Send a camera's video to its stream, and keep what is not stored yet."
EPILOG = """\
example:
  python -m edge --camera front-door --source film.mp4

sources: picamera (the Pi's camera module, the default where there is one; picamera:1
is the second), a device such as /dev/video0, rtsp://HOST/PATH, a film in any format
that FFmpeg reads, test (a pattern). Audio is not sent.

Credentials, region and endpoints come from the settings file of a paired camera, else
from where every AWS SDK looks for them (environment, shared files, device role); no
secret is taken from the command line.

exit codes:
  0    every fragment was stored
  1    the film ended or was stopped, and some fragments were not stored
  2    a wrong option, or a source that cannot be read
  3    AWS refused: credentials, permission, stream
  4    AWS could not be reached
  5    this machine's clock is so wrong that AWS refuses
  6    no video got through for too long
  130  stopped at once by a second Ctrl-C
"""
Add = Callable[..., object]
UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600}


def camera_name(text: str) -> str:
    """Validate a camera's name; the rule is the same everywhere in Whosthere."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no camera name: a lower-case letter, then at most 31 "
            "lower-case letters, digits or hyphens"
        )
    return text


def fragment_seconds(text: str) -> float:
    """Validate a fragment's length, in seconds, by PutMedia's limits."""
    # AWS, "Kinesis Video Streams limits": from 1 s; older pages end at 10 s.
    return _number(text, 1, 10)


def rate(text: str) -> float:
    """Validate a frame rate, in frames a second."""
    return _number(text, 1, 60)


def fraction(text: str) -> float:
    """Validate a number from 0 to 1."""
    return _number(text, 0, 1)


def size(text: str) -> tuple[int, int]:
    """Validate WIDTHxHEIGHT in pixels; H.264 needs even numbers."""
    found = re.fullmatch(r"([1-9]\d{1,3})x([1-9]\d{1,3})", text)
    if not found or any(int(side) % 2 for side in found.groups()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size of even numbers like 1280x720")
    return int(found[1]), int(found[2])


def duration(text: str) -> float:
    """Validate a duration such as 90, 90s, 10m or 2h; return seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found or float(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of time like 90s, 10m or 2h")
    return float(found[1]) * UNITS_S[found[2]]


def positive_int(text: str) -> int:
    """Validate a whole number from 1 on."""
    if not re.fullmatch(r"[1-9]\d{0,6}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def option_names(parser: argparse.ArgumentParser) -> list[str]:
    """Return the long names of a parser's options."""
    names = parser._option_string_actions  # there is no public way
    return [name for name in names if name.startswith("--") and name != "--help"]


def build_parser(*, exit_on_error: bool = True) -> argparse.ArgumentParser:
    """Build the parser of `run`; a settings file is parsed by it too, with errors as exceptions."""
    parser = argparse.ArgumentParser(
        prog="whosthere-edge run",
        exit_on_error=exit_on_error,
        usage="%(prog)s --camera NAME [--source SOURCE] [OPTIONS], see --help",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_source_options(parser.add_argument_group("source and stream").add_argument)
    _add_video_options(parser.add_argument_group("video").add_argument)
    _add_module_options(parser.add_argument_group("the Pi's camera module").add_argument)
    _add_tagging_options(
        parser.add_argument_group("tagging: fragments that AWS makes images of").add_argument
    )
    _add_network_options(parser.add_argument_group("when the network is down").add_argument)
    _add_mode_options(parser.add_argument_group("mode").add_argument)
    return parser


def _add_source_options(add: Add) -> None:
    add("--camera", type=camera_name, help="the camera's name")
    add("--source", default="", help="video source, see below")
    add(
        "--rtsp-transport",
        choices=("tcp", "udp"),
        default="tcp",
        help="how a network camera sends; udp loses frames on a busy network (default: tcp)",
    )
    add("--stack", default="whosthere", help="the stack (default: %(default)s)")
    add("--stream", metavar="NAME", help="the stream (default: STACK-CAMERA)")
    add("--settings", type=Path, metavar="FILE", help="a TOML file with these options")
    add("--region", default="", help="AWS region (default: where every AWS SDK looks)")
    add("--endpoint-url", default="", metavar="URL", help="use this endpoint instead of AWS's")
    add("--ca", type=Path, metavar="FILE", help="certificate authority of that endpoint")


def _add_video_options(add: Add) -> None:
    encoded = "of encoded video and of the camera module"
    add(
        "--size",
        type=size,
        default=(1280, 720),
        metavar="WxH",
        help=f"largest size {encoded} (1280x720)",
    )
    add(
        "--rate",
        type=rate,
        default=10.0,
        metavar="N",
        help=f"highest frame rate {encoded} (10)",
    )
    add(
        "--bitrate",
        type=positive_int,
        default=4000,
        metavar="N",
        help=f"highest bit rate {encoded}, in kbit/s (4000)",
    )
    add(
        "--passthrough",
        choices=("auto", "always", "never"),
        default="auto",
        help="which video to send as it is, whatever its size and rates: auto is H.264 without "
        "B-frames; always adds B-frames and HEVC, for archives (default: %(default)s)",
    )
    add(
        "--encode",
        action="store_const",
        const="never",
        dest="passthrough",
        help="encode all video, so that size and rates hold (--passthrough never)",
    )
    add(
        "--fragment-seconds",
        type=fragment_seconds,
        default=1.0,
        metavar="S",
        help="a key frame and a new fragment every S seconds (1)",
    )


def _add_module_options(add: Add) -> None:
    add("--rotate", type=int, choices=(0, 180), default=0, help="rotate by so many degrees")
    add("--hflip", action="store_true", help="flip left and right")
    add("--vflip", action="store_true", help="flip top and bottom")
    add(
        "--autofocus",
        choices=("manual", "auto", "continuous"),
        help="autofocus mode (default: that of the module)",
    )
    add(
        "--rpicam-options",
        action="append",
        default=[],
        metavar="OPTION",
        help="one more option of rpicam-vid, as --rpicam-options=--awb=indoor; may be repeated "
        "(in a settings file, a list)",
    )


def _add_tagging_options(add: Add) -> None:
    add(
        "--tag",
        choices=("never", "always", "motion", "face"),
        default="motion",
        help="which fragments to tag for image generation (default: %(default)s)",
    )
    add("--only-tagged", action="store_true", help="send only tagged fragments")
    add(
        "--sensitivity",
        type=fraction,
        default=0.5,
        metavar="0..1",
        help="sensitivity to motion (0.5)",
    )
    add("--mask", type=Path, metavar="FILE", help="a picture, black where motion must not count")
    add(
        "--explain",
        type=Path,
        metavar="DIR",
        help="write annotated pictures there (they show people)",
    )


def _add_network_options(add: Add) -> None:
    add(
        "--buffer-mb",
        type=positive_int,
        default=512,
        metavar="N",
        help="largest buffer on disk, in MB (512)",
    )
    add(
        "--buffer-folder",
        type=Path,
        metavar="DIR",
        help="buffer folder (default: in the user's state)",
    )
    add("--max-behind", type=duration, default="10m", metavar="T", help="drop older video (10m)")
    add(
        "--ack-limit",
        type=duration,
        default="30s",
        metavar="T",
        help="longest wait for an ack while healthy (30s)",
    )


def _add_mode_options(add: Add) -> None:
    add(
        "--as-fast-as-possible",
        action="store_true",
        help="send a film as fast as possible, not at its own pace",
    )
    add(
        "--hold",
        action="store_true",
        help="repeat the first frame until Enter is pressed (a line on standard input)",
    )
    add("--json", action="store_true", help="write start and end as JSON lines on stdout")
    add("--print-pipeline", action="store_true", help="print the pipeline for kvssink instead")


def _number(text: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not between {least:g} and {most:g}")
    return number
