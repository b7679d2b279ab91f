"""The message of a denied action, and the log of IAM decisions."""

import json
import re
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class AccessDenied(Exception):  # noqa: N818 - named as AWS names it
    """A denied action; `message` is AWS's."""

    def __init__(self, message: str) -> None:
        """Make the error with AWS's message."""
        super().__init__(message)
        self.message = message


def access_denied(principal: str, action: str, resource: str, *, explicit: bool) -> AccessDenied:
    """Return the error in the words of IAM's "Troubleshoot access denied error messages"."""
    reason = (
        "with an explicit deny in an identity-based policy"
        if explicit
        else f"because no identity-based policy allows the {action} action"
    )
    return AccessDenied(
        f"User: {principal} is not authorized to perform: {action} on resource: {resource} {reason}"
    )


# A photo's key holds a person's name, which no log may contain.
PERSON_KEY = re.compile(r"(:::[^/]+/people/).+")


class DecisionLog:
    """A file with one JSON line per decision, from which tests see the rights in use."""

    def __init__(self, path: Path) -> None:
        """Append to a file."""
        self._path = path
        self._lock = threading.Lock()
        path.touch()

    def write(self, principal: str, action: str, resource: str, *, allowed: bool) -> None:
        """Append one decision, with the principal's ARN and name (role, user or service)."""
        line = json.dumps(
            {
                "at": round(time.time(), 3),
                "principal": principal_name(principal),
                "arn": principal,
                "action": action,
                "resource": PERSON_KEY.sub(r"\1*", resource),
                "allowed": allowed,
            }
        )
        with self._lock, self._path.open("a") as log:
            log.write(line + "\n")


def principal_name(arn: str) -> str:
    """Return the role's name in an assumed-role session's ARN, else the ARN's last part."""
    parts = arn.rpartition(":")[2].split("/")
    return parts[1] if parts[0] == "assumed-role" else parts[-1]


def read_decisions(path: Path) -> Iterable[dict[str, Any]]:
    """Return every decision written so far."""
    return [json.loads(line) for line in path.read_text().splitlines()]
