"""What holds for each state machine as text: every state goes where it should, nowhere else."""

import json
import re
from collections import Counter

import boto3
import pytest
from cfnlint.api import lint_all

from tests.statemachine.machine import blocks, inner_machines, states_of, ways
from tests.support.stack.sam import ROOT, definition, template_text
from whosthere import errors

RESOURCES = {"session": "SessionStateMachine", "cameras": "CamerasStateMachine"}
BLOCKS = {name: blocks(definition(name)) for name in RESOURCES}
STATES = [
    pytest.param(state, id=f"{machine}-{name}")
    for machine, found in BLOCKS.items()
    for name, state in states_of(found).items()
]
TASKS = [one for one in STATES if one.values[0]["Type"] == "Task"]
ENDS = ("Succeed", "Fail")
KEYS = [
    *("Type", "Comment", "Resource", "Branches", "Items", "ItemSelector", "Arguments", "Choices"),
    *("MaxConcurrency", "ToleratedFailurePercentage", "Label", "ItemProcessor"),
    *("Error", "Cause", "Assign", "Output", "TimeoutSeconds", "Retry", "Catch", "Default"),
    *("Next", "End"),
]
TRANSIENT = {
    "lambda": "Lambda.TooManyRequestsException",
    "rekognition": "Rekognition.ThrottlingException",
    "kinesisvideo": "KinesisVideo.ClientLimitExceededException",
    "dynamodb": "DynamoDb.ThrottlingException",
    "sfn": "States.ALL",
}
# What Step Functions itself adds (developer guide: "Error names"; "Best practices", Lambda).
OF_STEP_FUNCTIONS = {"States.ALL", "States.Timeout", "Lambda.AWSLambdaException"}
OF_THE_SDK = {"SdkClientException", "ClientExecutionTimeoutException"}


@pytest.fixture(params=RESOURCES)
def machine(request):
    """The name of each machine."""
    return request.param


def follow(state):
    """Every state that may come after this one."""
    return {after for after, _ in ways(state)}


def test_no_definition_is_forgotten():
    files = (ROOT / "statemachine").glob("*.asl.yaml")
    assert {path.name.removesuffix(".asl.yaml") for path in files} == set(RESOURCES)


def test_retry_and_catch_stand_in_block_form(machine):
    text = (ROOT / "statemachine" / f"{machine}.asl.yaml").read_text()
    assert not re.search(r"(Retry|Catch|Choices):[ ]*\[", text)
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.parametrize("state", STATES)
def test_the_keys_of_a_state_have_their_order(state):
    keys = list(state)
    if state["Type"] == "Parallel":  # what follows its block is read after it
        keys.remove("Comment")
    assert [key for key in KEYS if key in keys] == keys


def test_names_of_states_are_unique_over_all_blocks(machine):
    """Or no history could tell them apart."""
    names = Counter(name for block in BLOCKS[machine] for name in block.states)
    assert max(names.values()) == 1


def test_every_next_state_is_in_the_same_block(machine):
    for block in BLOCKS[machine]:
        assert block.start in block.states
        for name, state in block.states.items():
            assert follow(state) <= set(block.states), name


def test_every_state_can_be_reached(machine):
    for block in BLOCKS[machine]:
        reached, frontier = set(), {block.start}
        while frontier:
            reached |= frontier
            frontier = set().union(*(follow(block.states[name]) for name in frontier)) - reached
        assert reached == set(block.states)


@pytest.mark.parametrize("state", STATES)
def test_every_state_ends_or_goes_on(state):
    ends = state["Type"] in ENDS or state.get("End", False)
    assert ends != bool({"Next", "Default"} & set(state))


def test_every_substitution_is_supplied_and_used(machine):
    used = set(re.findall(r"\$\{(\w+)\}", json.dumps(definition(machine))))
    resource = template_text()["Resources"][RESOURCES[machine]]["Properties"]
    assert used == set(resource["DefinitionSubstitutions"])


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_timeout_and_retries_what_passes_by_itself(task):
    assert task["TimeoutSeconds"]
    service = re.search(r"states:::(?:aws-sdk:)?(\w+):", task["Resource"])[1]
    repeated = [retry for retry in task["Retry"] if retry["MaxAttempts"]]
    retried = {error for retry in repeated for error in retry["ErrorEquals"]}
    assert retried & {TRANSIENT[service], "States.ALL"}
    for retry in repeated:
        assert retry["JitterStrategy"] == "FULL"


def named_errors():
    for one in STATES:
        state = one.values[0]
        for way in [*state.get("Retry", ()), *state.get("Catch", ())]:
            for error in way["ErrorEquals"]:
                yield state, error


@pytest.mark.parametrize("error", sorted({error for _, error in named_errors()}))
def test_every_error_is_a_class_of_ours_or_one_that_its_service_knows(error):
    if error in OF_STEP_FUNCTIONS:
        return
    service, _, shape = error.rpartition(".")
    if not service:
        assert issubclass(getattr(errors, error), errors.WhosthereError)
    elif shape not in OF_THE_SDK:
        client = {"Sfn": "stepfunctions"}.get(service, service.lower())
        model = boto3.client(client, region_name="us-east-1").meta.service_model
        known = {one.name for one in model.error_shapes}
        # The shape's name, and "Exception" behind it if it lacks that.
        assert shape in known or shape.removesuffix("Exception") in known


def test_errors_are_caught_where_their_service_is_called():
    """A name of another service would never match."""
    for state, error in named_errors():
        service = error.partition(".")[0].lower()
        if "." in error and service != "states":
            assert f":{service}:" in state["Resource"]


def without_expressions_for_timeouts(machine):
    """cfn-lint (E3601) knows TimeoutSeconds as a number only; Step Functions takes JSONata too."""
    for state in machine["States"].values():
        if isinstance(state.get("TimeoutSeconds"), str):
            state["TimeoutSeconds"] = 60
        for inner in inner_machines(state):
            without_expressions_for_timeouts(inner)
    return machine


def test_cfn_lint_accepts_the_definition(machine):
    literal = without_expressions_for_timeouts(definition(machine))
    names = re.findall(r"\$\{(\w+)\}", json.dumps(literal))
    function = "arn:aws:lambda:us-east-1:111122223333:function:f"
    template = {
        "Resources": {
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "RoleArn": "arn:aws:iam::111122223333:role/session",
                    "Definition": literal,
                    "DefinitionSubstitutions": dict.fromkeys(names, function),
                },
            }
        }
    }
    found = lint_all(json.dumps(template))
    assert [match for match in found if match.rule.severity != "informational"] == []


def test_no_state_reads_or_sends_a_boolean_of_dynamodb(machine):
    """Results of SDK integrations name its type Bool (aws/aws-sdk-js#4294)."""
    assert not re.search(r'"bool"', json.dumps(definition(machine)), re.IGNORECASE)
