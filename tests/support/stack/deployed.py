"""The deployed stack as its owner sees it: sessions, messages, and what is left."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from cli.setup.laptop_stack import table_of
from whosthere.session.health.hysteresis import camera_health_key
from whosthere.session.requests import request_stop
from whosthere.session_store import latest_session

QUICK = {
    "healthCheckSeconds": 2,
    "mediaWaitSeconds": 30,
    "silenceSeconds": 5,
    "tell": ["start", "end", "problem"],
}


@dataclass
class DeployedProduct:
    """The deployed stack as its owner sees it."""

    laptop: Any
    stack: Any
    inbox: str

    def client(self, name):
        return self.laptop.client(name)

    @cached_property  # a client takes long to make, and tests look at the table all the time
    def table(self):
        return table_of(self.laptop, self.stack)

    @cached_property
    def archive(self):
        """A client for the stored video of the camera."""
        asked = {"StreamName": f"{self.stack.name}-front-door", "APIName": "LIST_FRAGMENTS"}
        endpoint = self.client("kinesisvideo").get_data_endpoint(**asked)["DataEndpoint"]
        return self.laptop.session().client("kinesis-video-archived-media", endpoint_url=endpoint)

    def start(self, minutes=60, **settings):
        """Start a session; without `minutes` it outlasts every test on a slow machine."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        request = {"camera": "front-door", "minutes": minutes, "settings": QUICK | settings}
        return self.execute(request, name)

    def execute(self, request, name=None):
        return self.client("stepfunctions").start_execution(
            stateMachineArn=self.stack.machine_arn,
            name=name or f"test-{uuid.uuid4().hex[:12]}",
            input=json.dumps(request),
        )["executionArn"]

    def stop(self):
        return request_stop(self.table, self.client("stepfunctions"), "front-door")

    def state(self, execution):
        return self.client("stepfunctions").describe_execution(executionArn=execution)

    def ended(self, execution, seconds=120):
        until = time.monotonic() + seconds
        while (found := self.state(execution))["status"] == "RUNNING":
            assert time.monotonic() < until, "the session does not end"
            time.sleep(0.1)
        return found

    def row(self, execution):
        key = {"pk": f"session#{execution.rpartition(':')[2]}", "sk": "session"}
        return self.table.get_item(Key=key, ConsistentRead=True).get("Item")

    def is_watching(self, execution):
        return "runningAt" in (self.row(execution) or {})

    def processors(self):
        found = self.client("rekognition").list_stream_processors()["StreamProcessors"]
        names = [processor["Name"] for processor in found]
        return [name for name in names if name.startswith(f"{self.stack.name}-front-door-")]

    def is_free(self):
        latest = latest_session(self.table, "front-door")
        return latest is None or not latest.held

    def forget_messages(self):
        """Begin as if the camera had been well for twelve hours: it may have three messages."""
        self.table.delete_item(Key=camera_health_key("front-door"))

    def messages(self):
        return taken(self.client("sqs"), self.inbox)

    def has_report(self, execution):
        key = f"sessions/{execution.rpartition(':')[2]}.json"
        listed = self.client("s3").list_objects_v2(Bucket=self.stack.bucket, Prefix=key)
        return bool(listed["KeyCount"])

    def report(self, execution):
        key = f"sessions/{execution.rpartition(':')[2]}.json"
        body = self.client("s3").get_object(Bucket=self.stack.bucket, Key=key)["Body"].read()
        return json.loads(body)

    def is_dark(self):
        """Whether the camera has been off for a while: no fragment in ten seconds."""
        now = datetime.now(UTC)
        recent = {"StartTimestamp": now - timedelta(seconds=10), "EndTimestamp": now}
        return not self.archive.list_fragments(
            StreamName=f"{self.stack.name}-front-door",
            FragmentSelector={
                "FragmentSelectorType": "SERVER_TIMESTAMP",
                "TimestampRange": recent,
            },
        )["Fragments"]

    def nothing_is_left(self):
        return not self.processors() and self.is_free()


@contextmanager
def subscribed(laptop: Any, stack: Any) -> Iterator[DeployedProduct]:
    """The stack with an inbox of its own on its topic, until the end of the block."""
    with inbox_of(laptop, stack.topic_arn) as inbox:
        product = DeployedProduct(laptop, stack, inbox)
        product.forget_messages()
        yield product


@contextmanager
def inbox_of(laptop: Any, topic_arn: str) -> Iterator[str]:
    """The URL of a queue that gets what a topic is sent, until the end of the block."""
    sqs, sns = laptop.client("sqs"), laptop.client("sns")
    inbox = sqs.create_queue(QueueName=f"inbox-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=inbox, AttributeNames=["QueueArn"])["Attributes"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn["QueueArn"],
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=inbox, Attributes={"Policy": policy})
    subscription = sns.subscribe(
        TopicArn=topic_arn,
        Protocol="sqs",
        Endpoint=arn["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    try:
        yield inbox
    finally:
        sns.unsubscribe(SubscriptionArn=subscription)
        sqs.delete_queue(QueueUrl=inbox)


def taken(sqs: Any, inbox: str) -> list[Any]:
    """What lies in an inbox, which is empty afterwards."""
    found = []
    while batch := sqs.receive_message(QueueUrl=inbox, MaxNumberOfMessages=10).get("Messages"):
        for message in batch:
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=inbox, ReceiptHandle=message["ReceiptHandle"])
    return found
