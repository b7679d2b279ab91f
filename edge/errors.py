"""Errors of the edge, each with the exit code it ends the program with.

EdgeError
├── SourceError           2  the source cannot be used
├── SourceLostError       2  a live source died or stalled; it may come back
├── RefusedError          3  AWS says no, and asking again would not help
├── UnreachableError      4  nobody answers
└── ConnectionLostError      one connection broke; the sender opens the next
"""


class EdgeError(Exception):
    """Something that stops the edge, told in words for its owner."""

    exit_code = 1


class SourceError(EdgeError):
    """The video source cannot be read."""

    exit_code = 2


class SourceLostError(EdgeError):
    """A live source died or stalls; opened again later it may work."""

    exit_code = 2


class RefusedError(EdgeError):
    """AWS refused, and asking again would not help."""

    exit_code = 3


class UnreachableError(EdgeError):
    """The service could not be reached at all."""

    exit_code = 4


class ConnectionLostError(EdgeError):
    """One PutMedia connection ended before its time."""
