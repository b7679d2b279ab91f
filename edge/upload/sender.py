"""Sends fragments until each is stored, over as many connections as that takes."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Protocol

from ..errors import ConnectionLostError, RefusedError, UnreachableError
from ..fragment import Place
from ..fragments import FragmentBuffer
from ..ring import DamagedError
from ..timeouts import BackOff, Patience
from .acks import Ack, Verdict
from .delivery import CATCH_UP_SPEED, Delivery


class Connection(Protocol):
    """What the sender needs of a PutMedia connection."""

    is_accepted: bool

    def send(self, data: bytes) -> None: ...
    def check(self) -> None: ...
    def finish(self, wait_s: float) -> None: ...
    def close(self) -> None: ...


class Service(Protocol):
    """What the sender needs of the video stream it sends to."""

    @property
    def final_event(self) -> str:
        """Name the ack after which a fragment need not be kept."""

    def connect(self, on_ack: Callable[[Ack], None], on_change: Callable[[], None]) -> Connection:
        """Open a connection whose body is yet to come."""

    def is_expiring(self) -> bool:
        """Say whether the credentials of the open connection are about to expire."""


def nowhere(place: Place) -> bytes:
    """Read from disk when there is none."""
    raise DamagedError(f"no disk for {place}")


class Sender:
    """The thread that owns the connection; only here is known how to reconnect."""

    def __init__(
        self,
        buffer: FragmentBuffer,
        service: Service,
        say: Callable[[str], None],
        *,
        read: Callable[[Place], bytes] = nowhere,
        speed: float = CATCH_UP_SPEED,
        patience: Patience | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self.error: Exception | None = None
        self.last_error = ""
        self.last_error_at = 0.0
        self.is_accepted = False
        self.is_over = False
        self.is_connected = False
        self.acked_at = monotonic()
        self._buffer = buffer
        self._service = service
        self._say = say
        self._read = read
        self._speed = speed
        self._patience = patience or Patience()
        self._monotonic = monotonic
        self._stopped = threading.Event()
        self._pause = pause or self._stopped.wait
        self._back_off = BackOff(self._patience)
        self._last_ack = float("-inf")
        self._is_given_up = False
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def start(self) -> None:
        """Begin to connect and to send."""
        self._thread.start()

    def stop(self) -> None:
        """Leave what is not stored yet where it is."""
        self._stopped.set()
        self._buffer.wake()
        self._thread.join(self._patience.goodbye_s)

    def give_up_connection(self) -> None:
        """Go on with a new connection, whatever this one seems to be doing."""
        self._is_given_up = True
        self._buffer.wake()

    def _run(self) -> None:
        try:
            while not self._buffer.is_done and not self._stopped.is_set():
                self._use_a_connection()
                self._wait_for_work()
        except Exception as exc:
            # Whatever it is, it is raised anew in the thread that can tell of it.
            self.error = exc
        finally:
            self.is_over = True
            self._buffer.wait_no_more()
            self._buffer.wake()

    def _wait_for_work(self) -> None:
        """A connection that carries nothing would be ended by the service."""
        while not self._stopped.is_set() and not self._buffer.is_done:
            if self._buffer.wait_until(lambda: self._buffer.after(None) is not None, 0.25):
                return

    def _use_a_connection(self) -> None:
        try:
            connection = self._service.connect(self._on_ack, self._buffer.wake)
            self.is_connected = True
            with contextlib.closing(connection):
                self._send_on(connection)
                connection.finish(self._patience.goodbye_s)
        except ConnectionLostError as lost:
            # The service ends a connection that carries nothing for half a minute.
            if self._buffer.after(None) is not None or not self.is_accepted:
                self._after(lost)
        finally:
            self.is_connected = False

    def _send_on(self, connection: Connection) -> None:
        """Send until all is stored, or until it is time for the next connection."""
        delivery = Delivery(self._buffer, self._read, speed=self._speed, monotonic=self._monotonic)
        opened = self._last_ack = self._monotonic()
        self._is_given_up = False
        while not self._buffer.is_done and not self._stopped.is_set():
            version = self._buffer.version
            self._note(connection)
            connection.check()
            if self._is_time_for_the_next(opened, delivery):
                self._drain(connection)
                return
            if data := delivery.take():
                connection.send(data)
                continue
            self._check_acks()
            self._buffer.wait_beyond(version, min(0.25, delivery.wait_s or 0.25))

    def _is_time_for_the_next(self, opened: float, delivery: Delivery) -> bool:
        # One that was due before it carried anything would make room for another such.
        if not (delivery.has_begun and delivery.is_between_fragments):
            return False
        is_old = self._monotonic() - opened >= self._patience.connection_s
        return is_old or delivery.is_over or self._service.is_expiring()

    def _drain(self, connection: Connection) -> None:
        """Wait for acks on their way, so that the next connection repeats nothing."""
        deadline = self._monotonic() + self._patience.drain_s
        while self._buffer.sent() and self._monotonic() < deadline:
            version = self._buffer.version
            connection.check()
            self._buffer.wait_beyond(version, 0.25)

    def _check_acks(self) -> None:
        if self._is_given_up:
            raise ConnectionLostError("nothing was acknowledged for too long")
        waited_for = [f.sent_at for f in self._buffer.sent() if f.sent_at is not None]
        if not waited_for:
            return
        silent_since = max(min(waited_for), self._last_ack)
        if self._monotonic() - silent_since > self._patience.ack_s:
            raise ConnectionLostError(f"no ack for {self._patience.ack_s:.0f} s")

    def _note(self, connection: Connection) -> None:
        if connection.is_accepted and not self.is_accepted:
            self.is_accepted = True
            self._buffer.wake()

    def _on_ack(self, ack: Ack) -> None:
        """Take an ack; runs in the connection's reading thread."""
        self._last_ack = self._monotonic()
        if ack.event == self._service.final_event and self._buffer.settle(ack.timecode):
            self.acked_at = self._monotonic()
            self._back_off.start_over()
            self._buffer.flows(True)
        if ack.event == "ERROR":
            self._on_error(ack)

    def _on_error(self, ack: Ack) -> None:
        verdict = ack.meaning.verdict
        if verdict is Verdict.STOP:
            raise RefusedError(f"The service refuses this video stream: {ack.error}")
        if verdict is Verdict.SKIP and self._buffer.refuse(ack.timecode):
            self._say(f"Fragment {ack.timecode} is left out: {ack.error}")
        raise ConnectionLostError(f"the service reported {ack.error}")

    def _after(self, lost: ConnectionLostError) -> None:
        self._buffer.flows(False)
        self.last_error, self.last_error_at = str(lost), time.time()
        pause_s = self._back_off.pause_s()
        is_first = not self.is_accepted and self._back_off.failures >= self._patience.first_attempts
        if is_first:
            raise UnreachableError(f"No connection for video: {lost}") from lost
        waiting = self._buffer.counts.waiting
        self._say(f"Connecting anew in {pause_s:.1f} s, {waiting} fragments wait: {lost}")
        self._pause(pause_s)
