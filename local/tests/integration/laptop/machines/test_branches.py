"""Step Functions on the laptop AWS: a branch of a Parallel state runs as on AWS."""

import json

import pytest

from local.tests.support.laptop.faults import first_met, meet
from local.tests.support.laptop.parts import (
    SDK,
    allow,
    error_code,
    event_types,
    final_types,
    history,
    invoke,
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
RIGHTS = allow(["dynamodb:*", "lambda:*"])
DONE = {"Type": "Succeed"}


@pytest.fixture(scope="module")
def role(laptop):
    """A role that may do everything a state machine of these tests does."""
    return make_role(laptop, STATES, RIGHTS)


@pytest.fixture(scope="module")
def table(laptop):
    """A table with the keys pk and sk."""
    return make_table(laptop)


@pytest.fixture
def no_faults_left(laptop):
    """What this test lets executions meet ends with it."""
    yield
    meet(laptop)


def branch(states):
    """A branch that starts at its first state."""
    return {"StartAt": next(iter(states)), "States": states}


def block(states, **more):
    """A Parallel state of one branch."""
    return {"Type": "Parallel", "Branches": [branch(states)], **more}


def catching(error, following, **more):
    """A Catch field."""
    return [{"ErrorEquals": [error], "Next": following, **more}]


def retrying(error, times, **more):
    """A Retry field."""
    return [{"ErrorEquals": [error], "IntervalSeconds": 1, "MaxAttempts": times, **more}]


def putting(table, key, **more):
    """A task that puts an item into the table."""
    item = {"pk": {"S": key}, "sk": {"S": "put"}}
    arguments = {"TableName": table, "Item": item}
    resource = f"{SDK}dynamodb:putItem"
    return {"Type": "Task", "Resource": resource, "Arguments": arguments, **more}


def was_put(laptop, table, key):
    """Whether the item of such a task is there."""
    key = {"pk": {"S": key}, "sk": {"S": "put"}}
    return "Item" in laptop.client("dynamodb").get_item(TableName=table, Key=key)


def steps(laptop, execution):
    """Each state that was entered or exited, and its input or output."""
    found = []
    for event in history(laptop, execution):
        if entered := event.get("stateEnteredEventDetails"):
            found.append((event["type"], entered["name"], json.loads(entered["input"])))
        if exited := event.get("stateExitedEventDetails"):
            found.append((event["type"], exited["name"], json.loads(exited["output"])))
    return found


# What the history says.


def test_every_state_of_a_branch_is_entered_and_exited_with_its_input_and_output(
    laptop, role, table, wait_until
):
    several = [branch({"First": {**DONE, "Output": 1}}), branch({"Second": {**DONE, "Output": 2}})]
    inside = {
        "Give": {"Type": "Pass", "Output": {"n": 1}, "Next": "Ask"},
        "Ask": {
            "Type": "Choice",
            "Choices": [
                {"Condition": "{% $states.input.n = 1 %}", "Next": "Rest", "Output": {"n": 2}}
            ],
        },
        "Rest": {"Type": "Wait", "Seconds": 1, "Output": {"n": 3}, "Next": "Put"},
        "Put": putting(table, "history", Output={"n": 4}, Next="Each"),
        "Each": {
            "Type": "Map",
            "Items": "{% [$states.input.n] %}",
            "ItemProcessor": branch({"Add": {**DONE, "Output": "{% $states.input + 1 %}"}}),
            "Next": "Both",
        },
        "Both": {"Type": "Parallel", "Branches": several, "Output": "both", "Next": "Done"},
        "Done": {**DONE, "Output": "{% $states.input & '!' %}"},
    }
    machine = make_machine(laptop, role, {"Block": block(inside, End=True)})
    ended = run(laptop, wait_until, machine, {"given": True})
    assert ended["output"] == ["both!"], ended.get("cause")
    found = steps(laptop, ended["executionArn"])
    of_both = [one for one in found if one[1] in ("First", "Second")]
    assert sorted(of_both) == [
        ("SucceedStateEntered", "First", [5]),
        ("SucceedStateEntered", "Second", [5]),
        ("SucceedStateExited", "First", 1),
        ("SucceedStateExited", "Second", 2),
    ]
    assert [one for one in found if one not in of_both] == [
        ("ParallelStateEntered", "Block", {"given": True}),
        ("PassStateEntered", "Give", {"given": True}),
        ("PassStateExited", "Give", {"n": 1}),
        ("ChoiceStateEntered", "Ask", {"n": 1}),
        ("ChoiceStateExited", "Ask", {"n": 2}),
        ("WaitStateEntered", "Rest", {"n": 2}),
        ("WaitStateExited", "Rest", {"n": 3}),
        ("TaskStateEntered", "Put", {"n": 3}),
        ("TaskStateExited", "Put", {"n": 4}),
        ("MapStateEntered", "Each", {"n": 4}),
        ("SucceedStateEntered", "Add", 4),
        ("SucceedStateExited", "Add", 5),
        ("MapStateExited", "Each", [5]),
        ("ParallelStateEntered", "Both", [5]),
        ("ParallelStateExited", "Both", "both"),
        ("SucceedStateEntered", "Done", "both"),
        ("SucceedStateExited", "Done", "both!"),
        ("ParallelStateExited", "Block", ["both!"]),
    ]
    numbers = [event["id"] for event in history(laptop, ended["executionArn"])]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_fail_state_of_a_branch_is_entered_and_not_exited(laptop, role, wait_until):
    inside = {"Refuse": {"Type": "Fail", "Error": "Refused"}}
    machine = make_machine(laptop, role, {"Block": block(inside, End=True)})
    ended = run(laptop, wait_until, machine, 1)
    assert (ended["status"], ended["error"]) == ("FAILED", "Refused")
    assert steps(laptop, ended["executionArn"]) == [
        ("ParallelStateEntered", "Block", 1),
        ("FailStateEntered", "Refuse", 1),
    ]


def test_output_of_a_succeed_state_is_applied_outside_of_a_branch_too(laptop, role, wait_until):
    machine = make_machine(laptop, role, {"Done": {**DONE, "Output": "{% $states.input.n + 1 %}"}})
    assert run(laptop, wait_until, machine, {"n": 1})["output"] == 2


# Variables.


def test_a_branch_reads_the_variables_outside_and_its_own_end_with_it(
    laptop, role, table, wait_until
):
    inside = {
        "Watch": waiting(
            table, "{% $seconds %}", Catch=catching("States.Timeout", "Keep"), Next="Keep"
        ),
        "Keep": {"Type": "Pass", "Assign": {"kept": "{% $seconds + 1 %}"}, "Next": "Read"},
        "Read": {**DONE, "Output": "{% [$seconds, $kept] %}"},
    }
    after = {
        "Type": "Pass",
        "Output": {"read": "{% $states.input %}", "kept": "{% $exists($kept) %}"},
    }
    states = {
        "Open": {"Type": "Pass", "Assign": {"seconds": 1}, "Next": "Block"},
        "Block": block(inside, Output="{% $states.result[0] %}", Next="After"),
        "After": {**after, "End": True},
    }
    ended = run(laptop, wait_until, make_machine(laptop, role, states))
    assert ended["output"] == {"read": [1, 2], "kept": False}, ended.get("cause")


def test_branches_do_not_see_each_others_variables(laptop, role, wait_until):
    """Two branches may use one name, each for a variable of its own."""

    def counting(letter):
        read = {**DONE, "Output": f"{{% $states.context.State.Name & $own & '{letter}' %}}"}
        own = {"Type": "Pass", "Assign": {"own": letter}, "Next": f"Rest{letter}"}
        rest = {"Type": "Wait", "Seconds": 1, "Next": f"Read{letter}"}
        return branch({f"Own{letter}": own, f"Rest{letter}": rest, f"Read{letter}": read})

    both = {"Type": "Parallel", "Branches": [counting("A"), counting("B")], "End": True}
    ended = run(laptop, wait_until, make_machine(laptop, role, {"Both": both}))
    assert ended["output"] == ["ReadAAA", "ReadBBB"], ended.get("cause")


MINE = {"Assign": {"mine": 1}}
INSIDE = {"Inner": {"Type": "Pass", **MINE, "End": True}}
OPEN = {"Type": "Pass", "Next": "Block"}
RULE = {"Condition": True, "Next": "Block", **MINE}
# States that assign a variable of one name in a branch or iteration, and outside of it.
ASSIGNED_TWICE = {
    "in a state": {"Open": {**OPEN, **MINE}, "Block": block(INSIDE, End=True)},
    "in a rule": {"Open": {"Type": "Choice", "Choices": [RULE]}, "Block": block(INSIDE, End=True)},
    "in a catcher": {
        "Block": block(INSIDE, Catch=catching("States.ALL", "Done", **MINE), Next="Done"),
        "Done": DONE,
    },
    "in the block": {"Block": block(INSIDE, **MINE, End=True)},
    "around a map": {
        "Open": {**OPEN, **MINE},
        "Block": {"Type": "Map", "Items": [1], "ItemProcessor": branch(INSIDE), "End": True},
    },
    "around a block of blocks": {
        "Open": {**OPEN, **MINE},
        "Block": block({"Middle": block(INSIDE, End=True)}, End=True),
    },
}


@pytest.mark.parametrize("place", ASSIGNED_TWICE)
def test_a_variable_assigned_inside_and_outside_is_refused_when_the_machine_is_made(
    laptop, role, place
):
    with pytest.raises(laptop.client("stepfunctions").exceptions.InvalidDefinition, match="'mine'"):
        make_machine(laptop, role, ASSIGNED_TWICE[place])


def test_such_a_definition_is_no_update_either_and_no_resource_of_a_stack(laptop, role, wait_until):
    client, cloudformation = laptop.client("stepfunctions"), laptop.client("cloudformation")
    machine = make_machine(laptop, role, {"Done": DONE})
    states = ASSIGNED_TWICE["in a state"]
    definition = {"QueryLanguage": "JSONata", "StartAt": "Open", "States": states}
    code = error_code(
        client.update_state_machine, stateMachineArn=machine, definition=json.dumps(definition)
    )
    assert code == "InvalidDefinition"
    properties = {"RoleArn": role, "Definition": definition}
    resource = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    stack = unique("stack")
    template = json.dumps({"Resources": {"Machine": resource}})
    cloudformation.create_stack(StackName=stack, TemplateBody=template, OnFailure="DO_NOTHING")
    status = lambda: cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]  # noqa: E731
    wait_until(lambda: status() != "CREATE_IN_PROGRESS", 30)
    assert status() == "CREATE_FAILED"
    cloudformation.delete_stack(StackName=stack)


# The end of the execution.


def ending_machine(laptop, role, table, key, asleep, **top):
    """A machine that is asleep in a branch and would put an item whatever happens next."""
    if asleep["Type"] == "Task":
        go_on = catching("States.ALL", "After")
        asleep = {**asleep, "Retry": retrying("States.ALL", 2), "Catch": go_on}
    inside = {
        "Asleep": {**asleep, "Next": "After"},
        "After": putting(table, f"{key} inside", End=True),
    }
    states = {
        "Block": block(inside, Catch=catching("States.ALL", "Outside"), Next="Outside"),
        "Outside": putting(table, f"{key} outside", End=True),
    }
    return make_machine(laptop, role, states, **top)


@pytest.mark.parametrize("asleep", ["token", "wait"])
@pytest.mark.parametrize("end", ["stopped", "timed out"])
def test_nothing_more_of_a_branch_runs_once_the_execution_has_ended(
    laptop, role, table, wait_until, asleep, end
):
    key = f"{asleep} {end}"
    seconds = 4 if end == "stopped" else 2  # time to stop it on a busy machine
    state = waiting(table, seconds) if asleep == "token" else {"Type": "Wait", "Seconds": seconds}
    top = {"TimeoutSeconds": 1} if end == "timed out" else {}
    execution = start(laptop, ending_machine(laptop, role, table, key, state, **top))
    states = laptop.client("stepfunctions")
    wait_until(lambda: "Asleep" in [name for _, name, _ in steps(laptop, execution)])
    if end == "stopped":
        states.stop_execution(executionArn=execution, error="Asked")
    status = lambda: states.describe_execution(executionArn=execution)["status"]  # noqa: E731
    wait_until(lambda: status() != "RUNNING", 60)
    last = "ExecutionAborted" if end == "stopped" else "ExecutionTimedOut"
    wait_until(lambda: last in event_types(laptop, execution))
    seen = final_types(laptop, execution, seconds + 2)  # asleep, and 1 s until a retry
    assert seen[-1] == last
    assert not was_put(laptop, table, f"{key} inside")
    assert not was_put(laptop, table, f"{key} outside")


@pytest.mark.parametrize("send", ["success", "failure", "heartbeat"])
@pytest.mark.parametrize("end", ["stopped", "wait over"])
def test_a_token_of_a_wait_that_has_ended_is_timed_out_and_adds_nothing(
    laptop, role, table, wait_until, send, end
):
    over = catching("States.Timeout", "After")
    seconds = 20 if end == "stopped" else 1
    inside = {
        "Asleep": waiting(table, seconds, Catch=over, Next="After"),
        "After": {"Type": "Wait", "Seconds": 20, "End": True},
    }
    machine = make_machine(laptop, role, {"Block": block(inside, End=True)})
    execution, states = start(laptop, machine), laptop.client("stepfunctions")
    token = wait_until(lambda: token_of(laptop, table, execution))
    if end == "stopped":
        states.stop_execution(executionArn=execution)
    else:
        wait_until(lambda: "After" in [name for _, name, _ in steps(laptop, execution)])
    given = {"output": "1"} if send == "success" else {}
    before = event_types(laptop, execution)
    code = error_code(getattr(states, f"send_task_{send}"), taskToken=token, **given)
    assert code == "TaskTimedOut"
    assert final_types(laptop, execution, 1) == before
    if end == "stopped":
        assert before[-1] == "ExecutionAborted"


# Errors.


def failing(laptop, table, how):
    """A state of a branch that fails, and the name of its error."""
    raising = (
        "class OddError(Exception): pass\ndef handler(event, context):\n    raise OddError('x')"
    )
    calling = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
    looking = {**calling, "Resource": f"{SDK}rekognition:describeStreamProcessor"}
    if how == "Fail":
        return {"Type": "Fail", "Error": "Refused", "Cause": "why"}, "Refused"
    if how == "function":
        arguments = {"FunctionName": make_function(laptop, raising)}
        return {**calling, "Arguments": arguments}, "OddError"
    if how == "denied":
        return {**looking, "Arguments": {"Name": "x"}}, "Rekognition.AccessDeniedException"
    if how == "token":
        return waiting(table, 1, End=True), "States.Timeout"
    return {"Type": "Pass", "Output": "{% $none %}", "End": True}, "States.QueryEvaluationError"


@pytest.mark.parametrize("how", ["Fail", "function", "denied", "token", "expression"])
def test_the_blocks_catch_gets_the_name_of_a_branchs_error_unchanged(
    laptop, role, table, wait_until, how
):
    state, name = failing(laptop, table, how)
    output = {
        "error": "{% $states.errorOutput.Error %}",
        "cause": "{% $states.errorOutput.Cause %}",
    }
    catch = catching(name, "Caught", Output=output)
    states = {"Block": block({"Failing": state}, Catch=catch, Next="Caught"), "Caught": DONE}
    ended = run(laptop, wait_until, make_machine(laptop, role, states))
    assert ended["output"]["error"] == name, ended.get("cause")
    if how == "Fail":
        assert ended["output"]["cause"] == "why"


@pytest.mark.parametrize("caught", ["States.ALL", "States.Runtime", "States.TaskFailed"])
def test_neither_retry_nor_catch_keeps_a_runtime_error_from_ending_the_execution(
    laptop, role, wait_until, no_faults_left, caught
):
    execution = unique("session")
    meet(laptop, {"execution": execution, "state": "Call", "error": "States.Runtime"})
    again = retrying(caught, 1)
    call = putting("none", "x", Retry=again, Catch=catching(caught, "Caught"), Next="Caught")
    inside = {"Call": call, "Caught": DONE}
    states = {
        "Block": block(inside, Retry=again, Catch=catching(caught, "Out"), Next="Out"),
        "Out": DONE,
    }
    ended = run(laptop, wait_until, make_machine(laptop, role, states), name=execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert event_types(laptop, ended["executionArn"]).count("TaskFailed") == 1


@pytest.mark.parametrize(
    ("caught", "status"), [("States.ALL", "FAILED"), ("States.DataLimitExceeded", "SUCCEEDED")]
)
def test_a_data_limit_is_caught_by_its_own_name_only(
    laptop, role, wait_until, no_faults_left, caught, status
):
    execution = unique("session")
    meet(laptop, {"execution": execution, "state": "Call", "error": "States.DataLimitExceeded"})
    call = putting("none", "limit", Catch=catching(caught, "Caught"), Next="Caught")
    machine = make_machine(laptop, role, {"Call": call, "Caught": DONE})
    assert run(laptop, wait_until, machine, name=execution)["status"] == status


# Faults on demand.


def test_faults_on_demand_find_a_state_of_a_branch(laptop, role, table, wait_until, no_faults_left):
    names = {what: unique("session") for what in ("abort", "time-out", "error")}
    meet(
        laptop,
        {"execution": names["abort"], "state": "Inner", "do": "abort"},
        {"execution": names["time-out"], "state": "Inner", "do": "time-out"},
        {"execution": names["error"], "state": "Inner", "error": "DynamoDb.OddException"},
    )
    catch = catching("DynamoDb.OddException", "Caught")
    states = {
        "Block": block({"Inner": putting(table, "fault", End=True)}, Catch=catch, Next="Put"),
        "Put": DONE,
        "Caught": {"Type": "Fail", "Error": "Caught"},
    }
    machine = make_machine(laptop, role, states)
    ends = {what: run(laptop, wait_until, machine, name=name) for what, name in names.items()}
    found = {what: (ended["status"], ended.get("error")) for what, ended in ends.items()}
    assert found["abort"] == ("ABORTED", None)
    assert found["time-out"] == ("TIMED_OUT", None)
    assert found["error"] == ("FAILED", "Caught")
    assert all(first_met(laptop, name) for name in names.values())
    assert not was_put(laptop, table, "fault")


@pytest.mark.parametrize("message", ["closed for the day", ""])
def test_a_role_meets_the_message_that_the_test_gives(laptop, no_faults_left, message):
    code = (
        "import boto3, botocore\n"
        "def handler(event, context):\n"
        "    try:\n"
        "        boto3.client('rekognition').describe_stream_processor(Name='none')\n"
        "    except botocore.exceptions.ClientError as error:\n"
        "        return error.response['Error']\n"
    )
    denied = make_role(laptop, "lambda.amazonaws.com", allow("rekognition:*"))
    fault = {"operation": "DescribeStreamProcessor", "error": "AccessDeniedException"}
    meet(laptop, {**fault, "role": denied.rsplit("/", 1)[1], "message": message})
    failed, answer = invoke(laptop, make_function(laptop, code, role=denied))
    assert failed is None
    assert (answer["Code"], answer.get("Message", "")) == ("AccessDeniedException", message)


# Retries.


def test_a_retry_counts_waits_at_most_its_longest_delay_and_evaluates_anew(
    laptop, role, wait_until
):
    """Delays of 1, 10 and 100 s would be 1, 1 and 1."""
    code = (
        "def handler(event, context):\n    raise ValueError(f\"{event['retries']} {event['at']}\")"
    )
    payload = {"retries": "{% $states.context.State.RetryCount %}", "at": "{% $millis() %}"}
    call = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": make_function(laptop, code), "Payload": payload},
        "Retry": retrying("ValueError", 3, BackoffRate=10, MaxDelaySeconds=1),
        "End": True,
    }
    states = {"Block": block({"Call": call}, End=True)}
    ended = run(laptop, wait_until, make_machine(laptop, role, states))
    failed = [
        json.loads(event["taskFailedEventDetails"]["cause"])["errorMessage"].split()
        for event in history(laptop, ended["executionArn"])
        if event["type"] == "TaskFailed"
    ]
    assert [retries for retries, _ in failed] == ["0", "1", "2", "3"]
    times = [int(at) / 1000 for _, at in failed]
    assert all(1 <= after - before < 10 for before, after in zip(times, times[1:], strict=False))


def test_a_block_is_retried_with_new_variables(laptop, role, wait_until):
    inside = {
        "Ask": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $exists($mine) %}", "Next": "Leaked"}],
            "Default": "Mine",
        },
        "Mine": {"Type": "Pass", "Assign": {"mine": 1}, "Next": "Refuse"},
        "Refuse": {"Type": "Fail", "Error": "Refused"},
        "Leaked": {"Type": "Fail", "Error": "Leaked"},
    }
    states = {"Block": block(inside, Retry=retrying("Refused", 1), End=True)}
    ended = run(laptop, wait_until, make_machine(laptop, role, states))
    assert ended["error"] == "Refused"
    assert event_types(laptop, ended["executionArn"]).count("FailStateEntered") == 2
