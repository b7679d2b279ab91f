"""`start --all` and `stop --all`: what the machine is asked, and how its answer is read."""

import io
import json
import sys

import pytest

from cli.aws.sessions import all_cameras, session_stop
from cli.aws.sessions.all_cameras import CameraResult, machine_input
from cli.commands import start, stop
from cli.errors import InputError, VerbError
from tests.support.stack.moto_target import running_session
from whosthere.session.lock import unlock

MINUTES = ("--all", "--minutes", "120")


@pytest.fixture
def described(target, monkeypatch):
    """Let DescribeExecution answer what a function makes of an execution's input; all else moto."""
    client, make = target.session.client("stepfunctions"), target.session.client
    whole = client.describe_execution

    def answered_by(answer):
        def describe(executionArn):
            found = whole(executionArn=executionArn)
            return found | answer(json.loads(found["input"]))

        monkeypatch.setattr(client, "describe_execution", describe)

    def clients(name, **more):
        return client if name == "stepfunctions" else make(name, **more)

    monkeypatch.setattr(target.session, "client", clients)
    return answered_by


@pytest.fixture
def answer(described):
    """Let the cameras' machine end at once with this; what it was asked is noted."""
    asked = []

    def ended(output=None, status="SUCCEEDED", **more):
        def of(given):
            asked.append(given)
            return {"status": status, "output": json.dumps(output), **more}

        described(of)
        return asked

    return ended


def test_each_session_of_many_has_a_name_of_its_own():
    cameras = [f"camera-{number}" for number in range(1000)]
    given = machine_input(cameras, "start", {"minutes": 1})
    assert len({one["session"] for one in given["cameras"]}) == 1000
    assert given["cameras"][7]["lockKey"] == {"pk": {"S": "camera#camera-7"}, "sk": {"S": "lock"}}


def test_the_input_of_as_many_cameras_as_fit_into_a_stack_fits_into_an_execution():
    """Step Functions quotas: 262,144 characters; CloudFormation's: 4,096 of a parameter's value."""
    cameras = [f"{number:02d}".rjust(32, "c") for number in range(4096 // 33)]
    settings = {f"setting{number}": "x" * 100 for number in range(50)}
    given = machine_input(cameras, "start", {"minutes": 1, "settings": settings})
    assert len(json.dumps(given)) < 262_144 // 4


def test_all_cameras_are_asked_once_with_the_sum_of_the_cost(verb, target, monkeypatch, capsys):
    terminal = io.StringIO("n\n")
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", terminal)
    with pytest.raises(InputError, match="nothing was started"):
        verb(start, *MINUTES)
    asked = capsys.readouterr().err
    assert asked.count("[y/N]") == 1
    assert "2 cameras (front-door, back-door) until " in asked and "at most $29.37" in asked


def test_what_became_of_each_camera_is_printed_and_a_refusal_is_the_exit_code(verb, answer, table):
    running_session(table, "front-door", "one")
    refused = {"camera": "back-door", "result": "refused", "cause": "Sfn.SfnException: no"}
    asked = answer([refused, {"camera": "front-door", "result": "started", "session": "one"}])
    code, said = verb(start, *MINUTES, "--yes")
    assert code == 1
    first, second, last = said.splitlines()
    assert first.split() == ["front-door", "started", "one"]
    assert second.split() == ["back-door", "refused", "Sfn.SfnException:", "no"]
    assert last == "1 started, 0 busy, 1 refused"
    (given,) = asked
    assert (given["action"], given["request"]) == ("start", {"minutes": 120.0})


def test_a_busy_camera_is_no_failure(verb, answer):
    answer(
        [{"camera": one, "result": "busy", "session": "s"} for one in ("front-door", "back-door")]
    )
    code, said = verb(start, *MINUTES, "--yes", "--json")
    assert (code, json.loads(said)["counts"]) == (0, {"started": 0, "busy": 2, "refused": 0})


def test_a_camera_that_the_machine_did_not_mention_is_refused(verb, answer):
    answer([{"camera": "front-door", "result": "free"}, None])
    code, said = verb(stop, "--all", "--json")
    results = {one["camera"]: one["result"] for one in json.loads(said)["cameras"]}
    assert (code, results) == (1, {"front-door": "free", "back-door": "refused"})


def test_a_machine_that_fails_is_told_with_its_cause(verb, answer):
    answer(status="FAILED", error="States.Permissions", cause="may not start its items")
    with pytest.raises(VerbError, match="may not start its items"):
        verb(stop, "--all")


@pytest.mark.parametrize(
    ("error", "result"), [("CameraBusyError", "busy"), ("SessionInputError", "refused")]
)
def test_a_session_that_ends_at_its_opening_has_not_started(target, described, error, result):
    machine, states = target.output("StateMachineArn"), target.session.client("stepfunctions")
    states.start_execution(stateMachineArn=machine, name="s1", input="{}")
    described(lambda _given: {"status": "FAILED", "error": error, "cause": "why"})
    one = CameraResult("front-door", "started", "s1")
    (found,) = all_cameras._opened(target, [one], all_cameras.Progress())
    assert (found.result, found.cause) == (result, "why")


def test_a_session_that_opens_late_has_started_all_the_same(target, monkeypatch):
    monkeypatch.setattr(all_cameras, "OPEN_TIMEOUT_SECONDS", -1)
    machine, states = target.output("StateMachineArn"), target.session.client("stepfunctions")
    states.start_execution(stateMachineArn=machine, name="late", input="{}")
    one = CameraResult("front-door", "started", "late")
    (found,) = all_cameras._opened(target, [one], all_cameras.Progress())
    assert found.result == "started" and "./whosthere status" in found.cause


def test_stopping_waits_until_each_session_has_freed_its_camera(verb, answer, table, monkeypatch):
    session = running_session(table, "front-door", "one")
    answer(
        [
            {"camera": "front-door", "result": "stopping", "session": "one"},
            {"camera": "back-door", "result": "free"},
        ]
    )
    freed = []
    monkeypatch.setattr(session_stop.time, "sleep", lambda _: freed.append(unlock(table, session)))
    code, said = verb(stop, "--all")
    assert (code, freed) == (0, [True])
    assert said.splitlines()[-1] == "1 ended, 0 stopping, 1 free, 0 refused"


@pytest.mark.parametrize("module", [start, stop])
def test_one_camera_beside_all_is_refused(verb, module):
    more = MINUTES[1:] if module is start else ()
    with pytest.raises(InputError, match="either front-door or --all"):
        verb(module, "front-door", "--all", *more)
