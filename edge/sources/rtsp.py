"""Network cameras (RTSP); their passwords are never logged."""

import threading

import av
from av.error import FFmpegError

from ..errors import SourceError, SourceLostError
from .live import LiveSource
from .source import STALL_S

SCHEMES = ("rtsp://", "rtsps://")
# Errors that a retry does not change.
REFUSALS = {
    av.error.HTTPUnauthorizedError: "refuses the user name or password. Check the URL.",
    av.error.HTTPForbiddenError: "does not let this user in. Check the URL.",
    av.error.HTTPNotFoundError: "has no such stream. Check the path in the URL.",
}
OPTIONS = {
    "allowed_media_types": "video",
    # The parameter sets come first, so FFmpeg need not analyze seconds of video.
    "analyzeduration": "1000000",
    "fpsprobesize": "2",
}


def open_rtsp(
    url: str,
    shown: str,
    stop: threading.Event,
    stall_s: float = STALL_S,
    transport: str = "tcp",
) -> LiveSource:
    """Connect and start to play; `shown` is the URL without its secrets.

    `transport` is tcp or udp; udp loses packets, and with them frames, on a busy network.
    """
    options = OPTIONS | {
        "rtsp_transport": transport,
        "timeout": str(round(stall_s * 1_000_000)),
    }
    try:
        container = av.open(url, options=options, timeout=(stall_s, stall_s))
    except tuple(REFUSALS) as exc:
        raise SourceError(f"{shown} {REFUSALS[type(exc)]}") from None
    except (FFmpegError, OSError, ValueError) as exc:
        # FFmpeg's full message contains the URL with its password.
        why = getattr(exc, "strerror", None) or type(exc).__name__
        raise SourceLostError(f"{shown} does not play: {why}.") from None
    return LiveSource(container, shown, stop, stall_s)
