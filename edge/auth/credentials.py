"""Keys that renew themselves, well before they end and beside the sending."""

import random
import threading
import time
from collections.abc import Callable

from botocore.credentials import Credentials, ReadOnlyCredentials

from ..errors import EdgeError, RefusedError
from .credential_endpoint import TemporaryKeys

# Of 15 minutes that AWS gives, five are left for a provider that is not there.
RENEW_BEFORE_S = 300.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
METHOD = "iot-certificate"


class RenewedKeys(Credentials):
    """Keys as botocore wants them, from a function that fetches new ones.

    `refresh_needed` says when a new connection is due: as soon as newer keys lie ready, or
    when the old ones have ended; one signed with the same keys would be no better. They are
    fetched by a thread of its own, which tries again with growing pauses; as long as the old
    ones are good, a failure is only told.
    """

    method = METHOD
    account_id = None

    def __init__(self, fetch: Callable[[], TemporaryKeys], say: Callable[[str], None]) -> None:
        self._fetch = fetch
        self._say = say
        self._lock = threading.Lock()
        self._current: TemporaryKeys | None = None
        self._following: TemporaryKeys | None = None
        self._is_renewing = False

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """The newest keys; fetches them if there are none that are good."""
        with self._lock:
            if self._following is not None:
                self._current, self._following = self._following, None
            if self._current is None or self._current.seconds_left <= 0:
                self._current = self._fetch()
            return self._current.frozen

    def refresh_needed(self, _refresh_in: float | None = None) -> bool:
        """Say whether what was signed last should be signed anew."""
        with self._lock:
            if self._current is None or self._following is not None:
                return True
            left = self._current.seconds_left
            if left < RENEW_BEFORE_S and not self._is_renewing:
                self._is_renewing = True
                threading.Thread(target=self._renew, name="keys", daemon=True).start()
            return left <= 0

    def _renew(self) -> None:
        pause_s = FIRST_PAUSE_S
        try:
            while self._seconds_left() > 0:
                try:
                    following = self._fetch()
                except EdgeError as exc:
                    self._warn(exc)
                else:
                    with self._lock:
                        self._following = following
                    return
                # By chance up to as much again: cameras cut off together return apart.
                time.sleep(pause_s * (1 + random.random()))
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
        finally:
            self._is_renewing = False

    def _warn(self, exc: EdgeError) -> None:
        word = "refused" if isinstance(exc, RefusedError) else "not possible now"
        left = f"the keys at hand are good for {max(0.0, self._seconds_left()):.0f} s more"
        self._say(f"Renewing the keys is {word}, {left}: {exc}")

    def _seconds_left(self) -> float:
        with self._lock:
            return self._current.seconds_left if self._current else 0.0

    @property
    def access_key(self) -> str:  # type: ignore[override]
        """For clients that ask for one part; what is signed uses all of one moment."""
        return str(self.get_frozen_credentials().access_key)

    @property
    def secret_key(self) -> str:  # type: ignore[override]
        """As `access_key`."""
        return str(self.get_frozen_credentials().secret_key)

    @property
    def token(self) -> str:  # type: ignore[override]
        """As `access_key`."""
        return str(self.get_frozen_credentials().token)
