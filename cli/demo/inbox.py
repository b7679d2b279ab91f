"""Receive the alerts through a queue that is subscribed to the topic."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cli.setup.laptop_stack import Stack
from local.laptop import LaptopAWS

QUEUE_NAME = "whosthere-demo"
WAIT_SECONDS = 1  # long poll for the first message; also paces the demo's main loop


@dataclass(frozen=True, slots=True)
class ReceivedAlert:
    """One delivered alert: the JSON for machines, and the subject that a person reads."""

    subject: str
    body: dict[str, Any]


class AlertInbox:
    """A queue that is subscribed to the stack's topic."""

    def __init__(self, laptop: LaptopAWS, stack: Stack) -> None:
        """Create the queue and subscribe it."""
        self._sqs = laptop.client("sqs")
        self._url = self._sqs.create_queue(QueueName=QUEUE_NAME)["QueueUrl"]
        asked = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        arn = asked["Attributes"]["QueueArn"]
        self._sqs.set_queue_attributes(
            QueueUrl=self._url, Attributes={"Policy": _queue_policy(stack.topic_arn, arn)}
        )
        laptop.client("sns").subscribe(TopicArn=stack.topic_arn, Protocol="sqs", Endpoint=arn)

    def receive(self, wait_seconds: int = WAIT_SECONDS) -> Iterator[ReceivedAlert]:
        """Yield the new alerts, oldest first as far as a standard queue keeps order."""
        while messages := self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds
        ).get("Messages", []):
            wait_seconds = 0
            for message in messages:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                yield _parse(json.loads(message["Body"]))


def _parse(envelope: dict[str, Any]) -> ReceivedAlert:
    subject, message = envelope.get("Subject", ""), envelope["Message"]
    if message.startswith("{"):
        return ReceivedAlert(subject, json.loads(message))
    # That a session has started is sent by the state machine itself: plain text for everybody.
    kind = envelope.get("MessageAttributes", {}).get("kind", {}).get("Value", "session")
    return ReceivedAlert(subject, {"kind": kind, "message": message})


def _queue_policy(topic_arn: str, queue_arn: str) -> str:
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
