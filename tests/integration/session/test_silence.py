"""What a session does when the camera's video stops, or its records do."""

import json
from contextlib import contextmanager

import pytest

from local.tests.support.faults import meet
from tests.support.camera import streaming
from tests.support.outages import switched_off
from tests.support.records import STREAM, enrolled, put, visit
from whosthere.clock import now_ms


def told(door, inbox):
    """Subjects of what the owner was told of problems until now, in order."""
    inbox += [one["subject"] for one in door.messages() if one["kind"] == "problem"]
    return inbox


def test_silence_ends_a_session_that_is_set_so(door, laptop, stack, tmp_path, wait_until):
    with streaming(laptop, tmp_path):
        execution = door.start(onSilence="end", silenceLimitSeconds=5)
        wait_until(lambda: door.is_watching(execution), 40)
    found = door.ended(execution)
    assert json.loads(found["output"])["endedBy"] == "silence"
    assert door.nothing_is_left()


@pytest.mark.long
def test_silence_is_told_once_and_so_is_its_end_and_one_that_lasts_ends_the_session(
    door, laptop, stack, tmp_path, wait_until
):
    inbox = []
    limits = {"healthCheckSeconds": 1, "onSilence": "end", "silenceLimitSeconds": 45}
    with streaming(laptop, tmp_path):
        execution = door.start(**limits)
        wait_until(lambda: door.is_watching(execution), 40)
    wait_until(lambda: "No video from front-door" in told(door, inbox), 30)
    with streaming(laptop, tmp_path):
        wait_until(lambda: "Video is back at front-door" in told(door, inbox), 30)
    assert inbox == ["No video from front-door", "Video is back at front-door"]
    found = door.ended(execution, 90)
    told(door, inbox)
    assert inbox[2:] == ["No video from front-door"]
    assert json.loads(found["output"])["endedBy"] == "silence"
    assert door.nothing_is_left()


def test_a_camera_that_sends_nothing_starts_no_processor(door, wait_until):
    wait_until(door.is_dark, 20)
    found = door.ended(door.start(mediaWaitSeconds=3))
    assert json.loads(found["output"])["endedBy"] == "no-media"
    assert "runningAt" not in door.row(found["executionArn"])
    assert door.nothing_is_left()


LIMITS = {"healthCheckSeconds": 1, "recordsMissingSeconds": 3, "silenceSeconds": 60}
FAILED, BACK = "Faces are not searched at front-door", "Faces are searched again at front-door"


@contextmanager
def searching(door, laptop, tmp_path, wait_until):
    """A session whose records come; gives its execution, and stops it."""
    try:
        with streaming(laptop, tmp_path):
            execution = door.start(5, **LIMITS)
            wait_until(lambda: watched(door, execution).get("records", 0) > 5, 90)
            yield execution
            door.stop()
            door.ended(execution)
    finally:
        meet(laptop)


def test_records_that_stop_are_told_once_and_so_is_their_return(
    door, laptop, stack, tmp_path, wait_until
):
    inbox = []
    with searching(door, laptop, tmp_path, wait_until) as execution:
        meet(laptop, {"stream": STREAM, "records": "lost"})
        wait_until(lambda: told(door, inbox) == [FAILED], 60)
        assert "but no record of it" in watched(door, execution)["problem"]
        meet(laptop)
        wait_until(lambda: told(door, inbox) == [FAILED, BACK], 60)
    assert door.report(execution)["watch"]["records"] > 5
    assert told(door, inbox) == [FAILED, BACK]


@pytest.mark.long
def test_records_that_are_unreadable_or_not_used_are_told_once_each_and_so_is_their_end(
    door, laptop, stack, tmp_path, wait_until
):
    inbox = []
    with searching(door, laptop, tmp_path, wait_until) as execution:
        meet(laptop, {"stream": STREAM, "records": "empty"})
        wait_until(lambda: told(door, inbox) == [FAILED], 60)
        assert "none of them is JSON" in watched(door, execution)["problem"]
        meet(laptop)
        wait_until(lambda: told(door, inbox) == [FAILED, BACK], 60)
        with switched_off(door, "AlertPerson"):
            put(laptop, *visit(enrolled(door.table, "Alice"), now_ms()))
            wait_until(lambda: told(door, inbox) == [FAILED, BACK, FAILED], 60)
            assert "none of them is used" in watched(door, execution)["problem"]
        wait_until(lambda: told(door, inbox) == [FAILED, BACK, FAILED, BACK], 60)
    seen = door.report(execution)["watch"]
    assert seen["records"] > seen["unreadable"] > 5
    assert seen["withFace"] == 1 and seen["last"]
    assert told(door, inbox) == [FAILED, BACK, FAILED, BACK]


def watched(door, execution):
    """What the session's watch over its records says."""
    return (door.row(execution) or {}).get("watch", {})
