"""What AWS refuses in a new account, of a new stream and in a new bucket, by settings."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from local.laptop import LaptopAWS
from local.tests.support.laptop.parts import make_function, make_machine, make_role, unique
from local.tests.support.laptop.parts import run as run_machine

CREATING_SECONDS = SILENT_SECONDS = 3
NAME = {"Name": "door"}
CODE = "def handler(event, context):\n    return event"
READ = ("DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards")
WHERE = "us-east-1:000000000000"
CREATE = {
    **NAME,
    "Input": {"KinesisVideoStream": {"Arn": f"arn:aws:kinesisvideo:{WHERE}:stream/a/1"}},
    "Output": {"KinesisDataStream": {"Arn": f"arn:aws:kinesis:{WHERE}:stream/a"}},
    "RoleArn": "arn:aws:iam::000000000000:role/none",
    "Settings": {"FaceSearch": {"CollectionId": "people"}},
}


@pytest.fixture(scope="module")
def new_account(tmp_path_factory, no_account):
    """A laptop AWS as strict as a new account: closed processors, slow streams and buckets."""
    settings = {
        "REKOGNITION_PROCESSORS_CLOSED": "1",
        "KINESIS_CREATING_SECONDS": str(CREATING_SECONDS),
        "S3_EVENTBRIDGE_SECONDS": str(SILENT_SECONDS),
    }
    with LaptopAWS(tmp_path_factory.mktemp("new"), settings=settings) as running:
        yield running


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("create", CREATE),
        ("describe", NAME),
        ("start", NAME),
        ("stop", NAME),
        ("delete", NAME),
        ("update", NAME),
        ("list", {}),
    ],
)
def test_where_processors_are_closed_each_operation_is_denied_without_a_word(
    new_account, operation, asked
):
    plural = "s" if operation == "list" else ""
    call = getattr(new_account.client("rekognition"), f"{operation}_stream_processor{plural}")
    with pytest.raises(ClientError) as refused:
        call(**asked)
    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("AccessDeniedException", "")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_what_is_no_processor_stays_open(new_account):
    new_account.client("rekognition").list_collections()


def test_a_machine_meets_the_same_denial_by_name(new_account, wait_until):
    action = {"Effect": "Allow", "Action": "rekognition:*", "Resource": "*"}
    role = make_role(new_account, "states.amazonaws.com", action)
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:rekognition:listStreamProcessors",
        "End": True,
    }
    ended = run_machine(new_account, wait_until, make_machine(new_account, role, {"List": state}))
    assert ended["error"] == "Rekognition.AccessDeniedException"
    assert "is not authorized to perform" not in ended.get("cause", "")


def reading_function(laptop):
    allowed = [f"kinesis:{action}" for action in READ]
    return make_function(laptop, CODE, {"Effect": "Allow", "Action": allowed, "Resource": "*"})


@pytest.fixture
def function(new_account):
    return reading_function(new_account)


def stream_arn(name):
    return f"arn:aws:kinesis:{WHERE}:stream/{name}"


def test_a_mapping_of_a_stream_that_is_not_active_yet_is_refused(new_account, function, wait_until):
    kinesis, client, name = new_account.client("kinesis"), new_account.client("lambda"), unique("s")
    arn = stream_arn(name)
    asked = {"EventSourceArn": arn, "FunctionName": function, "StartingPosition": "LATEST"}

    def refusal():
        try:
            client.create_event_source_mapping(**asked)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidParameterValueException"
            return error.response["Error"]["Message"]
        return ""

    assert refusal() == f"Stream not found: {arn}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    described = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    assert described["StreamStatus"] == "CREATING"
    assert refusal() == f"Stream {arn} does not appear to be active."
    wait_until(lambda: not refusal(), CREATING_SECONDS + 30)


def failure_of_stack(laptop, function, **more):
    """Why a stack of a stream and its mapping, by name, failed; "" if it did not."""
    name, stack = unique("records"), unique("stack")
    mapping = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "FunctionName": function,
            "EventSourceArn": stream_arn(name),
            "StartingPosition": "TRIM_HORIZON",
        },
        **more,
    }
    records = {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": name, "ShardCount": 1}}
    client = laptop.client("cloudformation")
    body = json.dumps({"Resources": {"Records": records, "Mapping": mapping}})
    client.create_stack(StackName=stack, TemplateBody=body)
    until = time.monotonic() + 60
    status = "IN_PROGRESS"
    while status.endswith("IN_PROGRESS"):
        assert time.monotonic() < until
        time.sleep(0.1)
        status = client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    events = client.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [one for one in events if one["ResourceStatus"] == "CREATE_FAILED"]
    return failed[-1]["ResourceStatusReason"] if failed else ""


@pytest.mark.parametrize("account", ["new_account", "laptop"], ids=["new", "by default"])
def test_a_template_has_to_wait_for_the_stream_of_its_mapping(request, account):
    laptop = request.getfixturevalue(account)
    function = reading_function(laptop)
    reason = failure_of_stack(laptop, function)
    assert "not found" in reason or "does not appear to be active" in reason
    assert failure_of_stack(laptop, function, DependsOn="Records") == ""


def test_a_new_bucket_sends_no_event_for_some_minutes(new_account, wait_until):
    s3, events, sqs = (new_account.client(name) for name in ("s3", "events", "sqs"))
    bucket = unique("bucket")
    url = sqs.create_queue(QueueName=bucket)["QueueUrl"]
    queue = f"arn:aws:sqs:{WHERE}:{bucket}"
    principal = {"Service": "events.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [statement | {"Resource": queue}]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}
    events.put_rule(Name=bucket, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=bucket, Targets=[{"Id": "1", "Arn": queue}])
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    s3.put_object(Bucket=bucket, Key="early", Body=b"x")

    def keys():
        s3.put_object(Bucket=bucket, Key="late", Body=b"x")
        answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10)
        return [
            json.loads(one["Body"])["detail"]["object"]["key"] for one in answer.get("Messages", [])
        ]

    time.sleep(SILENT_SECONDS)
    assert "early" not in wait_until(keys, 60)
