"""Records, shards, invocations, and the Backend protocol that supplies them."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a data stream, its data decoded."""

    sequence_number: str
    arrived: float
    partition_key: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of a data stream; a closed one gets no more records, its children do."""

    shard_id: str
    parents: tuple[str, ...] = ()
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Invocation:
    """The answer of a function, or why it was not invoked at all."""

    payload: object = None
    function_error: str | None = None
    refused: Literal["throttled", "missing"] | None = None
    request_id: str = ""
    executed_version: str = "$LATEST"


class DestinationError(Exception):
    """A failure destination did not take the invocation record."""


class Backend(Protocol):
    """The streams, functions, roles and destinations that the mappings work on."""

    def mappings(self) -> list[dict[str, Any]]:
        """Return every Kinesis mapping with the field names of EventSourceMappingConfiguration."""
        ...

    def shards(self, stream_arn: str) -> list[Shard]:
        """Return the shards of a stream, or none if there is no such stream."""
        ...

    def records(self, stream_arn: str, shard_id: str, *, after: str, limit: int) -> list[Record]:
        """Return the oldest records whose sequence number is greater ("" for all)."""
        ...

    def latest(self, stream_arn: str, shard_id: str) -> str:
        """Return the newest sequence number of a shard, or "" if it has no record."""
        ...

    def role(self, function_arn: str) -> str | None:
        """Return the ARN of a function's execution role, or None if there is no such function."""
        ...

    def allowed(self, role_arn: str, action: str, resource: str) -> bool:
        """Return whether a role is allowed an action on a resource."""
        ...

    def invoke(self, function_arn: str, event: dict[str, Any]) -> Invocation:
        """Invoke a function and wait for its answer."""
        ...

    def put_object(self, role_arn: str, bucket: str, key: str, body: bytes) -> None:
        """Write to S3 with the rights of the role, or raise DestinationError."""
        ...

    def send_message(self, role_arn: str, queue_arn: str, body: str) -> None:
        """Send to SQS with the rights of the role, or raise DestinationError."""
        ...

    def publish(self, role_arn: str, topic_arn: str, message: str) -> None:
        """Publish to SNS with the rights of the role, or raise DestinationError."""
        ...

    def load_checkpoints(self, uuid: str) -> dict[str, Any]:
        """Return what was saved last for a mapping, or {}."""
        ...

    def save_checkpoints(self, uuid: str, checkpoints: dict[str, Any]) -> None:
        """Keep the checkpoints of a mapping (plain JSON values)."""
        ...

    def count(self, uuid: str, metric: str, number: int) -> None:
        """Add to a metric of a mapping."""
        ...

    def report(self, uuid: str, result: str) -> None:
        """Set the LastProcessingResult of a mapping."""
        ...
