"""An hour of records at the laptop AWS, beside the tutorial's way of publishing each face.

Both read the same 18,000 records from a stream in which they lie already, one after the
other in one run: ours with both deployed functions and their filter, the tutorial's with
one function of ten lines and no filter. Also measured is the one window that a standard
topic leaves: from its answer until the alert is marked as sent.
"""

import io
import json
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.alerts import hour
from bench.measure import measure
from cli.progress import Progress
from cli.setup.laptop_stack import Sam, Stack, bring_up, drop_aws_settings, table_of
from local.laptop import LaptopAWS
from whosthere import dynamodb, settings
from whosthere import session_store as sessions
from whosthere.clock import now_ms
from whosthere.session import lock as locks
from whosthere.session_store import Session

DOWNLOADS = drop_aws_settings()
OURS, TUTORIAL = "whosthere-front-door", "tutorial"
TOTAL = hour.RATE * hour.SECONDS
FACES = hour.RATE * hour.VISIT_SECONDS * len(hour.VISITS)
LIMITS = {
    "alerts": len(hour.VISITS),
    "share of the tutorial's time": 1 / 5,
    "records read without a face": 0,
}
FUNCTION = """
import base64, json, os
import boto3

sns = boto3.client("sns")


def handler(event, context):
    for record in event["Records"]:
        frame = json.loads(base64.b64decode(record["kinesis"]["data"]))
        for face in frame["FaceSearchResponse"]:
            for match in face["MatchedFaces"]:
                who = match["Face"]["ExternalImageId"]
                sns.publish(TopicArn=os.environ["TOPIC"], Message=f"{who} is at the door")
"""
TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}


def once() -> Mapping[str, float]:
    """One start of the laptop AWS and the hour twice."""
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder)
        sam = Sam("stream-processor", logs, DOWNLOADS, verbose=False)
        laptop = LaptopAWS(logs / "laptop")
        try:
            stack = bring_up(laptop, sam, Progress(to_stderr=True))
            return _figures(laptop, stack)
        finally:
            laptop.stop()


def _figures(laptop: LaptopAWS, stack: Stack) -> Mapping[str, float]:
    begun_ms = now_ms() - 1000 * hour.SECONDS
    _open(table_of(laptop, stack), begun_ms)
    topic = laptop.client("sns").create_topic(Name=TUTORIAL)["TopicArn"]
    told, published = _inbox(laptop, stack.topic_arn), _inbox(laptop, topic)
    mappings = [*_deployed(laptop), _tutorial(laptop, topic)]
    records = list(hour.records(begun_ms))
    _warm(laptop, stack, mappings, begun_ms)
    for stream in (OURS, TUTORIAL):
        _put(laptop, stream, records)
    ours = _seconds(laptop, mappings[:2], lambda: _has_read(laptop, stack, records))
    theirs = _seconds(laptop, mappings[2:], lambda: _number(laptop, published) >= FACES)
    alerts, window = _number(laptop, told), _window_ms(laptop, stack)
    read = _read_by_ours(laptop, stack)
    print(
        f"ours: {TOTAL / ours:.0f} records/s, {alerts} alerts of {TOTAL} records; "
        f"the tutorial's way: {TOTAL / theirs:.0f} records/s, {_number(laptop, published)} messages"
    )
    return {
        "alerts": alerts,
        "share of the tutorial's time": ours / theirs,
        "records read without a face": read - FACES - 1,  # the one to get warm with
        "tutorial's messages": _number(laptop, published),
        "ms of the window": window,
    }


def _open(table: Any, begun_ms: int) -> None:
    values = settings.defaults()
    session = Session(
        id="an-hour",
        camera="front-door",
        engine="stream-processor",
        execution="arn:none",
        started_ms=begun_ms - 1000,
        deadline_ms=begun_ms + 7_200_000,
        ended_ms=None,
        ended_by=None,
        held=True,
        settings=settings.from_values(values),
    )
    locks.open_session(table, session, values)


def _inbox(laptop: LaptopAWS, topic: str) -> str:
    sqs = laptop.client("sqs")
    url: str = sqs.create_queue(QueueName=f"inbox-{topic.rpartition(':')[2]}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn["QueueArn"],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _document(statement)})
    laptop.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    return url


def _deployed(laptop: LaptopAWS) -> list[str]:
    found = laptop.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    return [one["UUID"] for one in found if one["EventSourceArn"].endswith(OURS)]


def _tutorial(laptop: LaptopAWS, topic: str) -> str:
    """Deploy the tutorial's function with a stream of its own; return its mapping."""
    laptop.client("kinesis").create_stream(StreamName=TUTORIAL, ShardCount=1)
    iam, packed = laptop.client("iam"), io.BytesIO()
    role = iam.create_role(RoleName=TUTORIAL, AssumeRolePolicyDocument=_document(TRUST))["Role"]
    rights = {"Effect": "Allow", "Action": ["kinesis:*", "sns:Publish"], "Resource": "*"}
    iam.put_role_policy(RoleName=TUTORIAL, PolicyName="all", PolicyDocument=_document(rights))
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("function.py", FUNCTION)
    lambdas = laptop.client("lambda")
    lambdas.create_function(
        FunctionName=TUTORIAL,
        Runtime="python3.13",
        Role=role["Arn"],
        Handler="function.handler",
        Code={"ZipFile": packed.getvalue()},
        Timeout=60,
        MemorySize=512,
        Environment={"Variables": {"TOPIC": topic}},
    )
    mapping: str = lambdas.create_event_source_mapping(
        FunctionName=TUTORIAL,
        EventSourceArn=f"arn:aws:kinesis:us-east-1:000000000000:stream/{TUTORIAL}",
        StartingPosition="TRIM_HORIZON",
    )["UUID"]
    return mapping


def _document(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _enable(laptop: LaptopAWS, mapping: str, *, wanted: bool) -> None:
    lambdas, state = laptop.client("lambda"), "Enabled" if wanted else "Disabled"
    lambdas.update_event_source_mapping(UUID=mapping, Enabled=wanted)
    _until(lambda: lambdas.get_event_source_mapping(UUID=mapping)["State"] == state, 30)


def _put(laptop: LaptopAWS, stream: str, records: list[bytes]) -> None:
    kinesis = laptop.client("kinesis")
    for first in range(0, len(records), 500):
        batch = [{"Data": data, "PartitionKey": "door"} for data in records[first : first + 500]]
        assert kinesis.put_records(StreamName=stream, Records=batch)["FailedRecordCount"] == 0


def _warm(laptop: LaptopAWS, stack: Stack, mappings: list[str], begun_ms: int) -> None:
    """Have each function loaded, by a record that tells nobody; then none reads any more."""
    stranger = hour.record(begun_ms - 500, ["p-once"])
    stranger["FaceSearchResponse"][0]["MatchedFaces"] = []  # once, so nobody is told
    data = json.dumps(stranger).encode()
    for stream in (OURS, TUTORIAL):
        _put(laptop, stream, [data])
    names = [one["FunctionName"] for one in laptop.client("lambda").list_functions()["Functions"]]
    for name in names:
        if name == TUTORIAL or "AlertPerson" in name or "QueueStranger" in name:
            event = json.dumps({"Records": []})
            laptop.client("lambda").invoke(FunctionName=name, Payload=event)
    _until(lambda: _tracked(laptop, stack, begun_ms - 500) and _read_by_ours(laptop, stack) > 0, 60)
    for mapping in mappings:
        _enable(laptop, mapping, wanted=False)


def _seconds(laptop: LaptopAWS, mappings: list[str], done: Callable[[], bool]) -> float:
    begun = time.monotonic()
    for mapping in mappings:
        _enable(laptop, mapping, wanted=True)
    _until(done, 600)
    return time.monotonic() - begun


def _until(done: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.05)


def _has_read(laptop: LaptopAWS, stack: Stack, records: list[bytes]) -> bool:
    """Whether both functions have taken in the last record."""
    video = json.loads(records[-1])["InputInformation"]["KinesisVideo"]
    last_ms = round(1000 * video["ProducerTimestamp"])
    return _tracked(laptop, stack, last_ms) and _read_by_ours(laptop, stack) > FACES


def _tracked(laptop: LaptopAWS, stack: Stack, moment_ms: int) -> bool:
    key = {"pk": "camera#front-door", "sk": "tracks"}
    tracks = dynamodb.read(table_of(laptop, stack), key) or {}
    return moment_ms in tracks.get("frames", ())


def _read_by_ours(laptop: LaptopAWS, stack: Stack) -> int:
    row = dynamodb.read(table_of(laptop, stack), sessions.session_key("an-hour")) or {}
    return int(row["counts"].get("records", 0))


def _number(laptop: LaptopAWS, queue: str) -> int:
    name = "ApproximateNumberOfMessages"
    found = laptop.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=[name])
    return int(found["Attributes"][name])


def _window_ms(laptop: LaptopAWS, stack: Stack) -> float:
    """How long a mark takes to be written, which is how long the window is open."""
    table, taken = table_of(laptop, stack), []
    for _ in range(50):
        begun = time.perf_counter()
        table.update_item(
            Key={"pk": "window", "sk": "window"},
            UpdateExpression="SET alert = :sent ADD version :one",
            ExpressionAttributeValues={":sent": "sent", ":one": 1},
        )
        taken.append(1000 * (time.perf_counter() - begun))
    return statistics.median(taken)


if __name__ == "__main__":
    sys.exit(0 if measure(once, LIMITS) else 1)
