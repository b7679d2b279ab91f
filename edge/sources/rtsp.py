"""A network camera that speaks RTSP; its password is never shown."""

import threading

import av
from av.error import FFmpegError

from ..errors import SourceError, SourceLostError
from .live import LiveInput
from .source import STALL_S

SCHEMES = ("rtsp://", "rtsps://")
# What asking again would not change.
REFUSALS = {
    av.error.HTTPUnauthorizedError: "refuses the user name or password. Check the URL.",
    av.error.HTTPForbiddenError: "does not let this user in. Check the URL.",
    av.error.HTTPNotFoundError: "has no such stream. Check the path in the URL.",
}
OPTIONS = {
    # UDP loses packets, and pictures with them, on any busy network.
    "rtsp_transport": "tcp",
    "allowed_media_types": "video",
    # The parameter sets come first; there is no need to look on for seconds.
    "analyzeduration": "1000000",
    "fpsprobesize": "2",
}


def open_rtsp(url: str, shown: str, stop: threading.Event, stall_s: float = STALL_S) -> LiveInput:
    """Connect and play; `shown` is the URL without its password."""
    limit_us = {"timeout": str(round(stall_s * 1_000_000))}
    try:
        container = av.open(url, options=OPTIONS | limit_us, timeout=(stall_s, stall_s))
    except tuple(REFUSALS) as exc:
        raise SourceError(f"{shown} {REFUSALS[type(exc)]}") from None
    except (FFmpegError, OSError, ValueError) as exc:
        # FFmpeg's whole message holds the URL with its password.
        why = getattr(exc, "strerror", None) or type(exc).__name__
        raise SourceLostError(f"{shown} does not play: {why}.") from None
    return LiveInput(container, shown, stop, stall_s)
