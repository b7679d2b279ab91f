"""What alert_person adds to base64 and json.loads of a record that makes no alert.

In this process and in its processor time; DynamoDB answers at once, from memory, so that
it is the handler that is measured and not the network. How often it is asked for a batch
of 100 records is printed too.
"""

import base64
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bench.alerts import hour
from bench.measure import measure
from whosthere import session_store as sessions
from whosthere import settings
from whosthere.alarm_metrics import alarm_metrics
from whosthere.dynamodb import STAMP, decimals
from whosthere.ingest.dead_letter import DeadLetters
from whosthere.ingest.kinesis import KinesisSource, process_batch
from whosthere.metrics import ApiCallCounter
from whosthere.session_store import Session
from whosthere.visits.persons import alert_persons
from whosthere.visits.record_sightings import AlertContext, Lease
from whosthere.visits.store import current_key

BATCH = 100
REPEATS = 60
BEGUN_MS = 1_800_000_000_000
LIMITS = {"microseconds added": 60, "calls of DynamoDB a batch": 6}


class Silent:
    """A logger that says nothing."""

    def info(self, *_given: Any, **_more: Any) -> None:
        """Say nothing."""

    warning = info


class Memory:
    """A table that answers at once: rows that were written are there, queries find visits."""

    name = "memory"

    def __init__(self) -> None:
        """Begin without a row."""
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}
        self.calls = 0
        self.meta = self.client = self

    def get_item(self, Key: Mapping[str, str], **_given: Any) -> dict[str, Any]:
        """Return a row."""
        self.calls += 1
        row = self.rows.get((Key["pk"], Key["sk"]))
        return {"Item": row} if row else {}

    def put_item(self, Item: dict[str, Any], **_given: Any) -> dict[str, Any]:
        """Keep a row."""
        self.calls += 1
        self.rows[Item["pk"], Item["sk"]] = Item
        return {}

    def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:
        """Keep the rows of a visit that opens."""
        self.calls += 1
        for request in TransactItems:
            row = request["Put"]["Item"]
            self.rows[row["pk"], row["sk"]] = row
        return {}

    def query(self, **_given: Any) -> dict[str, Any]:
        """All visits: nothing else is asked for here."""
        self.calls += 1
        found = [row for (_, sk), row in self.rows.items() if sk.startswith("visit#")]
        return {"Items": found}

    def update_item(self, **_given: Any) -> dict[str, Any]:
        """Count, which nobody reads here."""
        self.calls += 1
        return {}


def once() -> Mapping[str, float]:
    """Return the least of many repeats, as the machine has others to serve."""
    memory, records = Memory(), _records()
    open_session(memory)
    # Stand-ins have only the methods that are called here.
    table: Any = memory
    logger: Any = Silent()
    no_client: Any = None
    letters = DeadLetters(no_client, "bucket", logger, alarm_metrics())
    source = KinesisSource(table, "whosthere", letters, ApiCallCounter(), logger)
    context = AlertContext(table, _nobody, Lease(lambda: BEGUN_MS, 65_000))
    work = partial(alert_persons, context)

    def ours() -> None:
        assert process_batch(source, records, work) == {"batchItemFailures": []}

    def bare() -> None:
        for record in records:
            json.loads(base64.b64decode(record["kinesis"]["data"]))

    visit = current_key("front-door", "p-alice")
    ours()  # opens the visit
    row = memory.rows[visit["pk"], visit["sk"]] | {"times": [], "alert": "sent"}

    def again() -> None:
        memory.rows[visit["pk"], visit["sk"]] = row | {"version": row["version"]}
        ours()

    memory.calls = 0
    again()
    calls = memory.calls
    least = {"bare": 1e9, "ours": 1e9}
    for _ in range(REPEATS):  # in turn, so that both meet the same machine
        least["bare"] = min(least["bare"], _microseconds(bare))
        least["ours"] = min(least["ours"], _microseconds(again))
    return {
        "microseconds added": least["ours"] - least["bare"],
        "bare microseconds": least["bare"],
        "calls of DynamoDB a batch": calls,
    }


def _microseconds(do: Callable[[], None]) -> float:
    begun = time.process_time_ns()
    do()
    return (time.process_time_ns() - begun) / 1000 / BATCH


def _records() -> list[dict[str, Any]]:
    return [
        {
            "kinesis": {
                "sequenceNumber": str(number),
                "data": base64.b64encode(
                    json.dumps(hour.record(BEGUN_MS + 200 * number, ["p-alice"])).encode()
                ).decode(),
                "approximateArrivalTimestamp": BEGUN_MS / 1000 + 0.2 * number + 1,
            }
        }
        for number in range(BATCH)
    ]


def open_session(table: Any) -> Session:
    """Write the rows of a running session."""
    values = settings.defaults()
    session = Session(
        id="one",
        camera="front-door",
        engine="stream-processor",
        execution="arn",
        started_ms=BEGUN_MS - 1000,
        deadline_ms=BEGUN_MS + 3_600_000,
        ended_ms=None,
        ended_by=None,
        held=True,
        settings=settings.from_values(values),
    )
    lock = sessions.lock_key("front-door") | STAMP
    table.put_item(Item=lock | {"session": "one", "held": True})
    table.put_item(
        Item=sessions.session_key("one")
        | STAMP
        | {
            "camera": session.camera,
            "engine": session.engine,
            "execution": session.execution,
            "startedAt": session.started_ms,
            "deadline": session.deadline_ms,
            "settings": decimals(values),
            "counts": {},
        }
    )
    return session


def _nobody(_alert: object) -> None:
    """Nobody is told."""


if __name__ == "__main__":
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    sys.exit(0 if measure(once, LIMITS) else 1)
