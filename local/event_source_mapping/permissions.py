"""The permissions that a function's role needs before its mapping reads the stream.

https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html. SubscribeToShard is left
out: it belongs to enhanced fan-out consumers, which these mappings do not read.
"""

import time
from collections.abc import Callable

from local.event_source_mapping.mapping import EventSourceMapping
from local.event_source_mapping.model import Backend

ACTIONS = (
    "DescribeStream",
    "DescribeStreamSummary",
    "GetRecords",
    "GetShardIterator",
    "ListShards",
)
# Each check is a logged decision; a stream read ten times a second need not be checked as often.
ALLOWED_SECONDS = 5.0
DENIED_SECONDS = 0.5


class Permissions:
    """The IAM decisions about one mapping's role, cached for a moment."""

    def __init__(self, backend: Backend, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare the checks of one mapping's role."""
        self._backend = backend
        self._clock = clock
        self._subject: tuple[str, str] | None = None
        self._problem: str | None = None
        self._until = 0.0

    def problem(self, mapping: EventSourceMapping, role_arn: str) -> str | None:
        """Return the LastProcessingResult while an action is not allowed, or None."""
        now = self._clock()
        subject = (role_arn, mapping.stream_arn)
        if subject != self._subject or now >= self._until:
            self._subject = subject
            self._problem = self._check(mapping, role_arn)
            self._until = now + (DENIED_SECONDS if self._problem else ALLOWED_SECONDS)
        return self._problem

    def _check(self, mapping: EventSourceMapping, role_arn: str) -> str | None:
        missing = [
            action
            for action in ACTIONS
            if not self._backend.allowed(role_arn, f"kinesis:{action}", mapping.stream_arn)
        ]
        if not missing:
            return None
        return (
            f"PROBLEM: Cannot access stream {mapping.stream_arn}. Please ensure the role can "
            f"perform the {', '.join(missing)} Actions on your stream in IAM."
        )
