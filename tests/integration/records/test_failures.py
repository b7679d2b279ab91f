"""Nothing is lost on the way from the data stream to the owner, on the deployed stack."""

import base64
import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from cli.aws.replay_failures import replay_failures, resend_dead_letters
from local.tests.support.laptop.parts import unique
from tests.support.records.alert_harness import RIGHT, face, match
from tests.support.records.data_stream import STREAM, a_session, enrolled, frame, poison, put, visit
from tests.support.stack.outages import function, logged, refused
from whosthere.clock import now_ms
from whosthere.strangers.pictures import STORED_WITHIN_MS
from whosthere.visits.queries import visits_of

PATIENCE = 90


@pytest.fixture
def session(product):
    with a_session(product.table) as session:
        yield session


class Inbox:
    """What the owner got, as it comes."""

    def __init__(self, product, wait_until):
        self.product, self.wait_until, self.got = product, wait_until, []

    def has(self, person):
        self.got += self.product.messages()
        return self.of(person)

    def of(self, person):
        return [alert for alert in self.got if alert.get("visit", "").startswith(person)]

    def settled(self, person):
        """The alerts of a person, when all that was put until now has been read."""
        last, moment_ms = enrolled(self.product.table, "Last"), now_ms()
        put(self.product.laptop, *visit(last, moment_ms, moment_ms + 200))
        self.wait_until(lambda: self.has(last), PATIENCE)
        return self.of(person)

    def counts(self, people):
        """How many alerts each of them has, when all that was put until now has been read."""
        self.settled(people[0])
        return [len(self.of(person)) for person in people]


@pytest.fixture
def inbox(product, wait_until):
    return Inbox(product, wait_until)


def kept(product, prefix):
    found = product.client("s3").list_objects_v2(Bucket=product.stack.bucket, Prefix=prefix)
    return [item["Key"] for item in found.get("Contents", ())]


def body(product, key):
    answer = product.client("s3").get_object(Bucket=product.stack.bucket, Key=key)
    return json.loads(answer["Body"].read())


def read_by(product, word):
    """How many records a function says in its logs that it has read."""
    return sum(one["records"] for one in logged(product, word, "records read"))


def test_poison_is_kept_whole_with_the_reason_and_hides_nobody(product, session, inbox, wait_until):
    alice, moment_ms = enrolled(product.table, "Alice"), now_ms()
    first, second = visit(alice, moment_ms, moment_ms + 400)
    broken = poison(moment_ms + 200)
    _, number, none, _ = put(product.laptop, first, broken, b"\xffno JSON", second)
    wait_until(lambda: inbox.has(alice), PATIENCE)
    key = f"failures/records/{number}.json"
    wait_until(lambda: key in kept(product, "failures/"), PATIENCE)
    found = body(product, key)
    assert "Similarity" in found["reason"]
    assert json.loads(base64.b64decode(found["given"]["kinesis"]["data"])) == broken
    # What is no JSON is dropped by the mapping's filter, before any function.
    assert f"failures/records/{none}.json" not in kept(product, "failures/")
    assert len(inbox.settled(alice)) == 1


def filtered_out(product):
    """How many records the deployed mapping of alert_person says it has filtered out."""
    found = product.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="FilteredOutEventCount",
        Dimensions=[{"Name": "EventSourceMappingUUID", "Value": deployed_mapping(product)["UUID"]}],
        StartTime=datetime.now(UTC) - timedelta(hours=1),
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in found["Datapoints"])


def deployed_mapping(product, word="AlertPerson"):
    name = function(product, word)["FunctionName"]
    found = product.client("lambda").list_event_source_mappings(FunctionName=name)
    return next(
        one for one in found["EventSourceMappings"] if one["EventSourceArn"].endswith(STREAM)
    )


@contextmanager
def gives_up_soon(product):
    """A second mapping of alert_person, like the deployed one but for its patience."""
    lambdas = product.client("lambda")
    deployed = deployed_mapping(product)
    name = deployed["FunctionArn"]
    assert (deployed["MaximumRetryAttempts"], deployed["MaximumRecordAgeInSeconds"]) == (-1, 3600)
    same = ("EventSourceArn", "FilterCriteria", "FunctionResponseTypes", "DestinationConfig")
    uuid = lambdas.create_event_source_mapping(
        FunctionName=name,
        StartingPosition="AT_TIMESTAMP",
        StartingPositionTimestamp=datetime.now(UTC),
        MaximumRetryAttempts=1,
        BisectBatchOnFunctionError=deployed["BisectBatchOnFunctionError"],
        **{field: deployed[field] for field in same},
    )["UUID"]
    try:
        yield uuid
    finally:
        lambdas.delete_event_source_mapping(UUID=uuid)


def test_what_keeps_failing_is_given_up_whole_and_comes_back_once(
    product, session, inbox, wait_until
):
    """The deployed mapping goes on trying for an hour, one beside it gives up after a retry."""
    key = {"pk": f"session#{session.id}", "sk": "session"}
    whole = product.table.get_item(Key=key)["Item"]
    alice = enrolled(product.table, "Alice")
    with gives_up_soon(product) as uuid:
        product.table.update_item(Key=key, UpdateExpression="REMOVE settings")
        moment_ms = now_ms()
        numbers = put(product.laptop, *visit(alice, moment_ms, moment_ms + 400))
        place = f"aws/lambda/{uuid}/"

        def given_up():
            events = [body(product, name)["payload"]["Records"] for name in kept(product, place)]
            return {record["kinesis"]["sequenceNumber"] for event in events for record in event}

        wait_until(lambda: given_up() == set(numbers), PATIENCE)
    assert not inbox.has(alice)
    product.table.put_item(Item=whole)
    wait_until(lambda: inbox.has(alice), PATIENCE)  # the deployed one had not given up
    clients = (product.client(name) for name in ("s3", "kinesis", "sqs"))
    done = replay_failures(*clients, product.stack.bucket)
    (stream,) = done.records
    assert stream.endswith(STREAM) and done.records[stream] >= 2
    assert kept(product, place) == []
    assert len(inbox.settled(alice)) == 1


def url_of(product, queue):
    return product.client("sqs").get_queue_url(QueueName=f"{product.stack.name}-{queue}")[
        "QueueUrl"
    ]


def test_a_message_that_is_no_event_is_kept_at_once_with_the_reason(product, wait_until):
    sqs = product.client("sqs")
    id = sqs.send_message(QueueUrl=url_of(product, "objects"), MessageBody="{")["MessageId"]
    key = f"failures/events/{id}.json"
    wait_until(lambda: key in kept(product, key), PATIENCE)
    assert body(product, key)["reason"] == "the message is no event of S3"
    assert body(product, key)["given"]["body"] == "{"
    product.client("s3").delete_object(Bucket=product.stack.bucket, Key=key)


@contextmanager
def killed(product, word, queue):
    """No worker of a function survives its start; its queue gives up after the second."""
    lambdas, sqs, url = product.client("lambda"), product.client("sqs"), url_of(product, queue)
    name = function(product, word)["FunctionName"]
    whole = lambdas.get_function_configuration(FunctionName=name)["Environment"]
    asked = {"QueueUrl": url, "AttributeNames": ["RedrivePolicy", "VisibilityTimeout"]}
    before = sqs.get_queue_attributes(**asked)["Attributes"]
    redrive = json.loads(before["RedrivePolicy"])
    soon = {"RedrivePolicy": json.dumps(redrive | {"maxReceiveCount": 2}), "VisibilityTimeout": "2"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=soon)
    lacking = {key: value for key, value in whole["Variables"].items() if key != "PERSON_SALT"}
    lambdas.update_function_configuration(FunctionName=name, Environment={"Variables": lacking})
    try:
        yield
    finally:
        lambdas.update_function_configuration(FunctionName=name, Environment=whole)
        sqs.set_queue_attributes(QueueUrl=url, Attributes=before)


def test_what_killed_its_workers_waits_in_the_dead_letter_queue_and_comes_back(product, wait_until):
    s3, sqs, dead = product.client("s3"), product.client("sqs"), url_of(product, "dead-letters")
    key = f"people/{unique('Somebody')}/1.jpg"

    def lie_there():
        asked = {"QueueUrl": dead, "AttributeNames": ["ApproximateNumberOfMessages"]}
        return int(sqs.get_queue_attributes(**asked)["Attributes"]["ApproximateNumberOfMessages"])

    with killed(product, "ReconcileObject", "objects"):
        s3.put_object(Bucket=product.stack.bucket, Key=key, Body=b"no photo")
        wait_until(lie_there, PATIENCE)
    before = len(logged(product, "ReconcileObject", "object reconciled"))
    done = resend_dead_letters(sqs, dead)
    assert [arn.rpartition("-")[2] for arn in done.events] == ["objects"]
    wait_until(
        lambda: len(logged(product, "ReconcileObject", "object reconciled")) > before, PATIENCE
    )
    assert (lie_there(), done.unreadable) == (0, [])
    s3.delete_object(Bucket=product.stack.bucket, Key=key)


@contextmanager
def two_shards(product, wait_until):
    """A data stream with two shards, read as the deployed one is; its name."""
    kinesis, lambdas = product.client("kinesis"), product.client("lambda")
    stream = f"{STREAM}-{unique('two')}"
    kinesis.create_stream(StreamName=stream, ShardCount=2)
    wait_until(lambda: status(kinesis, stream)["StreamStatus"] == "ACTIVE", PATIENCE)
    same = ("FunctionResponseTypes", "FilterCriteria", "BisectBatchOnFunctionError")
    mappings = []
    for word in ("AlertPerson", "QueueStr"):
        deployed = deployed_mapping(product, word)
        made = lambdas.create_event_source_mapping(
            FunctionName=deployed["FunctionArn"],
            EventSourceArn=status(kinesis, stream)["StreamARN"],
            StartingPosition="TRIM_HORIZON",
            **{field: deployed[field] for field in same},
        )
        mappings.append(made["UUID"])
    try:
        yield stream
    finally:
        for uuid in mappings:
            lambdas.delete_event_source_mapping(UUID=uuid)
        kinesis.delete_stream(StreamName=stream, EnforceConsumerDeletion=True)


def status(kinesis, stream):
    return kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]


@pytest.fixture
def earlier(product):
    """A session that began a minute ago."""
    with a_session(product.table, ago_ms=60_000) as session:
        yield session


def test_visits_that_lie_in_two_shards_are_told_once_each(product, earlier, inbox, wait_until):
    """Two workers of each function share the frames of four persons and of one stranger."""
    people = [enrolled(product.table, "Somebody") for _ in range(4)]
    # Nobody waits for a picture of a stranger whom no video shows.
    begin_ms = now_ms() - STORED_WITHIN_MS - 10_000

    def of_strangers():
        inbox.has("-")
        return [one for one in inbox.got if one["kind"] == "stranger"]

    with two_shards(product, wait_until) as stream:
        for turn, person in enumerate(people):
            moments = [begin_ms + 2000 * turn + 100 * step for step in range(10)]
            beside = [] if turn else [face(box=RIGHT)]
            frames = [frame(at, face(match(person)), *beside) for at in moments]
            put(product.laptop, *frames, stream=stream, halves=(0, 1))
        for person in people:
            wait_until(lambda who=person: inbox.has(who), PATIENCE)
        wait_until(of_strangers, PATIENCE)

        def sightings():
            found = visits_of(product.table, earlier.id, earlier.camera)
            return {visit.who: visit.sightings for visit in found if visit.who in people}

        wait_until(lambda: sightings() == dict.fromkeys(people, 10), PATIENCE)
        both = shards_of(product, stream)
        assert len(both) == 2 and all(count == 20 for count in both.values())
    assert inbox.counts(people) == [1] * 4
    assert len(of_strangers()) == 1


def shards_of(product, stream):
    """How many records lie in each shard."""
    kinesis = product.client("kinesis")
    counts = {}
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        counts[shard["ShardId"]] = len(kinesis.get_records(ShardIterator=iterator)["Records"])
    return counts


@pytest.mark.long  # forty frames by two functions; two shards are tried above
def test_two_functions_at_work_on_the_same_visits_tell_each_once(
    product, session, inbox, wait_until
):
    people = [enrolled(product.table, "Somebody") for _ in range(4)]
    with gives_up_soon(product):
        for person in people:
            moment_ms = now_ms()
            put(product.laptop, *visit(person, *(moment_ms + 100 * step for step in range(10))))
        for person in people:
            wait_until(lambda who=person: inbox.has(who), PATIENCE)
        assert inbox.counts(people) == [1] * 4
    assert inbox.counts(people) == [1] * 4


@pytest.mark.parametrize(
    "action",
    [
        "sns:Publish",
        # tests/unit/functions/visits/test_outages.py has all three of them every time.
        # One service of three is enough each time: each takes a retry's wait.
        pytest.param("dynamodb:*", marks=pytest.mark.long),
        pytest.param("s3:PutObject", marks=pytest.mark.long),
    ],
)
def test_a_service_that_refuses_for_a_while_loses_and_doubles_nothing(
    product, session, inbox, wait_until, action
):
    alice = enrolled(product.table, "Alice")
    name = function(product, "AlertPerson")["FunctionName"]

    def is_failing():
        lambdas = product.client("lambda")
        found = lambdas.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        return any("failed" in one["LastProcessingResult"] for one in found)

    with refused(product, action, "AlertPerson", "QueueStranger"):
        moment_ms = now_ms()
        first, second = visit(alice, moment_ms, moment_ms + 400)
        _, number, _ = put(product.laptop, first, poison(moment_ms + 200), second)
        wait_until(is_failing, PATIENCE)
        got = inbox.has(alice)
    wait_until(lambda: inbox.has(alice), PATIENCE)
    assert bool(got) == (action == "s3:PutObject")  # which persons do not need
    wait_until(lambda: f"failures/records/{number}.json" in kept(product, "failures/"), PATIENCE)
    assert len(inbox.settled(alice)) == 1


def test_frames_without_a_face_and_what_is_no_json_invoke_nothing(product, session, inbox):
    alice, moment_ms = enrolled(product.table, "Alice"), now_ms()
    inbox.settled(alice)
    before, filtered_before = quiet(lambda: read_by(product, "AlertPerson")), filtered_out(product)
    empty = [frame(moment_ms + number) for number in range(60)]
    put(
        product.laptop,
        *empty[:30],
        b"\x00",
        b"{",
        *visit(alice, moment_ms, moment_ms + 1),
        *empty[30:],
    )
    assert len(inbox.settled(alice)) == 1
    read = quiet(lambda: read_by(product, "AlertPerson"))
    assert read - before == 2 + 2  # two of Alice, two of the last one
    assert filtered_out(product) - filtered_before == 60 + 2


def quiet(count):
    """A count when it has not changed for a second: a line of a log comes after its work."""
    found, since = count(), time.monotonic()
    while time.monotonic() - since < 1:
        time.sleep(0.1)
        if (now := count()) != found:
            found, since = now, time.monotonic()
    return found
