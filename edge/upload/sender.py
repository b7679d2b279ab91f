"""Sends fragments until all are stored, over as many connections as it takes."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Protocol

from ..buffer.buffer import FragmentBuffer
from ..errors import ConnectionLostError, RefusedError, UnreachableError
from ..timeouts import Backoff, Timeouts
from .acks import Ack, Verdict
from .delivery import CATCH_UP_SPEED, Delivery


class Connection(Protocol):
    """The part of a PutMedia connection that the sender uses."""

    is_accepted: bool

    def send(self, data: bytes) -> None:
        """Send a piece of the body."""

    def check(self) -> None:
        """Raise the connection's error, if there is one."""

    def finish(self, wait_s: float) -> None:
        """End the body and wait up to `wait_s` for the end of the answer."""

    def close(self) -> None:
        """Close the connection at once."""


class Service(Protocol):
    """The part of a video stream that the sender uses."""

    @property
    def final_event(self) -> str:
        """Return the ack event after which a fragment may be deleted."""

    def connect(self, on_ack: Callable[[Ack], None], on_change: Callable[[], None]) -> Connection:
        """Open a connection whose body follows."""

    def is_expiring(self) -> bool:
        """Return whether the open connection's credentials are about to expire."""


class Sender:
    """The thread that owns the connection; the only place that reconnects."""

    def __init__(
        self,
        buffer: FragmentBuffer,
        service: Service,
        log: Callable[[str], None],
        *,
        speed: float = CATCH_UP_SPEED,
        timeouts: Timeouts | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """Prepare to send the buffer's fragments; stored ones at most `speed` times real time."""
        self.error: Exception | None = None
        self.last_error = ""
        self.last_error_at = 0.0
        self.is_accepted = False
        self.is_over = False
        self.is_connected = False
        self.acked_at = monotonic()
        self._buffer = buffer
        self._service = service
        self._log = log
        self._speed = speed
        self._timeouts = timeouts or Timeouts()
        self._monotonic = monotonic
        self._stopped = threading.Event()
        self._pause = pause or self._stopped.wait
        self._backoff = Backoff(self._timeouts)
        self._last_ack = float("-inf")
        self._is_dropped = False
        self._delivery: Delivery | None = None
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def start(self) -> None:
        """Start to connect and send."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; fragments that are not stored stay in the buffer."""
        self._stopped.set()
        self._buffer.notify()
        self._thread.join(self._timeouts.close_s)

    def drop_connection(self) -> None:
        """Replace the connection by a new one, whatever its state."""
        self._is_dropped = True
        self._buffer.notify()

    def _run(self) -> None:
        try:
            while not self._buffer.is_done and not self._stopped.is_set():
                self._use_a_connection()
                self._wait_for_work()
        except Exception as exc:
            # The supervisor raises it again in the main thread, which reports it.
            self.error = exc
        finally:
            self.is_over = True
            self._buffer.stop_waiting_for_room()
            self._buffer.notify()

    def _wait_for_work(self) -> None:
        """Wait for a fragment to send: the service would close an idle connection."""
        while not self._stopped.is_set() and not self._buffer.is_done:
            if self._buffer.wait_until(lambda: self._buffer.next_after(None) is not None, 0.25):
                return

    def _use_a_connection(self) -> None:
        try:
            connection = self._service.connect(self._on_ack, self._buffer.notify)
            self.is_connected = True
            with contextlib.closing(connection):
                self._send_on(connection)
                connection.finish(self._timeouts.close_s)
        except ConnectionLostError as lost:
            # Not a failure: the service closes a connection that is idle for half a minute.
            if self._buffer.next_after(None) is not None or not self.is_accepted:
                self._back_off_after(lost)
        finally:
            self.is_connected = False

    def _send_on(self, connection: Connection) -> None:
        """Send until all fragments are stored or a new connection is needed."""
        self._delivery = delivery = Delivery(
            self._buffer, speed=self._speed, monotonic=self._monotonic
        )
        opened = self._last_ack = self._monotonic()
        self._is_dropped = False
        while not self._buffer.is_done and not self._stopped.is_set():
            version = self._buffer.version
            self._note_accepted(connection)
            connection.check()
            if self._needs_new_connection(opened, delivery):
                self._drain(connection, delivery)
                return
            if data := delivery.take():
                connection.send(data)
                continue
            self._check_acks(delivery)
            self._buffer.wait_for_change(version, min(0.25, delivery.wait_s or 0.25))

    def _needs_new_connection(self, opened: float, delivery: Delivery) -> bool:
        # An unused connection is kept: its successor would be unused too.
        if not (delivery.has_begun and delivery.is_between_fragments):
            return False
        is_old = self._monotonic() - opened >= self._timeouts.connection_s
        return is_old or delivery.is_over or self._service.is_expiring()

    def _drain(self, connection: Connection, delivery: Delivery) -> None:
        """Wait for outstanding acks, so that the next connection repeats no fragment."""
        deadline = self._monotonic() + self._timeouts.drain_s
        while delivery.unacknowledged() and self._monotonic() < deadline:
            version = self._buffer.version
            connection.check()
            self._buffer.wait_for_change(version, 0.25)

    def _check_acks(self, delivery: Delivery) -> None:
        if self._is_dropped:
            raise ConnectionLostError("nothing was acknowledged for too long")
        waited_for = [f.sent_at for f in delivery.unacknowledged() if f.sent_at is not None]
        if not waited_for:
            return
        silent_since = max(min(waited_for), self._last_ack)
        if self._monotonic() - silent_since > self._timeouts.ack_s:
            raise ConnectionLostError(f"no ack for {self._timeouts.ack_s:.0f} s")

    def _note_accepted(self, connection: Connection) -> None:
        if connection.is_accepted and not self.is_accepted:
            self.is_accepted = True
            self._buffer.notify()

    def _on_ack(self, ack: Ack) -> None:
        """Process an ack; the connection's reading thread calls this."""
        self._last_ack = self._monotonic()
        if ack.event == self._service.final_event and self._resolve(ack, "persisted"):
            self.acked_at = self._monotonic()
            self._backoff.reset()
            self._buffer.set_online(True)
        if ack.event == "ERROR":
            self._on_error(ack)

    def _resolve(self, ack: Ack, outcome: str) -> bool:
        return self._delivery is not None and self._delivery.resolve(ack.timecode, outcome)

    def _on_error(self, ack: Ack) -> None:
        verdict = ack.meaning.verdict
        if verdict is Verdict.STOP:
            raise RefusedError(f"The service refuses this video stream: {ack.error}")
        if verdict is Verdict.SKIP and self._resolve(ack, "refused"):
            self._log(f"Fragment {ack.timecode} is skipped: {ack.error}")
        raise ConnectionLostError(f"the service reported {ack.error}")

    def _back_off_after(self, lost: ConnectionLostError) -> None:
        self._buffer.set_online(False)
        self.last_error, self.last_error_at = str(lost), time.time()
        delay_s = self._backoff.next_delay_s()
        is_first = (
            not self.is_accepted and self._backoff.failures >= self._timeouts.max_first_attempts
        )
        if is_first:
            raise UnreachableError(f"No connection for video: {lost}") from lost
        waiting = self._buffer.counts.waiting
        self._log(f"Reconnecting in {delay_s:.1f} s, {waiting} fragments are waiting: {lost}")
        self._pause(delay_s)
