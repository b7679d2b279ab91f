"""What a session does when the camera's video stops."""

import json

from tests.local.camera import streaming


def test_silence_ends_a_session_that_is_set_so(door, laptop, stack, tmp_path, wait_until):
    with streaming(laptop, tmp_path):
        execution = door.start(onSilence="end")
        wait_until(lambda: door.is_watching(execution), 40)
    found = door.ended(execution)
    assert json.loads(found["output"])["endedBy"] == "silence"
    assert door.nothing_is_left()


def test_a_camera_that_sends_nothing_starts_no_processor(door, wait_until):
    wait_until(door.is_dark, 20)
    found = door.ended(door.start(mediaWaitSeconds=3))
    assert json.loads(found["output"])["endedBy"] == "no-media"
    assert "runningAt" not in door.row(found["executionArn"])
    assert door.nothing_is_left()
