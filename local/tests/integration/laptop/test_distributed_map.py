"""Step Functions on the laptop AWS: a Distributed Map in JSONata runs as on AWS."""

import pytest

from local.tests.support.laptop.parts import allow, make_machine, make_role, run

STATES = "states.amazonaws.com"
DONE = {"Type": "Succeed"}
FAILS = {"Type": "Fail", "Error": "Some.Error", "Cause": "why"}


@pytest.fixture(scope="module")
def role(laptop):
    """A role that may start executions, also of its own machine."""
    return make_role(laptop, STATES, allow("states:StartExecution"))


def mapping(states, **more):
    """A Distributed Map that runs these states for each item."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
        "StartAt": next(iter(states)),
        "States": states,
    }
    return {"Type": "Map", "ItemProcessor": processor, "End": True, **more}


def test_items_are_selected_and_the_output_is_evaluated(laptop, role, wait_until):
    selector = {
        "n": "{% $states.context.Map.Item.Value %}",
        "index": "{% $states.context.Map.Item.Index %}",
        "all": "{% $states.input.name %}",
    }
    child = {"Add": {**DONE, "Output": "{% $states.input.n + $states.input.index %}"}}
    output = {"sums": "{% $states.result %}", "name": "{% $states.input.name %}"}
    state = mapping(child, Items="{% $states.input.items %}", ItemSelector=selector, Output=output)
    machine = make_machine(laptop, role, {"Each": state})
    found = run(laptop, wait_until, machine, {"items": [10, 20, 30], "name": "x"})
    assert found["output"] == {"sums": [10, 21, 32], "name": "x"}


def test_each_item_is_an_execution_of_a_map_run(laptop, role, wait_until):
    state = mapping({"Done": DONE}, Items="{% $states.input %}", Label="Each")
    machine = make_machine(laptop, role, {"Each": state})
    found = run(laptop, wait_until, machine, [1, 2])
    assert found["output"] == [1, 2]
    client = laptop.client("stepfunctions")
    (started,) = client.list_map_runs(executionArn=found["executionArn"])["mapRuns"]
    counts = client.describe_map_run(mapRunArn=started["mapRunArn"])["executionCounts"]
    assert (counts["total"], counts["succeeded"]) == (2, 2)


@pytest.mark.parametrize(("tolerated", "status"), [(100, "SUCCEEDED"), (40, "FAILED")])
def test_so_many_items_may_fail(laptop, role, wait_until, tolerated, status):
    choice = {"Condition": "{% $states.input = 2 %}", "Next": "No"}
    states = {"Which": {"Type": "Choice", "Choices": [choice], "Default": "Yes"}, "Yes": DONE}
    state = mapping(
        {**states, "No": FAILS},
        Items="{% $states.input %}",
        ToleratedFailurePercentage=tolerated,
    )
    found = run(laptop, wait_until, make_machine(laptop, role, {"Each": state}), [1, 2])
    assert found["status"] == status


def test_an_item_does_not_see_the_variables_outside(laptop, role, wait_until):
    give = {"Type": "Pass", "Assign": {"x": 1}, "Next": "Each"}
    child = {"Read": {**DONE, "Output": "{% $exists($x) %}"}}
    states = {"Give": give, "Each": mapping(child, Items="{% [1] %}")}
    found = run(laptop, wait_until, make_machine(laptop, role, states))
    assert found["output"] == [False]


def test_items_that_are_no_list_fail_the_state(laptop, role, wait_until):
    state = mapping({"Done": DONE}, Items="{% $states.input.n %}")
    found = run(laptop, wait_until, make_machine(laptop, role, {"Each": state}), {"n": 1})
    assert (found["status"], found["error"]) == ("FAILED", "States.QueryEvaluationError")


def test_the_role_must_be_allowed_to_start_its_own_machine(laptop, wait_until):
    bare = make_role(laptop, STATES, allow("sqs:SendMessage"))
    machine = make_machine(laptop, bare, {"Each": mapping({"Done": DONE}, Items="{% [1] %}")})
    found = run(laptop, wait_until, machine)
    assert (found["status"], found["error"]) == ("FAILED", "States.Permissions")
    assert "states:StartExecution" in found["cause"]
