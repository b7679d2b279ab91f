"""A subscriber of the alerts: a queue that the topic delivers to, as any machine would have it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cli.setup.laptop_stack import Stack
from local.laptop import LaptopAWS

QUEUE = "whosthere-demo"
WAIT_SECONDS = 1  # for the first message of a look; nothing else waits in between


@dataclass(frozen=True, slots=True)
class Received:
    """One delivered alert: what was sent for machines, and the subject a person reads."""

    subject: str
    body: dict[str, Any]


class Subscriber:
    """Subscribed to the stack's topic; `receive` gives what has come since."""

    def __init__(self, laptop: LaptopAWS, stack: Stack) -> None:
        self._sqs = laptop.client("sqs")
        self._url = self._sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
        asked = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        arn = asked["Attributes"]["QueueArn"]
        self._sqs.set_queue_attributes(
            QueueUrl=self._url, Attributes={"Policy": _let_in(stack.topic_arn, arn)}
        )
        laptop.client("sns").subscribe(TopicArn=stack.topic_arn, Protocol="sqs", Endpoint=arn)

    def receive(self, wait_seconds: int = WAIT_SECONDS) -> Iterator[Received]:
        """The alerts that wait, oldest first as far as a standard queue keeps order."""
        while messages := self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds
        ).get("Messages", []):
            wait_seconds = 0
            for message in messages:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                yield _opened(json.loads(message["Body"]))


def _opened(envelope: dict[str, Any]) -> Received:
    subject, message = envelope.get("Subject", ""), envelope["Message"]
    if message.startswith("{"):
        return Received(subject, json.loads(message))
    # The state machine's own word, that a session has started, is the same for everybody.
    kind = envelope.get("MessageAttributes", {}).get("kind", {}).get("Value", "session")
    return Received(subject, {"kind": kind, "message": message})


def _let_in(topic_arn: str, queue_arn: str) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": queue_arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
                }
            ],
        }
    )
