"""Counts the calls of our own code for one record that shows a known face and makes an alert.

The record goes through alert_person's handler with moto's table and bucket. A turn back is a
call into a module that waits for the caller to return: only a callback can make one.
"""

import base64
import importlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import boto3
from moto import mock_aws

from bench.alerts import hour
from bench.alerts.handler import open_session
from bench.measure import measure
from whosthere.dynamodb import STAMP
from whosthere.people.store import person_key

FUNCTIONS = str(Path(__file__).parents[2] / "functions")
BEGUN_MS = 1_800_000_000_000
ALICE = "p-alice"
LIMITS = {"calls": 80, "modules": 18, "turns back": 0}
ENVIRONMENT = {
    "STACK": "whosthere",
    "TABLE": "whosthere",
    "BUCKET": "whosthere-trace",
    "POWERTOOLS_SERVICE_NAME": "whosthere",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "AWS_DEFAULT_REGION": "us-east-1",
}


class Context:
    """An invocation that may take a minute."""

    function_name = "alert_person"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:111122223333:function:alert_person"
    aws_request_id = "request"

    def get_remaining_time_in_millis(self) -> int:
        """Return a minute."""
        return 60_000


class Trace:
    """The calls of functions under `functions/` while it is switched on."""

    def __init__(self) -> None:
        """Begin without a call."""
        self.calls: Counter[tuple[str, str]] = Counter()
        self.turns_back: list[str] = []
        self._stack: list[str] = []

    def of(self, work: Callable[[], object]) -> "Trace":
        """Trace the work."""
        sys.setprofile(self._profile)
        try:
            work()
        finally:
            sys.setprofile(None)
        return self

    def _profile(self, frame: FrameType, event: str, _argument: object) -> None:
        if event not in ("call", "return") or not frame.f_code.co_filename.startswith(FUNCTIONS):
            return
        module = str(Path(frame.f_code.co_filename).relative_to(FUNCTIONS))
        name = frame.f_code.co_qualname
        if name == "<module>":
            return
        if event == "return":
            self._stack.pop()
            return
        self.calls[module, name] += 1
        if module in self._stack and self._stack[-1] != module:
            self.turns_back.append(f"{self._stack[-1]} -> {module} {name}")
        self._stack.append(module)


@contextmanager
def deployed() -> Iterator[tuple[Any, Any]]:
    """Yield the handler's module and the table, on moto, with a topic to publish to."""
    with mock_aws():
        table = boto3.resource("dynamodb", region_name="us-east-1").create_table(
            TableName=ENVIRONMENT["TABLE"],
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        )
        topic = boto3.client("sns", region_name="us-east-1").create_topic(Name="alerts")
        os.environ.update(ENVIRONMENT | {"TOPIC_ARN": topic["TopicArn"]})
        yield importlib.import_module("alert_person"), table


def traced() -> Trace:
    """Trace the second of two records: the one that confirms the visit and makes the alert."""
    with deployed() as (module, table):
        open_session(table)
        table.put_item(Item=person_key(ALICE) | STAMP | {"name": "Alice"})
        _invoke(module, 0)
        trace = Trace().of(lambda: _invoke(module, 1))
        (visit,) = [item for item in table.scan()["Items"] if item["sk"] == f"visit#{ALICE}"]
        assert visit["alert"] == "sent"
        return trace


def _invoke(module: Any, second: int) -> None:
    moment_ms = BEGUN_MS + 1000 * second
    data = json.dumps(hour.record(moment_ms, [ALICE])).encode()
    record = {
        "kinesis": {
            "sequenceNumber": str(second),
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": moment_ms / 1000 + 1,
        }
    }
    assert module.handler({"Records": [record]}, Context()) == {"batchItemFailures": []}


def once() -> dict[str, float]:
    """Print each function once, then the figures."""
    trace = traced()
    for (module, name), times in sorted(trace.calls.items()):
        print(f"{times:4} {module} {name}")
    for turn in trace.turns_back:
        print(f"turn back: {turn}")
    return {
        "calls": trace.calls.total(),
        "functions": len(trace.calls),
        "modules": len({module for module, _ in trace.calls}),
        "turns back": len(trace.turns_back),
    }


if __name__ == "__main__":
    sys.exit(0 if measure(once, LIMITS, runs=1) else 1)
