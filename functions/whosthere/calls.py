"""What was called how often: by the functions as they call, by an execution from its history."""

from collections import Counter
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from whosthere.ingest.batches import Outcome

TRANSITIONS = "states:Transition"


class Calls:
    """Counts the calls of clients to AWS, by `service:Operation`, until they are taken."""

    def __init__(self) -> None:
        self._made: Counter[str] = Counter()

    def watch(self, *clients: Any) -> None:
        """Count the calls of these clients from now on."""
        for client in clients:
            client.meta.events.register("before-call", self._count)

    def _count(self, model: Any, **_: Any) -> None:
        self._made[f"{model.service_model.service_name}:{model.name}"] += 1

    def added_to(self, outcome: Outcome) -> Outcome:
        """The outcome with what was called for it among its counts."""
        return replace(outcome, counts=outcome.counts + self.take())

    def take(self) -> Counter[str]:
        """What was called since the last time."""
        made, self._made = self._made, Counter()
        return made


def is_call(counter: str) -> bool:
    """Whether a session's counter is one of calls."""
    return ":" in counter


def of_execution(stepfunctions: Any, execution: str) -> Counter[str]:
    """The transitions of an execution until now and the calls of its tasks, from its history.

    Empty where the history cannot be had: a report is never kept from being written by it.
    """
    try:
        paginator = stepfunctions.get_paginator("get_execution_history")
        pages = paginator.paginate(
            executionArn=execution, includeExecutionData=False, PaginationConfig={"PageSize": 1000}
        )
        return sum((_of_events(page["events"]) for page in pages), Counter())
    except (BotoCoreError, ClientError):
        return Counter()


def _of_events(events: list[dict[str, Any]]) -> Counter[str]:
    made: Counter[str] = Counter()
    for event in events:
        if event["type"].endswith("StateEntered"):
            made[TRANSITIONS] += 1
            # A task schedules once as it is entered; more are retries, which count too.
            made[TRANSITIONS] -= event["type"] == "TaskStateEntered"
        elif event["type"] == "TaskScheduled":
            made[TRANSITIONS] += 1
            made[_task(event["taskScheduledEventDetails"])] += 1
    return made


def _task(details: dict[str, str]) -> str:
    """`rekognition:CreateStreamProcessor` of `aws-sdk:rekognition` and `createStreamProcessor`."""
    service, operation = f"{details['resourceType']}:{details['resource']}".split(":")[-2:]
    operation = operation.partition(".")[0]
    return f"{service}:{operation[:1].upper()}{operation[1:]}"
