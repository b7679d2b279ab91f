"""The laptop AWS's tables: resources of actions, permissions and errors of tasks."""

import json
import re

import botocore.session
import pytest

from local.laptop import ROOT
from local.ministack import names
from local.patches.step_functions.tasks import publish_parameters, sdk_key
from local.security.iam import DecisionLog, access_denied, principal_name
from local.security.resource_types import TABLE, published, resource_of, text
from local.security.task_access import (
    OPTIMISED_DENIALS,
    SDK_DENIALS,
    Access,
    error_name,
    optimised_request,
)

PLACE = {"region": "us-east-1", "account": "000000000000"}
REKOGNITION = "arn:aws:rekognition:us-east-1:000000000000"
VIDEO = "arn:aws:kinesisvideo:us-east-1:000000000000:stream"


@pytest.mark.parametrize(
    ("action", "parameters", "expected"),
    [
        ("SearchFacesByImage", {"CollectionId": "c"}, f"{REKOGNITION}:collection/c"),
        ("StopStreamProcessor", {"Name": "p"}, f"{REKOGNITION}:streamprocessor/p"),
        (
            "CreateStreamProcessor",
            {"Name": "p", "Settings": {"FaceSearch": {"CollectionId": "c"}}},
            f"{REKOGNITION}:collection/c",
        ),
        ("TagResource", {"ResourceArn": "arn:x"}, "arn:x"),
        ("DetectFaces", {"Image": {}}, "*"),
        ("ListStreamProcessors", {}, "*"),
        ("CreateCollection", {"CollectionId": "c"}, "*"),
        ("UpdateStreamProcessor", {"Name": "p"}, f"{REKOGNITION}:streamprocessor/p"),
        # nothing that the operation does not read decides about it
        ("ListFaces", {"CollectionId": "c", "ResourceArn": "arn:x"}, f"{REKOGNITION}:collection/c"),
        ("CreateStreamProcessor", {"Name": "p", "Settings": "none"}, f"{REKOGNITION}:collection/"),
        ("NoSuchOperation", {}, "*"),
    ],
)
def test_a_rekognition_action_is_checked_on_what_it_names(action, parameters, expected):
    assert resource_of(f"rekognition:{action}", parameters, **PLACE) == expected


def test_a_stream_is_checked_by_the_arn_it_has():
    arns = {"front-door": f"{VIDEO}/front-door/17"}
    asked = {"StreamName": "front-door"}
    action = "kinesisvideo:DescribeStream"
    assert resource_of(action, asked, **PLACE, stream_arn=arns.get) == f"{VIDEO}/front-door/17"
    unknown = resource_of(action, {"StreamName": "x"}, **PLACE, stream_arn=arns.get)
    assert unknown == f"{VIDEO}/x/0"
    assert resource_of(action, {"StreamARN": "arn:y"}, **PLACE) == "arn:y"
    assert resource_of("kinesisvideo:ListStreams", {}, **PLACE) == "*"


def test_the_table_of_resource_types_is_the_published_one():
    """`python -m local.security.resource_types` writes it again."""
    assert TABLE.read_text() == text(published())


@pytest.mark.parametrize(
    ("resource", "arguments", "expected"),
    [
        (
            "arn:aws:states:::dynamodb:putItem",
            {"TableName": "t"},
            Access("dynamodb:PutItem", "arn:aws:dynamodb:us-east-1:000000000000:table/t"),
        ),
        (
            "arn:aws:states:::lambda:invoke.waitForTaskToken",
            {"FunctionName": "f"},
            Access("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:000000000000:function:f"),
        ),
        (
            "arn:aws:lambda:x:y:function:f",
            {},
            Access("lambda:InvokeFunction", "arn:aws:lambda:x:y:function:f"),
        ),
        ("arn:aws:states:::sns:publish", {"TopicArn": "arn:t"}, Access("sns:Publish", "arn:t")),
        (
            "arn:aws:states:::sqs:sendMessage",
            {"QueueUrl": "http://127.0.0.1:1/000000000000/q"},
            Access("sqs:SendMessage", "arn:aws:sqs:us-east-1:000000000000:q"),
        ),
        (
            "arn:aws:states:::states:startExecution.sync:2",
            {"StateMachineArn": "arn:m"},
            Access("states:StartExecution", "arn:m"),
        ),
        (
            "arn:aws:states:::events:putEvents",
            {"Entries": [{}]},
            Access("events:PutEvents", "arn:aws:events:us-east-1:000000000000:event-bus/default"),
        ),
        ("arn:aws:states:::aws-sdk:dynamodb:putItem", {"TableName": "t"}, None),
    ],
)
def test_an_optimised_integration_needs_its_services_permission(resource, arguments, expected):
    assert optimised_request(resource, arguments, **PLACE) == expected


@pytest.mark.parametrize("service", sorted(SDK_DENIALS))
def test_a_denial_is_named_by_an_exception_the_service_lists_or_by_its_base(service):
    name = error_name(f"arn:aws:states:::aws-sdk:{service}:anything")
    prefix, exception = name.split(".")
    clients = {"sfn": "stepfunctions", "eventbridge": "events"}
    model = botocore.session.Session().get_service_model(clients.get(service, service))
    listed = {shape.name for shape in model.error_shapes}
    assert prefix.lower() == service
    assert exception == f"{prefix}Exception" or exception in listed


def test_an_optimised_denial_has_the_first_sdks_name():
    assert error_name("arn:aws:states:::lambda:invoke") == "Lambda.AWSLambdaException"
    assert error_name("arn:aws:lambda:x:y:function:f") == "Lambda.AWSLambdaException"
    assert error_name("arn:aws:states:::dynamodb:getItem") == OPTIMISED_DENIALS["dynamodb"]


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ("StreamARN", "StreamARN"),
        ("DBClusterArn", "DbClusterArn"),
        ("ARN", "Arn"),
        ("streamInfo", "StreamInfo"),
        ("CollectionARN", "CollectionARN"),
        ("", ""),
    ],
)
def test_only_a_leading_acronym_is_folded(wire, expected):
    assert sdk_key(wire) == expected


def test_a_tasks_message_and_attributes_become_a_query():
    given = {
        "TopicArn": "arn:t",
        "Message": {"default": "x"},
        "MessageAttributes": {"kind": {"DataType": "String", "StringValue": "person"}},
    }
    assert publish_parameters(given) == {
        "TopicArn": "arn:t",
        "Message": json.dumps({"default": "x"}),
        "MessageAttributes.entry.1.Name": "kind",
        "MessageAttributes.entry.1.Value.DataType": "String",
        "MessageAttributes.entry.1.Value.StringValue": "person",
    }


def test_a_denial_speaks_as_aws_does():
    message = access_denied("arn:u", "s3:GetObject", "arn:b/k", explicit=False).message
    assert message == (
        "User: arn:u is not authorized to perform: s3:GetObject on resource: arn:b/k "
        "because no identity-based policy allows the s3:GetObject action"
    )
    explicit = access_denied("arn:u", "s3:GetObject", "arn:b/k", explicit=True).message
    assert explicit.endswith("with an explicit deny in an identity-based policy")


def test_a_decision_is_one_line_that_names_the_role(tmp_path):
    log = DecisionLog(tmp_path / "iam.jsonl")
    log.write("arn:aws:sts::0:assumed-role/r-1/session", "a:B", "arn:x", allowed=False)
    log.write("rekognition.amazonaws.com", "sts:AssumeRole", "arn:r", allowed=True)
    lines = [json.loads(line) for line in (tmp_path / "iam.jsonl").read_text().splitlines()]
    assert [(one["principal"], one["action"], one["allowed"]) for one in lines] == [
        ("r-1", "a:B", False),
        ("rekognition.amazonaws.com", "sts:AssumeRole", True),
    ]
    assert principal_name("arn:aws:iam::0:user/owner") == "owner"


def test_a_private_name_that_is_gone_is_reported_by_its_name():
    gone = names.Name("services.nothing", "_gone", "a, b")
    assert gone.fault() == "ministack.services.nothing._gone is missing"


def test_only_one_file_reaches_into_the_emulator():
    ours = [path for path in (ROOT / "local").rglob("*.py") if "tests" not in path.parts]
    files = [path for path in ours if path.name != "names.py"]
    reaching = re.compile(r"^\s*(import|from) ministack\b|[\"']ministack\.", re.MULTILINE)
    assert [path.name for path in files if reaching.search(path.read_text())] == []
    assert reaching.search((ROOT / "local" / "ministack" / "names.py").read_text())
