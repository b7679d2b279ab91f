"""Wait until a session that was asked to stop has ended."""

import time

from cli.aws.target import Target
from whosthere.session_store import Session, read_session

# StopStreamProcessor is throttled to one a second per account, and a processor stops slowly.
END_TIMEOUT_SECONDS = 180
POLL_SECONDS = 0.5


def wait_until_ended(target: Target, session_id: str, until: float) -> Session | None:
    """Wait until the session has freed its camera, and return it; None if it has not in time.

    `until` is a moment of `time.monotonic`.
    """
    table = target.table()
    while True:
        session = read_session(table, session_id)
        if session and not session.held:
            return session
        if time.monotonic() > until:
            return None
        time.sleep(POLL_SECONDS)
