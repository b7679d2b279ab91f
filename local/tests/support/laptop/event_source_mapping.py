"""An in-memory world for the event source mappings: streams, functions, roles, destinations."""

import base64
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from local.event_source_mapping.model import (
    DestinationError,
    Invocation,
    Record,
    Shard,
)

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/front-door"
ROLE = "arn:aws:iam::000000000000:role/alert-person"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:alert-person"
SHARD = "shardId-000000000000"


class MemoryBackend:
    def __init__(self) -> None:
        self.settings: dict[str, dict[str, Any]] = {}
        self.known_shards: dict[str, Shard] = {SHARD: Shard(SHARD)}
        self.held: dict[str, list[Record]] = defaultdict(list)
        self.functions: dict[str, Callable[[dict[str, Any]], Invocation]] = {}
        self.denied: set[str] = set()
        self.checked: list[tuple[str, str, str]] = []
        self.reads = 0
        self.sent: list[tuple[str, str, Any]] = []
        self.reports: dict[str, list[str]] = defaultdict(list)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.saved: dict[str, dict[str, Any]] = {}
        self.wake: Callable[[], None] = lambda: None
        self._next = 0

    def add_mapping(self, uuid: str = "m1", **settings: Any) -> None:
        self.settings[uuid] = {
            "UUID": uuid,
            "EventSourceArn": STREAM,
            "FunctionArn": FUNCTION,
            "State": "Enabled",
            "StartingPosition": "TRIM_HORIZON",
            **settings,
        }

    def put(
        self,
        data: bytes,
        *,
        key: str = "k",
        shard_id: str = SHARD,
        arrived: float | None = None,
    ) -> str:
        self._next += 1
        number = f"{self._next:021d}"
        moment = time.time() if arrived is None else arrived
        self.held[shard_id].append(Record(number, moment, key, data))
        self.wake()
        return number

    def mappings(self) -> list[dict[str, Any]]:
        return [dict(settings) for settings in self.settings.values()]

    def shards(self, stream_arn: str) -> list[Shard]:
        return list(self.known_shards.values()) if stream_arn == STREAM else []

    def records(self, stream_arn: str, shard_id: str, *, after: str, limit: int) -> list[Record]:
        self.reads += 1
        fresh = (r for r in list(self.held[shard_id]) if r.sequence_number > after)
        return [record for record, _ in zip(fresh, range(limit), strict=False)]

    def latest(self, stream_arn: str, shard_id: str) -> str:
        held = self.held[shard_id]
        return held[-1].sequence_number if held else ""

    def role(self, function_arn: str) -> str | None:
        return ROLE if function_arn in self.functions else None

    def allowed(self, role_arn: str, action: str, resource: str) -> bool:
        self.checked.append((role_arn, action, resource))
        return action not in self.denied

    def invoke(self, function_arn: str, event: dict[str, Any]) -> Invocation:
        return self.functions[function_arn](event)

    def put_object(self, role_arn: str, bucket: str, key: str, body: bytes) -> None:
        self._send("s3:PutObject", f"{bucket}/{key}", body.decode())

    def send_message(self, role_arn: str, queue_arn: str, body: str) -> None:
        self._send("sqs:SendMessage", queue_arn, body)

    def publish(self, role_arn: str, topic_arn: str, message: str) -> None:
        self._send("sns:Publish", topic_arn, message)

    def _send(self, action: str, target: str, body: str) -> None:
        if action in self.denied:
            raise DestinationError(f"{action} is denied")
        self.sent.append((action, target, body))

    def load_checkpoints(self, uuid: str) -> dict[str, Any]:
        return self.saved.get(uuid, {})

    def save_checkpoints(self, uuid: str, checkpoints: dict[str, Any]) -> None:
        self.saved[uuid] = checkpoints

    def count(self, uuid: str, metric: str, number: int) -> None:
        self.counts[uuid, metric] += number

    def report(self, uuid: str, result: str) -> None:
        self.reports[uuid].append(result)


class Function:
    """A function that notes the data it got and answers as told."""

    def __init__(self, answer: Callable[[list[str]], Any] = lambda data: None) -> None:
        self.answer = answer
        self.events: list[dict[str, Any]] = []
        self.batches: list[list[str]] = []
        self.called = threading.Event()

    def __call__(self, event: dict[str, Any]) -> Invocation:
        data = [text_of(record) for record in event["Records"]]
        self.events.append(event)
        self.batches.append(data)
        self.called.set()
        answer = self.answer(data)
        return answer if isinstance(answer, Invocation) else Invocation(payload=answer)

    @property
    def data(self) -> list[str]:
        return [item for batch in list(self.batches) for item in batch]


def text_of(record: dict[str, Any]) -> str:
    return base64.b64decode(record["kinesis"]["data"]).decode(errors="replace")


def failing(data: list[str]) -> Invocation:
    return Invocation(payload={"errorType": "ValueError"}, function_error="Unhandled")


def eventually(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)
