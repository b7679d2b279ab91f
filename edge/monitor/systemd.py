"""What systemd wants to hear: sd_notify, over its plain socket."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping

LEEWAY_S = 30


class Systemd:
    """Tells the service manager how it goes; says nothing where there is none.

    sd_notify(3), sd_watchdog_enabled(3): NOTIFY_SOCKET is a path, or an abstract name
    that begins with @; WATCHDOG_USEC is how often it wants to hear of us, WATCHDOG_PID
    whom that is about.
    """

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        pid = environment.get("WATCHDOG_PID", str(os.getpid()))
        limit_us = environment.get("WATCHDOG_USEC", "")
        is_watched = limit_us.isdigit() and pid == str(os.getpid())
        # systemd advises half the limit; a third leaves room for one that came late.
        self._interval_s = int(limit_us) / 1e6 / 3 if is_watched else None
        self._monotonic = monotonic
        self._alive_at = float("-inf")

    def ready(self) -> None:
        """Say that the service runs."""
        self._tell("READY=1")

    @property
    def is_there(self) -> bool:
        """Say whether a service manager listens."""
        return bool(self._address)

    def hold(self, seconds: float, why: str) -> None:
        """Say that nothing will happen for so long, and that this is as it should be."""
        self.status(why)
        self._tell(f"EXTEND_TIMEOUT_USEC={round((seconds + LEEWAY_S) * 1e6)}")
        self._tell("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Say in one line how it is doing."""
        self._tell(f"STATUS={text}")

    def alive(self) -> None:
        """Say that all is well; as often as it is called, but told only when it is due."""
        now = self._monotonic()
        if self._interval_s is not None and now - self._alive_at >= self._interval_s:
            self._alive_at = now
            self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the service is about to end."""
        self._tell("STOPPING=1")

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        with (
            # Nobody listens, or reads too slowly: neither may stop the video.
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel,
        ):
            channel.sendto(message.encode(), socket.MSG_DONTWAIT, address)
