"""Notifications to systemd (sd_notify), over its socket."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping

TIMEOUT_MARGIN_S = 30


class SystemdNotifier:
    """Notifies the service manager; does nothing where there is none.

    sd_notify(3), sd_watchdog_enabled(3): NOTIFY_SOCKET is a path, or an abstract name that begins
    with @. WATCHDOG_USEC is the longest time between two keep-alive messages, WATCHDOG_PID the
    process that must send them.
    """

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read socket and watchdog interval from the environment."""
        self._address = environment.get("NOTIFY_SOCKET", "")
        pid = environment.get("WATCHDOG_PID", str(os.getpid()))
        limit_us = environment.get("WATCHDOG_USEC", "")
        is_watched = limit_us.isdigit() and pid == str(os.getpid())
        # systemd advises half the limit; a third leaves room for a late message.
        self._interval_s = int(limit_us) / 1e6 / 3 if is_watched else None
        self._monotonic = monotonic
        self._keep_alive_at = float("-inf")

    def ready(self) -> None:
        """Report that the service has started."""
        self._notify("READY=1")

    @property
    def is_available(self) -> bool:
        """Return whether a service manager listens."""
        return bool(self._address)

    def extend_timeout(self, seconds: float, why: str) -> None:
        """Announce a wait of that many seconds, so that it is not taken for a hang."""
        self.status(why)
        self._notify(f"EXTEND_TIMEOUT_USEC={round((seconds + TIMEOUT_MARGIN_S) * 1e6)}")
        self._notify("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Set the status line that `systemctl status` shows."""
        self._notify(f"STATUS={text}")

    def keep_alive(self) -> None:
        """Send the watchdog message if it is due; may be called as often as you like."""
        now = self._monotonic()
        if self._interval_s is not None and now - self._keep_alive_at >= self._interval_s:
            self._keep_alive_at = now
            self._notify("WATCHDOG=1")

    def stopping(self) -> None:
        """Report that the service is about to end."""
        self._notify("STOPPING=1")

    def _notify(self, message: str) -> None:
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        with (
            # No listener, or a slow one, must not stop the video.
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel,
        ):
            channel.sendto(message.encode(), socket.MSG_DONTWAIT, address)
