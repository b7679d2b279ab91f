"""Step Functions on the laptop AWS: what MiniStack lacks or does otherwise."""

import json

import pytest

from local.tests.support.laptop.parts import (
    SDK,
    allow,
    final_types,
    make_function,
    make_machine,
    make_role,
    make_table,
    run,
    start,
    token_of,
    unique,
    waiting,
)

STATES = "states.amazonaws.com"


@pytest.fixture(scope="module")
def role(laptop):
    """A role that may do everything a state machine of these tests does."""
    return make_role(laptop, STATES, allow(["dynamodb:*", "lambda:*", "sns:*", "kinesisvideo:*"]))


@pytest.fixture(scope="module")
def table(laptop):
    """A table with the keys pk and sk."""
    return make_table(laptop)


def test_timeout_seconds_may_be_an_expression(laptop, role, table, wait_until):
    timed_out = {"ErrorEquals": ["States.Timeout"], "Next": "Looked", "Output": "looked"}
    watch = waiting(table, "{% $states.input.check %}", Catch=[timed_out], End=True)
    machine = make_machine(laptop, role, {"Watch": watch, "Looked": {"Type": "Succeed"}})
    ended = run(laptop, wait_until, machine, {"check": 1})
    assert (ended["status"], ended["output"]) == ("SUCCEEDED", "looked")


def test_a_token_wakes_a_wait_whose_timeout_is_an_expression(laptop, role, table, wait_until):
    open_state = {"Type": "Pass", "Assign": {"check": 20}, "Next": "Watch"}
    watch = waiting(table, "{% $check %}", Output="{% $states.result %}", End=True)
    execution = start(laptop, make_machine(laptop, role, {"Open": open_state, "Watch": watch}))
    states = laptop.client("stepfunctions")
    token = wait_until(lambda: token_of(laptop, table, execution))
    states.send_task_success(taskToken=token, output='{"woken": true}')
    wait_until(lambda: states.describe_execution(executionArn=execution)["status"] != "RUNNING")
    output = states.describe_execution(executionArn=execution)["output"]
    assert json.loads(output) == {"woken": True}


def test_each_timeout_writes_another_token(laptop, role, table, wait_until):
    again = {"ErrorEquals": ["States.Timeout"], "Next": "Watch"}
    watch = waiting(table, 3, Catch=[again], End=True)
    execution = start(laptop, make_machine(laptop, role, {"Watch": watch}))
    first = wait_until(lambda: token_of(laptop, table, execution))
    second = wait_until(lambda: token_of(laptop, table, execution, but=first))
    states = laptop.client("stepfunctions")
    states.send_task_success(taskToken=second, output="1")
    wait_until(lambda: states.describe_execution(executionArn=execution)["status"] == "SUCCEEDED")


@pytest.mark.parametrize("check", [0, -1, 0.5, "1", True, None])
def test_a_timeout_that_is_no_positive_integer_can_be_caught(
    laptop, role, table, wait_until, check
):
    caught = {"ErrorEquals": ["States.QueryEvaluationError"], "Next": "Bad"}
    watch = waiting(table, "{% $states.input.check %}", Catch=[caught], End=True)
    machine = make_machine(
        laptop, role, {"Watch": watch, "Bad": {"Type": "Pass", "Output": "bad", "End": True}}
    )
    assert run(laptop, wait_until, machine, {"check": check})["output"] == "bad"


def test_a_functions_own_exception_is_caught_by_its_name(laptop, role, wait_until):
    code = (
        "class BadInputError(Exception): pass\n"
        "def handler(event, context):\n    raise BadInputError('camera')"
    )
    caught = {
        "ErrorEquals": ["BadInputError"],
        "Next": "Refused",
        "Output": "{% $parse($states.errorOutput.Cause).errorMessage %}",
    }
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": make_function(laptop, code)},
        "Catch": [caught],
        "End": True,
    }
    machine = make_machine(laptop, role, {"Open": task, "Refused": {"Type": "Succeed"}})
    assert run(laptop, wait_until, machine)["output"] == "camera"


def test_parallel_has_arguments_output_and_assign(laptop, role, wait_until):
    branches = [
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "Output": output, "End": True}}}
        for output in ("{% $states.input.x %}", "{% $states.input.x + 1 %}")
    ]
    both = {
        "Type": "Parallel",
        "Arguments": {"x": 1},
        "Branches": branches,
        "Assign": {"sum": "{% $sum($states.result) %}"},
        "Output": "{% $states.result %}",
        "Next": "After",
    }
    after = {"Type": "Pass", "Output": {"sum": "{% $sum %}", "input": "{% $states.input %}"}}
    after["Output"]["sum"] = "{% $total %}"
    both["Assign"] = {"total": "{% $sum($states.result) %}"}
    machine = make_machine(laptop, role, {"Both": both, "After": {**after, "End": True}})
    assert run(laptop, wait_until, machine)["output"] == {"sum": 3, "input": [1, 2]}


def test_a_result_keeps_the_name_of_its_arn(laptop, role, wait_until):
    name = unique("camera")
    made = laptop.client("kinesisvideo").create_stream(StreamName=name)["StreamARN"]
    task = {
        "Type": "Task",
        "Resource": f"{SDK}kinesisvideo:describeStream",
        "Arguments": {"StreamName": name},
        "Output": "{% $states.result.StreamInfo.StreamARN %}",
        "End": True,
    }
    machine = make_machine(laptop, role, {"Look": task})
    assert run(laptop, wait_until, machine)["output"] == made


def test_a_conditional_write_fails_with_the_sdks_name(laptop, role, table, wait_until):
    task = {
        "Type": "Task",
        "Resource": f"{SDK}dynamodb:updateItem",
        "Arguments": {
            "TableName": table,
            "Key": {"pk": {"S": "nobody"}, "sk": {"S": "lock"}},
            "UpdateExpression": "SET held = :no",
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeValues": {":no": {"BOOL": False}},
        },
        "Catch": [{"ErrorEquals": ["DynamoDb.ConditionalCheckFailedException"], "Next": "Other"}],
        "End": True,
    }
    machine = make_machine(
        laptop, role, {"Unlock": task, "Other": {"Type": "Pass", "Output": "other", "End": True}}
    )
    assert run(laptop, wait_until, machine)["output"] == "other"


@pytest.mark.parametrize("form", ["arn:aws:states:::sns:publish", f"{SDK}sns:publish"])
def test_publish_sends_structure_and_attributes(laptop, role, wait_until, form):
    sns, sqs = laptop.client("sns"), laptop.client("sqs")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    queue = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    policy = {"Principal": {"Service": "sns.amazonaws.com"}, **allow("sqs:SendMessage", arn)}
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": document})
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"RawMessageDelivery": "true", "FilterPolicy": '{"kind": ["session"]}'},
    )
    task = {
        "Type": "Task",
        "Resource": form,
        "Arguments": {
            "TopicArn": topic,
            "MessageStructure": "json",
            "Message": "{% $string({'default': 'text', 'sqs': 'machine'}) %}",
            "MessageAttributes": {"kind": {"DataType": "String", "StringValue": "session"}},
        },
        "End": True,
    }
    ended = run(laptop, wait_until, make_machine(laptop, role, {"Tell": task}))
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2)["Messages"]
    assert [message["Body"] for message in messages] == ["machine"]


@pytest.fixture
def events(laptop, wait_until):
    """Status events of a machine, as a rule's queue gets them."""
    sqs, rules = laptop.client("sqs"), laptop.client("events")
    queue = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    policy = {"Principal": {"Service": "events.amazonaws.com"}, **allow("sqs:SendMessage", arn)}
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": document})
    name = unique("rule")
    pattern = {"source": ["aws.states"], "detail": {"status": ["ABORTED", "TIMED_OUT", "FAILED"]}}
    rules.put_rule(Name=name, EventPattern=json.dumps(pattern))
    rules.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])

    def of(execution):
        def arrived():
            received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
            bodies = [json.loads(message["Body"]) for message in received.get("Messages", [])]
            found.extend(
                one["detail"] for one in bodies if one["detail"]["executionArn"] == execution
            )
            return found

        found: list = []
        return wait_until(arrived)

    yield of
    rules.remove_targets(Rule=name, Ids=["queue"])
    rules.delete_rule(Name=name)


def test_a_machine_past_its_time_is_timed_out_and_says_so(laptop, role, table, events):
    watch = waiting(table, 60, End=True)
    machine = make_machine(laptop, role, {"Watch": watch}, TimeoutSeconds=1)
    execution = start(laptop, machine, {"camera": "front-door"})
    event = events(execution)[0]
    assert event["status"] == "TIMED_OUT"
    assert json.loads(event["input"]) == {"camera": "front-door"}


def test_an_abort_is_told_once_and_nothing_is_done_after_it(
    laptop, role, table, events, wait_until
):
    again = {"ErrorEquals": ["States.ALL"], "Next": "After"}
    watch = waiting(table, 4, Catch=[again], End=True)
    after = {
        "Type": "Task",
        "Resource": f"{SDK}dynamodb:putItem",
        "Arguments": {"TableName": table, "Item": {"pk": {"S": "after"}, "sk": {"S": "abort"}}},
        "End": True,
    }
    execution = start(
        laptop, make_machine(laptop, role, {"Watch": watch, "After": after}), {"a": 1}
    )
    wait_until(lambda: token_of(laptop, table, execution))
    states = laptop.client("stepfunctions")
    states.stop_execution(executionArn=execution, error="Asked", cause="by the owner")
    event = events(execution)[0]
    assert (event["status"], json.loads(event["input"])) == ("ABORTED", {"a": 1})
    assert final_types(laptop, execution, 5)[-1] == "ExecutionAborted"  # the wait is over
    described = states.describe_execution(executionArn=execution)
    assert (described["status"], described["error"]) == ("ABORTED", "Asked")
    key = {"pk": {"S": "after"}, "sk": {"S": "abort"}}
    assert "Item" not in laptop.client("dynamodb").get_item(TableName=table, Key=key)


def test_an_uncaught_failure_after_an_abort_is_no_second_end(laptop, role, table, wait_until):
    execution = start(laptop, make_machine(laptop, role, {"Watch": waiting(table, 4, End=True)}))
    wait_until(lambda: token_of(laptop, table, execution))
    states = laptop.client("stepfunctions")
    states.stop_execution(executionArn=execution)
    types = final_types(laptop, execution, 5)  # the wait is over
    assert states.describe_execution(executionArn=execution)["status"] == "ABORTED"
    assert types[-1] == "ExecutionAborted"
    assert "ExecutionFailed" not in types
