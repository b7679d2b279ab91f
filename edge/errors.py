"""The edge's errors, each with the exit code that it ends the program with.

EdgeError
├── SourceError           2  the source cannot be used
├── SourceLostError       2  a live source died or stalled; it may come back
├── InUseError            2  another process sends from the same folder
├── RefusedError          3  AWS refused; a retry would not help
├── UnreachableError      4  no answer from AWS
├── ClockError            5  this machine's clock is so wrong that AWS refuses
├── UnhealthyError        6  no video got through for too long
└── ConnectionLostError      one connection broke; the sender opens the next
"""


class EdgeError(Exception):
    """An error that stops the edge; its text is written for the camera's owner.

    `max_restart_delay_s` bounds the delay before a restart, after many runs that ended like this.
    """

    exit_code = 1
    max_restart_delay_s = 0.0


class SourceError(EdgeError):
    """The video source cannot be read."""

    exit_code = 2
    max_restart_delay_s = 60.0


class SourceLostError(EdgeError):
    """A live source died or stalled; it may work when it is reopened."""

    exit_code = 2


class InUseError(EdgeError):
    """Another process sends from the same buffer folder."""

    exit_code = 2
    max_restart_delay_s = 60.0


class RefusedError(EdgeError):
    """AWS refused the request; a retry would not help."""

    exit_code = 3
    max_restart_delay_s = 300.0


class UnreachableError(EdgeError):
    """AWS did not answer."""

    exit_code = 4


class ClockError(EdgeError):
    """This machine's clock is so wrong that AWS refuses its signatures."""

    exit_code = 5
    max_restart_delay_s = 60.0


class UnhealthyError(EdgeError):
    """No video got through for too long; the service manager should restart the edge."""

    exit_code = 6


class ConnectionLostError(EdgeError):
    """A PutMedia connection ended before the sender ended it."""
