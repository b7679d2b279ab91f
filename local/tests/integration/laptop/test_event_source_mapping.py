"""Event source mappings on the laptop AWS: real streams, functions, roles and destinations."""

import base64
import io
import json
import re
import statistics
import time
import zipfile
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from local.laptop import LaptopAWS

FUNCTION = """
import base64, json, os, time
import boto3

queue = boto3.client("sqs")


def handler(event, context):
    at = time.time()
    records = event["Records"]
    texts = [base64.b64decode(record["kinesis"]["data"]).decode() for record in records]
    body = json.dumps({"at": at, "texts": texts, "records": records})
    queue.send_message(QueueUrl=os.environ["SEEN"], MessageBody=body)
    if any(text.startswith("crash") for text in texts):
        raise ValueError("a record I cannot read")
    failed = [
        {"itemIdentifier": record["kinesis"]["sequenceNumber"]}
        for record, text in zip(records, texts)
        if text.startswith("bad")
    ]
    return {"batchItemFailures": failed}
"""

SOME_FACE = {"data": {"FaceSearchResponse": {"DetectedFace": {"Confidence": [{"exists": True}]}}}}
READ = [
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def until(look, seconds=60.0):
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    with LaptopAWS(tmp_path_factory.mktemp("laptop")) as laptop:
        yield SimpleNamespace(client=cache(laptop.client))


@dataclass
class Pipe:
    """A stream of its own to a function that tells what it gets, and mappings between them."""

    aws: SimpleNamespace
    name: str
    seen: str
    mappings: list

    @property
    def stream_arn(self):
        return f"arn:aws:kinesis:us-east-1:000000000000:stream/{self.name}"

    def map(self, **settings):
        uuid = self.aws.client("lambda").create_event_source_mapping(
            FunctionName="tell",
            EventSourceArn=self.stream_arn,
            **{"StartingPosition": "TRIM_HORIZON", **settings},
        )["UUID"]
        self.mappings.append(uuid)
        return uuid

    def update(self, uuid, **settings):
        self.aws.client("lambda").update_event_source_mapping(UUID=uuid, **settings)

    def delete_mappings(self):
        while self.mappings:
            uuid = self.mappings.pop()
            self.aws.client("lambda").delete_event_source_mapping(UUID=uuid)

    def put(self, *data, key="camera"):
        texts = (x if isinstance(x, str) else json.dumps(x) for x in data)
        records = [{"Data": text.encode(), "PartitionKey": key} for text in texts]
        kinesis = self.aws.client("kinesis")
        return kinesis.put_records(StreamName=self.name, Records=records)["Records"]

    def received(self, number):
        """What the function got, once it got so many records."""
        found = receive(
            self.aws, self.seen, lambda found: sum(len(x["texts"]) for x in found) >= number
        )
        assert {x["records"][0]["eventSourceARN"] for x in found} == {self.stream_arn}
        return found

    def texts(self, number):
        return [text for message in self.received(number) for text in message["texts"]]

    def mapping(self, uuid):
        return self.aws.client("lambda").get_event_source_mapping(UUID=uuid)

    def shows(self, uuid, result):
        def look():
            shown = self.mapping(uuid)["LastProcessingResult"]
            return shown if result in shown else None

        return until(look)


def receive(aws, queue, enough, seconds=60.0):
    sqs = aws.client("sqs")
    deadline = time.monotonic() + seconds
    found = []
    while not enough(found):
        assert time.monotonic() < deadline, f"only {found} came"
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found


def queue_arn(url):
    return "arn:aws:sqs:us-east-1:000000000000:" + url.rsplit("/", 1)[-1]


@pytest.fixture(scope="module")
def seen(aws):
    """The queue in which the function `tell` tells what it gets."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("function.py", FUNCTION)
    seen = aws.client("sqs").create_queue(QueueName="seen")["QueueUrl"]
    role = aws.client("iam").create_role(
        RoleName="tell", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    grant(aws, "tell", ["sqs:SendMessage"], queue_arn(seen))
    aws.client("lambda").create_function(
        FunctionName="tell",
        Runtime="python3.13",
        Role=role["Role"]["Arn"],
        Handler="function.handler",
        Code={"ZipFile": packed.getvalue()},
        Timeout=30,
        Environment={"Variables": {"SEEN": seen}},
    )
    return seen


@pytest.fixture
def pipe(aws, seen, request):
    name = f"pipe-{abs(hash(request.node.name))}"
    aws.client("kinesis").create_stream(StreamName=name, ShardCount=1)
    pipe = Pipe(aws, name, seen, [])
    grant(aws, "read", READ, pipe.stream_arn)
    yield pipe
    pipe.delete_mappings()
    aws.client("kinesis").delete_stream(StreamName=name)


def grant(aws, policy, actions, resource):
    """Let the function's role do this; a policy of the same name is replaced."""
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    aws.client("iam").put_role_policy(
        RoleName="tell", PolicyName=policy, PolicyDocument=json.dumps(document)
    )


def test_a_record_reaches_the_function_within_two_hundred_milliseconds(pipe):
    uuid = pipe.map(StartingPosition="LATEST", BatchSize=1)
    waited = []
    for number in range(6):
        pipe.put(f"hello {number}")
        [message] = pipe.received(1)
        [record] = message["records"]
        waited.append(message["at"] - record["kinesis"]["approximateArrivalTimestamp"])
    assert statistics.median(waited[1:]) < 0.2
    assert record["eventID"] == f"shardId-000000000000:{record['kinesis']['sequenceNumber']}"
    assert record["invokeIdentityArn"] == "arn:aws:iam::000000000000:role/tell"
    assert record["eventSourceARN"] == pipe.stream_arn
    assert base64.b64decode(record["kinesis"]["data"]) == b"hello 5"
    pipe.shows(uuid, "OK")


def test_a_mapping_shows_awss_defaults(pipe):
    uuid = pipe.map(Enabled=False)
    mapping = pipe.mapping(uuid)
    expected = {
        "BatchSize": 100,
        "BisectBatchOnFunctionError": False,
        "DestinationConfig": {"OnFailure": {}},
        "MaximumBatchingWindowInSeconds": 0,
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "ParallelizationFactor": 1,
        "LastProcessingResult": "No records processed",
        "State": "Disabled",
    }
    assert {name: mapping[name] for name in expected} == expected


def test_only_frames_with_a_face_reach_the_function(pipe):
    def frame(*faces):
        return {
            "InputInformation": {"KinesisVideo": {"FragmentNumber": "913"}},
            "StreamProcessorInformation": {"Status": "RUNNING"},
            "FaceSearchResponse": list(faces),
        }

    face = {"DetectedFace": {"Confidence": 99.9}, "MatchedFaces": []}
    pipe.map(
        StartingPosition="LATEST",
        FilterCriteria={"Filters": [{"Pattern": json.dumps(SOME_FACE)}]},
    )
    pipe.put(frame(), frame(face), "no json", frame(), frame(face, face), frame())
    found = [json.loads(text) for text in pipe.texts(2)]
    assert found == [frame(face), frame(face, face)]


def test_a_setting_that_lambda_refuses_is_refused(pipe):
    with pytest.raises(ClientError, match="ParallelizationFactor must be from 1 to 10"):
        pipe.map(ParallelizationFactor=11)
    uuid = pipe.map()
    with pytest.raises(ClientError, match="BatchSize must be from 1 to 10000"):
        pipe.update(uuid, BatchSize=10_000_000)


def test_a_mapping_is_disabled_changed_enabled_and_deleted_while_it_runs(pipe):
    uuid = pipe.map(StartingPosition="LATEST")
    pipe.put("one")
    assert pipe.texts(1) == ["one"]
    pipe.update(uuid, Enabled=False)
    pipe.put("two", "three")
    pipe.update(uuid, Enabled=True, BatchSize=1)
    assert [message["texts"] for message in pipe.received(2)] == [["two"], ["three"]]
    pipe.delete_mappings()
    pipe.put("four")
    pipe.map(StartingPosition="LATEST")
    pipe.put("five")
    assert pipe.texts(1) == ["five"]


def test_a_reported_record_ends_in_the_bucket_with_its_data(aws, pipe):
    bucket, s3 = "failures-1", aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    grant(aws, "put-1", ["s3:PutObject"], f"arn:aws:s3:::{bucket}/aws/lambda/*")
    grant(aws, "list-1", ["s3:ListBucket"], f"arn:aws:s3:::{bucket}")
    records = pipe.put("one", "bad two", "three")
    uuid = pipe.map(
        FunctionResponseTypes=["ReportBatchItemFailures"],
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}},
    )
    batches = [message["texts"] for message in pipe.received(8)]
    assert batches == [
        ["one", "bad two", "three"],
        ["bad two", "three"],
        ["bad two"],
        ["bad two"],
        ["three"],
    ]
    [item] = until(lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"))
    assert re.fullmatch(
        rf"aws/lambda/{uuid}/shardId-000000000000/\d{{4}}/\d\d/\d\d/"
        r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}",
        item["Key"],
    )
    body = json.loads(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
    assert body["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert body["requestContext"]["approximateInvokeCount"] == 2
    [lost] = body["payload"]["Records"]
    assert base64.b64decode(lost["kinesis"]["data"]) == b"bad two"
    assert body["KinesisBatchInfo"]["startSequenceNumber"] == records[1]["SequenceNumber"]
    pipe.shows(uuid, "OK")


def test_a_crash_is_bisected_and_the_poison_is_told_to_a_queue(aws, pipe):
    failures = aws.client("sqs").create_queue(QueueName="failures-2")["QueueUrl"]
    grant(aws, "send-2", ["sqs:SendMessage"], queue_arn(failures))
    records = pipe.put("one", "two", "crash", "four")
    pipe.map(
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": queue_arn(failures)}},
    )
    [told] = receive(aws, failures, lambda found: found)
    assert "payload" not in told
    assert told["responseContext"]["functionError"] == "Unhandled"
    assert told["KinesisBatchInfo"]["batchSize"] == 1
    assert told["KinesisBatchInfo"]["endSequenceNumber"] == records[2]["SequenceNumber"]
    batches = [message["texts"] for message in pipe.received(11)]
    fine = [text for texts in batches for text in texts if "crash" not in texts]
    assert fine == ["one", "two", "four"]


def test_a_topic_is_told_too(aws, pipe):
    sns = aws.client("sns")
    topic = sns.create_topic(Name="failures-3")["TopicArn"]
    inbox = aws.client("sqs").create_queue(QueueName="inbox-3")["QueueUrl"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue_arn(inbox),
            }
        ],
    }
    aws.client("sqs").set_queue_attributes(
        QueueUrl=inbox, Attributes={"Policy": json.dumps(policy)}
    )
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn(inbox))
    grant(aws, "publish-3", ["sns:Publish"], topic)
    pipe.put("crash")
    pipe.map(
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": topic}},
    )
    [notification] = receive(aws, inbox, lambda found: found)
    assert pipe.texts(1) == ["crash"]
    message = json.loads(notification["Message"])
    assert message["KinesisBatchInfo"]["streamArn"] == pipe.stream_arn


def test_a_destination_the_role_may_not_use_gets_nothing_and_the_shard_goes_on(aws, pipe):
    bucket = "failures-4"
    aws.client("s3").create_bucket(Bucket=bucket)
    grant(aws, "list-4", ["s3:ListBucket"], f"arn:aws:s3:::{bucket}")
    pipe.put("crash")
    uuid = pipe.map(
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}},
    )
    assert "s3:PutObject" in pipe.shows(uuid, "PROBLEM: Failure destination")
    assert "Contents" not in aws.client("s3").list_objects_v2(Bucket=bucket)
    pipe.put("fine")
    assert pipe.texts(2) == ["crash", "fine"]


def test_nothing_is_delivered_until_the_role_may_read_the_stream(aws, pipe):
    fewer = [action for action in READ if action != "kinesis:GetRecords"]
    grant(aws, "read", fewer, pipe.stream_arn)
    pipe.put("one")
    uuid = pipe.map()
    problem = pipe.shows(uuid, "PROBLEM: Cannot access stream")
    assert "perform the GetRecords Actions" in problem
    answer = aws.client("sqs").receive_message(QueueUrl=pipe.seen)
    assert "Messages" not in answer
    grant(aws, "read", READ, pipe.stream_arn)
    assert pipe.texts(1) == ["one"]
    pipe.shows(uuid, "OK")


def test_records_of_shards_that_were_split_or_replaced_come_first(aws, pipe):
    kinesis = aws.client("kinesis")
    uuid = pipe.map(StartingPosition="LATEST")
    pipe.put("warm")
    assert pipe.texts(1) == ["warm"]
    pipe.update(uuid, Enabled=False)
    pipe.put("before")
    kinesis.split_shard(
        StreamName=pipe.name,
        ShardToSplit="shardId-000000000000",
        NewStartingHashKey=str(2**127),
    )
    pipe.put("between")
    kinesis.update_shard_count(
        StreamName=pipe.name, TargetShardCount=3, ScalingType="UNIFORM_SCALING"
    )
    pipe.put("after")
    pipe.update(uuid, Enabled=True)
    assert pipe.texts(3) == ["before", "between", "after"]
    names = [x["ShardId"] for x in kinesis.list_shards(StreamName=pipe.name)["Shards"]]
    assert names == [f"shardId-{number:012d}" for number in (3, 4, 5)]


def test_a_mapping_of_a_template_works_and_follows_its_updates(aws, pipe):
    stacks = aws.client("cloudformation")

    def template(**properties):
        mapping = {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "FunctionName": "tell",
                "EventSourceArn": pipe.stream_arn,
                "StartingPosition": "AT_TIMESTAMP",
                "StartingPositionTimestamp": begun,
                **properties,
            },
        }
        outputs = {"Id": {"Value": {"Ref": "Mapping"}}}
        return json.dumps({"Resources": {"Mapping": mapping}, "Outputs": outputs})

    def filtered(pattern):
        return {"FilterCriteria": {"Filters": [{"Pattern": json.dumps(pattern)}]}}

    pipe.put({"x": 0})
    time.sleep(0.01)
    begun = time.time()
    pipe.put({"x": 1}, {"x": 2})
    stacks.create_stack(
        StackName="mapping", TemplateBody=template(**filtered({"data": {"x": [0, 2]}}))
    )
    assert [json.loads(text) for text in pipe.texts(1)] == [{"x": 2}]
    [stack] = stacks.describe_stacks(StackName="mapping")["Stacks"]
    uuid = stack["Outputs"][0]["OutputValue"]
    assert pipe.mapping(uuid)["BatchSize"] == 100
    stacks.update_stack(StackName="mapping", TemplateBody=template(BatchSize=7))
    until(lambda: "FilterCriteria" not in pipe.mapping(uuid))
    assert pipe.mapping(uuid)["BatchSize"] == 7
    pipe.put({"x": 3})
    assert [json.loads(text) for text in pipe.texts(1)] == [{"x": 3}]
    stacks.delete_stack(StackName="mapping")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        until(lambda: not pipe.mapping(uuid))
