"""Errors of the edge, each with the exit code it ends the program with.

EdgeError
├── SourceError           2  the source cannot be used
├── SourceLostError       2  a live source died or stalled; it may come back
├── InUseError            2  another process sends from the same folder
├── RefusedError          3  AWS says no, and asking again would not help
├── UnreachableError      4  nobody answers
├── ClockError            5  this machine's clock is so wrong that AWS refuses
├── UnhealthyError        6  no video got through for too long
└── ConnectionLostError      one connection broke; the sender opens the next
"""


class EdgeError(Exception):
    """Something that stops the edge, told in words for its owner.

    `longest_pause_s` is how long it is of no use to start it anew, after many such ends.
    """

    exit_code = 1
    longest_pause_s = 0.0


class SourceError(EdgeError):
    """The video source cannot be read."""

    exit_code = 2
    longest_pause_s = 60.0


class SourceLostError(EdgeError):
    """A live source died or stalls; opened again later it may work."""

    exit_code = 2


class InUseError(EdgeError):
    """Another process sends from the folder that fragments are kept in."""

    exit_code = 2
    longest_pause_s = 60.0


class RefusedError(EdgeError):
    """AWS refused, and asking again would not help."""

    exit_code = 3
    longest_pause_s = 300.0


class UnreachableError(EdgeError):
    """The service could not be reached at all."""

    exit_code = 4


class ClockError(EdgeError):
    """This machine's clock is so wrong that the service refuses what it signs."""

    exit_code = 5
    longest_pause_s = 60.0


class UnhealthyError(EdgeError):
    """No video got through for too long; whoever started this should start it anew."""

    exit_code = 6


class ConnectionLostError(EdgeError):
    """One PutMedia connection ended before its time."""
