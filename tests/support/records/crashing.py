"""Workers that die at one of the lines they execute, and a shard that delivers to the next one."""

import base64
import importlib
import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from sys import monitoring as watch
from types import SimpleNamespace

from tests.support.records.alert_harness import START, Clock, Killed

FUNCTIONS = str(Path(__file__).parents[3] / "functions")
TOOL = 4  # one that no debugger, profiler or coverage tool has a claim to
LEASE_SECONDS = 66  # a worker's 60 seconds and a little


@dataclass
class Deadly:
    """Follows the lines that are executed in `functions/`, and kills right before the nth."""

    at: int = 0
    lines: list = field(default_factory=list)

    @contextmanager
    def at_work(self):
        # Unlike `sys.settrace` it costs nothing in code that is not ours, such as moto.
        watch.use_tool_id(TOOL, "deadly")
        watch.register_callback(TOOL, watch.events.LINE, self._line)
        watch.set_events(TOOL, watch.events.LINE)
        watch.restart_events()
        try:
            yield self
        finally:
            watch.set_events(TOOL, watch.events.NO_EVENTS)
            watch.free_tool_id(TOOL)

    def _line(self, code, number):
        # What runs when a module or class is defined runs once, before any record.
        if not code.co_filename.startswith(FUNCTIONS) or code.co_name == "<module>":
            return watch.DISABLE
        self.lines.append((code.co_filename, number))
        if len(self.lines) == self.at:
            raise Killed
        return None


class Sns:
    """A topic that keeps what it accepted."""

    def __init__(self):
        self.accepted = []

    def publish(self, **given):
        self.accepted.append(json.loads(json.loads(given["Message"])["sqs"]))


class Context:
    """Of an invocation that may take a minute."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:111122223333:function:function"
    aws_request_id = "request"

    def get_remaining_time_in_millis(self):
        return 60_000


@contextmanager
def function(patch, name, table, **environment):
    """A function's module, as a new execution environment loads it, on a clock that is set."""
    given = {
        "STACK": "whosthere",
        "TABLE": table.name,
        "TOPIC_ARN": "arn:aws:sns:us-east-1:111122223333:whosthere-alerts",
        "POWERTOOLS_SERVICE_NAME": "whosthere",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        "AWS_DEFAULT_REGION": "us-east-1",
    } | environment
    for key, value in given.items():
        patch.setenv(key, value)
    clock = Clock(START + 5000)
    ticking = SimpleNamespace(
        time_ns=lambda: clock.moment_ms * 1_000_000,
        sleep=lambda seconds: clock.forward(seconds),
    )
    patch.setattr("whosthere.clock.time", ticking)
    sys.modules.pop(name, None)
    module = importlib.import_module(name)
    yield module, clock
    sys.modules.pop(name, None)


def as_event(records):
    """Records as a function gets them, their sequence numbers in order."""
    return [as_record(str(number), record) for number, record in enumerate(records)]


def as_record(number, record):
    """A record as a function gets it, with that sequence number."""
    return {
        "kinesis": {
            "sequenceNumber": number,
            "partitionKey": "whosthere-front-door",
            "data": base64.b64encode(json.dumps(record).encode()).decode(),
            "approximateArrivalTimestamp": START / 1000 + 2,
        },
        "eventSourceARN": "arn:aws:kinesis:us-east-1:111122223333:stream/whosthere-front-door",
    }


class ShardOf:
    """Delivers a batch to the end, as the deployed mappings do: splits it, and tries again."""

    def __init__(self, module, clock):
        self.module, self.clock = module, clock

    def deliver(self, records, deadly=None):
        """Deliver; the worker of the first try may be a deadly one."""
        parts, tries = [records], 0
        while parts:
            part = parts.pop(0)
            tries += 1
            assert tries < 30, "the batch never gets done"
            try:
                failed = self._invoke(part, deadly if tries == 1 else None)
            except Killed:
                self.module.calls.__init__()  # its lock may be held
                half = len(part) // 2
                parts[:0] = [part[:half], part[half:]] if half else [part]
                continue
            if failed:
                first = min(int(item["itemIdentifier"]) for item in failed)
                left = [one for one in part if int(one["kinesis"]["sequenceNumber"]) >= first]
                parts.insert(0, left)
                self.clock.forward(LEASE_SECONDS)

    def _invoke(self, part, deadly):
        self.module.sent.clear()  # a worker that died took it along
        event = {"Records": part}
        if deadly is None:
            return self.module.handler(event, Context())["batchItemFailures"]
        with deadly.at_work():
            return self.module.handler(event, Context())["batchItemFailures"]
