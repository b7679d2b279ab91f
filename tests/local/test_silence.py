"""What a session does when the camera's video stops."""

import json

import pytest

from tests.local.camera import streaming


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
