"""A state machine acts under its role: every integration the product uses, allowed and denied."""

import json

import pytest

from local.tests.support.laptop.parts import (
    allow,
    decisions,
    make_function,
    make_machine,
    make_role,
    run,
    set_policy,
    unique,
)

ACCOUNT = "000000000000"
STATES = "states.amazonaws.com"
SDK = "arn:aws:states:::aws-sdk:"


@pytest.fixture(scope="module")
def parts(laptop):
    """What the tasks of these tests work on, by the names their cases use."""
    name = unique("stack")
    laptop.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    laptop.client("rekognition").create_collection(CollectionId=name)
    video = laptop.client("kinesisvideo").create_stream(StreamName=name)["StreamARN"]
    return {
        "name": name,
        "table": f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{name}",
        "topic": laptop.client("sns").create_topic(Name=name)["TopicArn"],
        "function": make_function(laptop, "def handler(event, context):\n    return 1"),
        "video": video,
        "processor": f"arn:aws:rekognition:us-east-1:{ACCOUNT}:streamprocessor/{name}",
        "collection": f"arn:aws:rekognition:us-east-1:{ACCOUNT}:collection/{name}",
    }


KEY = {"pk": {"S": "k"}}
UPDATE = {
    "Key": KEY,
    "UpdateExpression": "SET a = :a",
    "ExpressionAttributeValues": {":a": {"S": "1"}},
}
# resource, arguments, action, the part it is checked on, the error of a denial
CASES = [
    (
        f"{SDK}dynamodb:updateItem",
        {"TableName": "{name}", **UPDATE},
        "dynamodb:UpdateItem",
        "table",
        "DynamoDb.DynamoDbException",
    ),
    (
        "arn:aws:states:::dynamodb:updateItem",
        {"TableName": "{name}", **UPDATE},
        "dynamodb:UpdateItem",
        "table",
        "DynamoDB.AmazonDynamoDBException",
    ),
    (
        f"{SDK}dynamodb:getItem",
        {"TableName": "{name}", "Key": KEY},
        "dynamodb:GetItem",
        "table",
        "DynamoDb.DynamoDbException",
    ),
    (
        "arn:aws:states:::sns:publish",
        {"TopicArn": "{topic}", "Message": "m"},
        "sns:Publish",
        "topic",
        "SNS.AuthorizationErrorException",
    ),
    (
        f"{SDK}sns:publish",
        {"TopicArn": "{topic}", "Message": "m"},
        "sns:Publish",
        "topic",
        "Sns.AuthorizationErrorException",
    ),
    (
        "arn:aws:states:::lambda:invoke",
        {"FunctionName": "{function}", "Payload": {}},
        "lambda:InvokeFunction",
        "function",
        "Lambda.AWSLambdaException",
    ),
    (
        f"{SDK}kinesisvideo:describeStream",
        {"StreamName": "{name}"},
        "kinesisvideo:DescribeStream",
        "video",
        "KinesisVideo.AccessDeniedException",
    ),
    (
        f"{SDK}rekognition:describeCollection",
        {"CollectionId": "{name}"},
        "rekognition:DescribeCollection",
        "collection",
        "Rekognition.AccessDeniedException",
    ),
]


def task(resource, arguments, parts):
    """One state that makes this call with the parts' names filled in."""
    text = json.dumps(arguments)
    for part, value in parts.items():
        text = text.replace(f"{{{part}}}", value)
    return {
        "Call": {"Type": "Task", "Resource": resource, "Arguments": json.loads(text), "End": True}
    }


@pytest.mark.parametrize(("resource", "arguments", "action", "part", "error"), CASES)
def test_a_task_needs_its_one_permission(
    laptop, parts, wait_until, resource, arguments, action, part, error
):
    role = make_role(laptop, STATES, allow(action, parts[part]))
    machine = make_machine(laptop, role, task(resource, arguments, parts))
    assert run(laptop, wait_until, machine)["status"] == "SUCCEEDED"
    assert (action, parts[part], True) in decisions(laptop, role)
    set_policy(laptop, role, allow(action, parts[part] + "-other"))
    denied = run(laptop, wait_until, machine)
    assert (denied["status"], denied["error"]) == ("FAILED", error)
    assert f"is not authorized to perform: {action} on resource: {parts[part]}" in denied["cause"]
    assert (action, parts[part], False) in decisions(laptop, role)


def test_a_role_without_any_policy_may_nothing(laptop, parts, wait_until):
    resource, arguments, action, *_ = CASES[0]
    role = make_role(laptop, STATES)
    machine = make_machine(laptop, role, task(resource, arguments, parts))
    assert run(laptop, wait_until, machine)["status"] == "FAILED"
    assert [allowed for name, _, allowed in decisions(laptop, role) if name == action] == [False]


def test_a_denial_is_not_hidden_by_branches_and_maps(laptop, parts, wait_until):
    resource, arguments, *_ = CASES[0]
    inner = {"StartAt": "Call", "States": task(resource, arguments, parts)}
    role = make_role(laptop, STATES)
    parallel = {"Both": {"Type": "Parallel", "Branches": [inner], "End": True}}
    each = {"Each": {"Type": "Map", "Items": [1], "ItemProcessor": inner, "End": True}}
    for states in (parallel, each):
        ended = run(laptop, wait_until, make_machine(laptop, role, states))
        assert ended["error"] == "DynamoDb.DynamoDbException"


def test_a_task_with_a_timeout_is_checked_too(laptop, parts, wait_until):
    resource, arguments, *_ = CASES[0]
    states = task(resource, arguments, parts)
    states["Call"]["TimeoutSeconds"] = 10
    ended = run(laptop, wait_until, make_machine(laptop, make_role(laptop, STATES), states))
    assert ended["error"] == "DynamoDb.DynamoDbException"


def test_a_machine_whose_role_does_not_trust_step_functions_fails(laptop, parts, wait_until):
    resource, arguments, action, part, _ = CASES[0]
    role = make_role(laptop, "lambda.amazonaws.com", allow(action, parts[part]))
    ended = run(laptop, wait_until, make_machine(laptop, role, task(resource, arguments, parts)))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert "sts:AssumeRole" in ended["cause"]


def test_a_trust_condition_on_the_machine_is_evaluated(laptop, parts, wait_until):
    resource, arguments, action, part, _ = CASES[0]
    for source, expected in (
        (f"arn:aws:states:*:{ACCOUNT}:stateMachine:*", "SUCCEEDED"),
        ("arn:x", "FAILED"),
    ):
        condition = {"ArnLike": {"aws:SourceArn": source}}
        role = make_role(laptop, STATES, allow(action, parts[part]), condition=condition)
        machine = make_machine(laptop, role, task(resource, arguments, parts))
        assert run(laptop, wait_until, machine)["status"] == expected


def creating(laptop, parts, passed):
    """A task that creates a processor and passes it a role."""
    stream = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{parts['name']}"
    arguments = {
        "Name": "{% $states.context.Execution.Name %}",
        "Input": {"KinesisVideoStream": {"Arn": parts["video"]}},
        "Output": {"KinesisDataStream": {"Arn": stream}},
        "RoleArn": passed,
        "Settings": {"FaceSearch": {"CollectionId": parts["name"]}},
    }
    return task(f"{SDK}rekognition:createStreamProcessor", arguments, {})


def test_creating_a_processor_needs_pass_role_for_rekognition(laptop, parts, wait_until):
    passed = make_role(laptop, "rekognition.amazonaws.com")
    # The processor's own ARN beside the collection's: see the table of resource types.
    create = allow("rekognition:CreateStreamProcessor", "*")
    pass_to = {"StringEquals": {"iam:PassedToService": "rekognition.amazonaws.com"}}
    role = make_role(laptop, STATES, create, allow("iam:PassRole", passed, Condition=pass_to))
    machine = make_machine(laptop, role, creating(laptop, parts, passed))
    assert run(laptop, wait_until, machine)["status"] == "SUCCEEDED"
    assert ("iam:PassRole", passed, True) in decisions(laptop, role)
    for without in ([], [allow("iam:PassRole", passed + "-other")]):
        set_policy(laptop, role, create, *without)
        denied = run(laptop, wait_until, machine)
        assert denied["error"] == "Rekognition.AccessDeniedException"
        assert "iam:PassRole" in denied["cause"]


def test_a_role_passed_to_another_service_is_not_passed_to_rekognition(laptop, parts, wait_until):
    passed = make_role(laptop, "rekognition.amazonaws.com")
    pass_to = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    create = allow("rekognition:CreateStreamProcessor")
    role = make_role(laptop, STATES, create, allow("iam:PassRole", passed, Condition=pass_to))
    machine = make_machine(laptop, role, creating(laptop, parts, passed))
    assert run(laptop, wait_until, machine)["error"] == "Rekognition.AccessDeniedException"
