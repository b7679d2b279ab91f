"""`whosthere-edge check`: tries each part that a camera needs before it sends any video."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from ..auth import identity
from ..config import Config, parse
from ..errors import EdgeError, RefusedError
from ..tagging.mask import read_mask
from ..upload.stream import VideoStream
from .snapshot import take_picture

HELP = """\
usage: whosthere-edge check [OPTIONS]

Try the source, the mask, the keys, the stream and the clock; send nothing. The options
are those of `whosthere-edge run`, such as --settings FILE. A source that only one program
can use must not be in use: stop the camera's service first.

exit codes:
  0  all is well, or nothing is wrong that keeps the video from being sent
  2 to 5  as of `whosthere-edge run`, for the first part that is not
"""
OK, NOTE, FAILED = "ok", "note", "FAILED"


def main(arguments: list[str]) -> int:
    """Print a line for each part and return the exit code."""
    if {"-h", "--help"} & set(arguments):
        sys.stdout.write(HELP)
        return 0
    check = CameraCheck(parse(arguments))
    check.run()
    return check.exit_code


@dataclass(slots=True)
class CameraCheck:
    """The checks of one camera, in the order in which a run needs their parts."""

    config: Config
    exit_code: int = 0
    _stream: VideoStream | None = field(default=None, init=False)

    def run(self) -> None:
        """Check all parts; print what each one is, or what is wrong."""
        self._try("source", self._check_source)
        if self.config.mask:
            self._try("mask", self._check_mask)
        if self._try("keys", self._check_keys) and self._try("stream", self._check_stream):
            self._check_clock()

    def _try(self, part: str, check: Callable[[], str]) -> bool:
        try:
            text, mark = check(), OK
        except EdgeError as exc:
            text, mark = str(exc), FAILED
            self.exit_code = self.exit_code or exc.exit_code
        _print(mark, part, text)
        return mark == OK

    def _check_source(self) -> str:
        name, image = take_picture(self.config)
        return f"{name} at {image.width}x{image.height}"

    def _check_mask(self) -> str:
        assert self.config.mask is not None
        counted = read_mask(self.config.mask)
        return f"{self.config.mask}: motion counts in {counted.mean():.0%} of the picture"

    def _check_keys(self) -> str:
        session = identity.create_botocore_session(self.config, lambda _text: None)
        self._stream = VideoStream(self.config.stream, session, lambda _text: None)
        credentials = session.get_credentials()
        if credentials is None:
            raise RefusedError(
                "No AWS credentials found: pair the camera, or set AWS_PROFILE or the AWS_* "
                "variables."
            )
        credentials.get_frozen_credentials()
        return f"from {'the certificate' if self.config.identity else 'the usual AWS chain'}"

    def _check_stream(self) -> str:
        assert self._stream is not None
        hours = self._stream.retention_hours()
        return f"{self._stream.name} in {self._stream.region} keeps video for {hours} h"

    def _check_clock(self) -> None:
        """Print what the stream's answer said about the clock: a large skew was an error there."""
        assert self._stream is not None
        skew = self._stream.clock_skew
        if not skew.was_checked:
            _print(NOTE, "clock", "the service did not say what time it is")
        elif skew.last_error:
            _print(NOTE, "clock", skew.last_error)
        else:
            _print(OK, "clock", "agrees with the service's")


def _print(mark: str, part: str, text: str) -> None:
    sys.stdout.write(f"{mark:<7} {part:<7} {text}\n")
    sys.stdout.flush()
