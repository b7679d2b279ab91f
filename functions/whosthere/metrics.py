"""A session's counters in its row: frames, API calls, and how late records arrive.

Latencies are counted in the steps of a ladder, four of which double the latency. So a quantile
is known to within 10 %, with at most a few dozen counters and no row per record.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from whosthere.dynamodb import Table
from whosthere.session_store import session_key

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.model import OperationModel
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import (
        HistoryEventTypeDef,
        TaskScheduledEventDetailsTypeDef,
    )

TRANSITIONS = "states:Transition"
LATENCY_COUNTER = "within_ms_"
STEP = 2**0.25


def add_counts(
    table: Table,
    session_id: str,
    counts: Mapping[str, int],
    last_ms: int = 0,
    *,
    waited: Mapping[str, int] | None = None,
    spent_micros: int = 0,
) -> None:
    """Add to the session's counters, at least once per record: a retry may count twice.

    `last_ms` is when the last record reached AWS, or 0 if that is of no interest; `waited` is how
    many `ms` the image that was searched last had waited for it, and `at` which moment;
    `spent_micros` is what of the cost of these calls the month's bill has already.
    """
    names = [name for name, number in counts.items() if number]
    if not names:
        return
    # ADD works on top-level attributes only (DynamoDB, update expressions)
    added = [f"counts.#{n} = if_not_exists(counts.#{n}, :zero) + :{n}" for n in range(len(names))]
    values: dict[str, Any] = {f":{n}": counts[name] for n, name in enumerate(names)} | {":zero": 0}
    if last_ms:
        added.append("lastRecord = :last")
        values[":last"] = last_ms
    if spent_micros:
        added.append("spentMicros = if_not_exists(spentMicros, :zero) + :spent")
        values[":spent"] = spent_micros
    if waited:
        added.append("waited = :waited")
        values[":waited"] = waited
    table.update_item(
        Key=session_key(session_id),
        UpdateExpression="SET " + ", ".join(added),
        ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeNames={f"#{n}": name for n, name in enumerate(names)},
        ExpressionAttributeValues=values,
    )


class ApiCallCounter:
    """Counts the API calls of boto3 clients, by `service:Operation`, until they are taken.

    Several threads may call.
    """

    def __init__(self) -> None:
        """Begin without a call."""
        self._calls: Counter[str] = Counter()
        self._lock = Lock()

    def watch(self, *clients: "BaseClient") -> None:
        """Count the calls of these clients from now on."""
        for client in clients:
            client.meta.events.register("before-call", self._count)

    def _count(self, model: "OperationModel", **_: object) -> None:
        with self._lock:
            self._calls[f"{model.service_model.service_name}:{model.name}"] += 1

    def take(self) -> Counter[str]:
        """Return the calls since the last time."""
        with self._lock:
            calls, self._calls = self._calls, Counter()
        return calls


def is_call(counter: str) -> bool:
    """Return whether a session's counter is one of API calls."""
    return ":" in counter


def calls_of_execution(stepfunctions: "SFNClient", execution: str) -> Counter[str]:
    """Count an execution's transitions and the API calls of its tasks, from its history.

    The answer is empty if the history cannot be read: a report is written all the same.
    """
    try:
        paginator = stepfunctions.get_paginator("get_execution_history")
        pages = paginator.paginate(
            executionArn=execution, includeExecutionData=False, PaginationConfig={"PageSize": 1000}
        )
        return sum((_calls_of_events(page["events"]) for page in pages), Counter())
    except (BotoCoreError, ClientError):
        return Counter()


def _calls_of_events(events: "Sequence[HistoryEventTypeDef]") -> Counter[str]:
    calls: Counter[str] = Counter()
    for event in events:
        if event["type"].endswith("StateEntered"):
            calls[TRANSITIONS] += 1
            # A task schedules once as it is entered; more are retries, which count too.
            calls[TRANSITIONS] -= event["type"] == "TaskStateEntered"
        elif event["type"] == "TaskScheduled":
            calls[TRANSITIONS] += 1
            calls[_operation(event["taskScheduledEventDetails"])] += 1
    return calls


def _operation(details: "TaskScheduledEventDetailsTypeDef") -> str:
    """Return `rekognition:CreateStreamProcessor` for a task of that SDK integration."""
    service, operation = f"{details['resourceType']}:{details['resource']}".split(":")[-2:]
    operation = operation.partition(".")[0]
    return f"{service}:{operation[:1].upper()}{operation[1:]}"


@dataclass(frozen=True, slots=True)
class Latency:
    """Median and 95th percentile of `of` durations, in milliseconds."""

    p50: int
    p95: int
    of: int


def latency_counter(duration_ms: int) -> str:
    """Return the name of the counter for a duration, which clocks that disagree make negative."""
    step = math.ceil(math.log(max(1, duration_ms), STEP))
    return f"{LATENCY_COUNTER}{round(STEP**step)}"


def latency_of_counters(counts: Mapping[str, int]) -> Latency | None:
    """Estimate the latency from counters, each step by its middle; None without a count."""
    steps = sorted(
        (int(name.removeprefix(LATENCY_COUNTER)), number)
        for name, number in counts.items()
        if name.startswith(LATENCY_COUNTER)
    )
    total = sum(number for _, number in steps)
    if not total:
        return None
    return Latency(_quantile(steps, total, 0.5), _quantile(steps, total, 0.95), total)


def latency_of_durations(durations_ms: Sequence[int]) -> Latency | None:
    """Return the exact latency of some durations; None if there are none."""
    ranked = sorted(durations_ms)
    if not ranked:
        return None
    return Latency(ranked[_rank(len(ranked), 0.5)], ranked[_rank(len(ranked), 0.95)], len(ranked))


def _rank(number: int, share: float) -> int:
    return math.ceil(share * number) - 1


def _quantile(steps: Sequence[tuple[int, int]], number: int, share: float) -> int:
    left = _rank(number, share)
    for bound, count in steps:
        if left < count:
            return round(bound / math.sqrt(STEP))
        left -= count
    raise AssertionError("the shares of the steps make up the whole")
