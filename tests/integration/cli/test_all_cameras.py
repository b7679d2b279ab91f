"""`start --all` and `stop --all` on a deployed stack with three cameras, as its owner types."""

import json

import pytest

from cli.__main__ import main
from local.laptop import ROOT
from tests.support.session.safeguards import denied
from tests.support.stack.command import called
from tests.support.stack.deploy import deploy_beside
from tests.support.stack.deployed import DeployedProduct
from whosthere.session.lock import close_camera

CAMERAS = ("door", "garden", "yard")
QUICK = ["--set", "healthCheckSeconds=2", "--set", "mediaWaitSeconds=300", "--set", "tell=[]"]
START = ["start", "--all", "--minutes", "30", *QUICK]


@pytest.fixture(scope="module")
def three(laptop, stack):
    """The stack once more, with three cameras."""
    return deploy_beside(laptop, stack, f"{stack.name}-three", Cameras=",".join(CAMERAS))


@pytest.fixture(scope="module")
def verb(laptop, three):
    """Run a verb on that stack; its exit code and what it answers in JSON."""

    def run(*arguments):
        words = [*arguments, "--stack", three.name, "--json"]
        done = called(main, words, ROOT, laptop.environment())
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    return run


@pytest.fixture(autouse=True)
def _no_session_stays(verb):
    yield
    verb("stop", "--all")


def results(answer):
    return {one["camera"]: one["result"] for one in answer["cameras"]}


def test_every_camera_is_started_but_a_busy_one_and_all_are_stopped(verb, laptop, three):
    code, before = verb("start", "garden", "--minutes", "30", *QUICK)
    assert code == 0
    code, started = verb(*START)
    assert code == 0
    assert results(started) == {"door": "started", "garden": "busy", "yard": "started"}
    sessions = {one["camera"]: one["session"] for one in started["cameras"]}
    assert sessions["garden"] == before["session"]
    assert len(set(sessions.values())) == 3

    # Each is an execution of its own, with its own lock and deadline.
    listed = laptop.client("stepfunctions").list_executions
    running = listed(stateMachineArn=three.machine_arn, statusFilter="RUNNING")["executions"]
    assert {one["name"] for one in running} == set(sessions.values())
    groups = laptop.client("scheduler").list_schedules(GroupName=f"{three.name}-deadlines")
    assert len(groups["Schedules"]) == 3
    statuses = verb("status")[1]["cameras"]
    assert {one["camera"]: one["session"] for one in statuses} == sessions
    machine = three.machine_arn.replace("-session", "-cameras")
    parents = listed(stateMachineArn=machine)["executions"]
    assert {parent["status"] for parent in parents} == {"SUCCEEDED"}
    times = [parent["stopDate"] - parent["startDate"] for parent in parents]
    assert max(times).total_seconds() < 60

    code, again = verb(*START)
    assert (code, again["counts"]) == (0, {"started": 0, "busy": 3, "refused": 0})

    code, stopped = verb("stop", "--all")
    assert (code, stopped["counts"]["ended"]) == (0, 3)
    assert {one["camera"]: one["session"] for one in stopped["cameras"]} == sessions
    reports = verb("sessions", "--last", "3")[1]["sessions"]
    assert {one["endedBy"] for one in reports} == {"stop"}
    code, nothing = verb("stop", "--all")
    assert (code, nothing["counts"]["free"]) == (0, 3)


def test_one_camera_that_is_refused_stops_no_other(verb, three, laptop):
    table = laptop.session().resource("dynamodb", endpoint_url=laptop.endpoint).Table(three.table)
    close_camera(table, "yard")
    try:
        code, started = verb(*START)
    finally:
        table.delete_item(Key={"pk": "camera#yard", "sk": "lock"})
    assert results(started) == {"door": "started", "garden": "started", "yard": "busy"}
    (yard,) = [one for one in started["cameras"] if one["camera"] == "yard"]
    assert code == 0 and "takes no session any more" in yard["cause"]


def test_a_missing_right_refuses_each_camera_and_names_the_error(verb, three, laptop):
    product = DeployedProduct(laptop, three, inbox="")
    rights = ("dynamodb:GetItem", "dynamodb:UpdateItem")
    with denied(product, "CamerasStateMachineRole", *rights):
        code, started = verb(*START)
        stopped = verb("stop", "--all")
    assert (code, started["counts"]) == (1, {"started": 0, "busy": 0, "refused": 3})
    assert all("DynamoDb" in one["cause"] for one in started["cameras"])
    assert (stopped[0], stopped[1]["counts"]["refused"]) == (1, 3)


def test_a_camera_beside_all_is_no_camera_and_no_all(verb):
    assert "either door or --all" in verb("stop", "door", "--all")[1]
