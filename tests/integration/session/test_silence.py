"""What a session does when the camera's video stops, or its records do."""

import json
from contextlib import contextmanager

import pytest

from local.tests.support.laptop.faults import meet
from tests.support.records.data_stream import STREAM, enrolled, put, visit
from tests.support.stack.camera import streaming
from tests.support.stack.outages import switched_off
from whosthere.clock import now_ms
from whosthere.session.health.hysteresis import read_camera_health


def told(product, inbox):
    """Subjects of what the owner was told of problems until now, in order."""
    inbox += [one["subject"] for one in product.messages() if one["kind"] == "problem"]
    return inbox


def test_silence_ends_a_session_that_is_set_so(product, laptop, stack, tmp_path, wait_until):
    with streaming(laptop, tmp_path):
        execution = product.start(onSilence="end", silenceLimitSeconds=5)
        wait_until(lambda: product.is_watching(execution))
    found = product.ended(execution)
    assert json.loads(found["output"])["endedBy"] == "silence"
    assert product.nothing_is_left()


@pytest.mark.long  # waits through three silences
def test_silence_is_told_once_and_so_is_its_end_and_one_that_lasts_ends_the_session(
    product, laptop, stack, tmp_path, wait_until
):
    inbox = []
    limits = {"healthCheckSeconds": 1, "onSilence": "end", "silenceLimitSeconds": 45}
    with streaming(laptop, tmp_path):
        execution = product.start(**limits)
        wait_until(lambda: product.is_watching(execution))
    wait_until(lambda: "No video from front-door" in told(product, inbox))
    with streaming(laptop, tmp_path):
        wait_until(lambda: "Video is back at front-door" in told(product, inbox))
    assert inbox == ["No video from front-door", "Video is back at front-door"]
    found = product.ended(execution, 90)
    told(product, inbox)
    assert inbox[2:] == ["Video comes and goes at front-door"]
    assert json.loads(found["output"])["endedBy"] == "silence"
    assert product.nothing_is_left()


def test_a_camera_that_comes_and_goes_has_three_messages(
    product, laptop, stack, tmp_path, wait_until
):
    inbox, row = [], {}

    def stops():
        row.update(product.row(execution) or {})
        told(product, inbox)
        return row.get("check", {}).get("video_stops", 0)

    with streaming(laptop, tmp_path):
        execution = product.start(5, healthCheckSeconds=1, silenceSeconds=2)
        wait_until(lambda: product.is_watching(execution), 60)
    wait_until(lambda: stops() == 1 and len(inbox) == 1, 30)
    with streaming(laptop, tmp_path):
        wait_until(lambda: stops() == 1 and len(inbox) == 2, 60)
    for number in (2, 3):
        wait_until(lambda number=number: stops() >= number, 30)
        with streaming(laptop, tmp_path):
            wait_until(lambda: not silent(product), 60)
    product.stop()
    product.ended(execution)
    told(product, inbox)
    assert inbox == [
        "No video from front-door",
        "Video is back at front-door",
        "Video comes and goes at front-door",
    ]
    assert product.report(execution)["stops"]["video"] >= 3
    assert product.nothing_is_left()


def silent(product):
    """Whether the checks see no video."""
    return read_camera_health(product.table, "front-door").video.stopped


def test_a_camera_that_sends_nothing_starts_no_processor(product, wait_until):
    wait_until(product.is_dark, 20)
    found = product.ended(product.start(mediaWaitSeconds=3))
    assert json.loads(found["output"])["endedBy"] == "no-media"
    assert "runningAt" not in product.row(found["executionArn"])
    assert product.nothing_is_left()


LIMITS = {"healthCheckSeconds": 1, "recordsMissingSeconds": 3, "silenceSeconds": 60}
FAILED, BACK = "Faces are not searched at front-door", "Faces are searched again at front-door"
FLAPPING = "Face search comes and goes at front-door"


@contextmanager
def searching(product, laptop, tmp_path, wait_until):
    """A session whose records come; gives its execution, and stops it."""
    try:
        with streaming(laptop, tmp_path):
            execution = product.start(5, **LIMITS)
            wait_until(lambda: watched(product, execution).get("records", 0) > 5, 90)
            yield execution
            product.stop()
            product.ended(execution)
    finally:
        meet(laptop)


def test_records_that_stop_are_told_once_and_so_is_their_return(
    product, laptop, stack, tmp_path, wait_until
):
    inbox = []
    with searching(product, laptop, tmp_path, wait_until) as execution:
        meet(laptop, {"stream": STREAM, "records": "lost"})
        wait_until(lambda: told(product, inbox) == [FAILED], 60)
        assert "but no record of it" in watched(product, execution)["problem"]
        meet(laptop)
        wait_until(lambda: told(product, inbox) == [FAILED, BACK], 60)
    assert product.report(execution)["watch"]["records"] > 5
    assert told(product, inbox) == [FAILED, BACK]


@pytest.mark.long  # waits through three changes of the records' health
def test_records_that_are_unreadable_or_not_used_are_told_once_and_so_is_their_end(
    product, laptop, stack, tmp_path, wait_until
):
    inbox = []
    with searching(product, laptop, tmp_path, wait_until) as execution:
        meet(laptop, {"stream": STREAM, "records": "empty"})
        wait_until(lambda: told(product, inbox) == [FAILED], 60)
        assert "none of them is JSON" in watched(product, execution)["problem"]
        meet(laptop)
        wait_until(lambda: told(product, inbox) == [FAILED, BACK], 60)
        with switched_off(product, "AlertPerson"):
            put(laptop, *visit(enrolled(product.table, "Alice"), now_ms()))
            wait_until(lambda: told(product, inbox) == [FAILED, BACK, FLAPPING], 60)
            assert "none of them is used" in watched(product, execution)["problem"]
        wait_until(lambda: not watched(product, execution)["problem"], 60)
    seen = product.report(execution)["watch"]
    assert seen["records"] > seen["unreadable"] > 5
    assert seen["withFace"] == 1 and seen["last"]
    assert told(product, inbox) == [FAILED, BACK, FLAPPING]
    assert product.report(execution)["stops"]["records"] == 2


def watched(product, execution):
    """What the session's watch over its records says."""
    return (product.row(execution) or {}).get("watch", {})
