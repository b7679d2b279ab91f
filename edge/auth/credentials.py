"""Credentials that refresh in the background, well before they expire."""

import random
import threading
import time
from collections.abc import Callable

from botocore.credentials import Credentials, ReadOnlyCredentials

from ..errors import EdgeError, RefusedError
from .credential_endpoint import TemporaryCredentials

# Credentials live for 15 minutes. This leaves five in which the provider may be down.
REFRESH_BEFORE_S = 300.0
FIRST_DELAY_S, MAX_DELAY_S = 1.0, 30.0
METHOD = "iot-certificate"


class IotCredentials(Credentials):
    """botocore credentials that come from a function and are fetched again in time.

    A thread fetches new ones before the current ones expire and retries with growing delays; while
    the current ones are valid, a failure is only logged. Threads of botocore and of the sender call
    this, so `_lock` guards the fields.
    """

    method = METHOD
    account_id = None

    def __init__(
        self, fetch: Callable[[], TemporaryCredentials], log: Callable[[str], None]
    ) -> None:
        """Start without credentials; the first use calls `fetch`."""
        self._fetch = fetch
        self._log = log
        self._lock = threading.Lock()
        self._current: TemporaryCredentials | None = None
        self._next: TemporaryCredentials | None = None
        self._is_refreshing = False

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the newest credentials; fetch them if none are valid."""
        with self._lock:
            if self._next is not None:
                self._current, self._next = self._next, None
            if self._current is None or self._current.seconds_left <= 0:
                self._current = self._fetch()
            return self._current.frozen

    def refresh_needed(self, _refresh_in: float | None = None) -> bool:
        """Return whether a connection with newer credentials should replace the open one.

        True once newer credentials are ready or the current ones have expired: signing again with
        the same credentials would gain nothing. Starts the background refresh when that is due.
        """
        with self._lock:
            if self._current is None or self._next is not None:
                return True
            left = self._current.seconds_left
            if left < REFRESH_BEFORE_S and not self._is_refreshing:
                self._is_refreshing = True
                threading.Thread(target=self._refresh, name="credentials", daemon=True).start()
            return left <= 0

    def _refresh(self) -> None:
        delay_s = FIRST_DELAY_S
        try:
            while self._seconds_left() > 0:
                try:
                    renewed = self._fetch()
                except EdgeError as exc:
                    self._warn(exc)
                else:
                    with self._lock:
                        self._next = renewed
                    return
                # Jitter: cameras that were cut off together must not all return at once.
                time.sleep(delay_s * (1 + random.random()))
                delay_s = min(MAX_DELAY_S, delay_s * 2)
        finally:
            self._is_refreshing = False

    def _warn(self, exc: EdgeError) -> None:
        result = "was refused" if isinstance(exc, RefusedError) else "failed"
        left_s = max(0.0, self._seconds_left())
        self._log(
            f"Refreshing the credentials {result}; the current ones expire in {left_s:.0f} s: {exc}"
        )

    def _seconds_left(self) -> float:
        with self._lock:
            return self._current.seconds_left if self._current else 0.0

    @property
    def access_key(self) -> str:  # type: ignore[override]
        """Return the access key alone, for botocore; signing uses one frozen set."""
        return str(self.get_frozen_credentials().access_key)

    @property
    def secret_key(self) -> str:  # type: ignore[override]
        """Return the secret key alone, for botocore."""
        return str(self.get_frozen_credentials().secret_key)

    @property
    def token(self) -> str:  # type: ignore[override]
        """Return the session token alone, for botocore."""
        return str(self.get_frozen_credentials().token)
