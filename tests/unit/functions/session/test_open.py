"""From the input of a session to what the state machine keeps of it."""

import itertools
from dataclasses import replace

import pytest

from whosthere import settings
from whosthere.errors import SessionInputError
from whosthere.session.open import after_failed_check, health_check_s, opened, plan

NOW = 1_800_000_000_000


def a_plan(request=None, session_id="one", **changes):
    values = settings.defaults() | changes
    return plan(
        request or {"camera": "front-door", "minutes": 10},
        values,
        stack="whosthere",
        engine="stream-processor",
        session_id=session_id,
        execution="arn:one",
        started_ms=NOW,
    )


def test_a_plan_has_its_deadline():
    assert a_plan().deadline_ms == NOW + 600_000


def test_a_name_that_cannot_name_a_processor_is_refused():
    with pytest.raises(SessionInputError):
        a_plan(session_id="not a name")


def test_the_state_machine_gets_names_arns_and_numbers():
    kept = opened(
        a_plan(timeZone="Europe/Berlin", samplingSeconds=0.5),
        requests=7,
        stack="whosthere",
        video_arn="V",
        data_arn="D",
        bucket="B",
        region="us-east-1",
    )
    assert kept["processor"] == "whosthere-front-door-one"
    assert kept["stream"] == "whosthere-front-door"
    images = kept["imageGeneration"]
    assert images["DestinationConfig"] == {
        "Uri": "s3://B/frames/front-door/",
        "DestinationRegion": "us-east-1",
    }
    assert kept["lockKey"] == {"pk": {"S": "camera#front-door"}, "sk": {"S": "lock"}}
    assert (kept["videoArn"], kept["dataArn"]) == ("V", "D")
    assert images["SamplingInterval"] == 500
    assert (kept["requests"], kept["deadline"]) == ("7", NOW / 1000 + 600)


def test_sampling_is_never_below_what_the_service_takes():
    kept = opened(
        a_plan(samplingSeconds=0.2),
        requests=0,
        stack="s",
        video_arn="",
        data_arn="",
        bucket="",
        region="",
    )
    assert kept["imageGeneration"]["SamplingInterval"] == 200


@pytest.mark.parametrize(("minutes", "asked", "given"), [(1440, 1, 60), (1440, 90, 90), (60, 1, 3)])
def test_a_long_session_is_checked_as_often_as_its_executions_history_allows(minutes, asked, given):
    plan = replace(a_plan(healthCheckSeconds=asked), deadline_ms=NOW + 60_000 * minutes)
    assert health_check_s(plan) == given
    # A check and its sleep: tests/statemachine/test_session.py counts their events.
    assert 60 * minutes / given * 13 < 25_000 * 0.8


@pytest.mark.parametrize("every", [1, 60, 900])
def test_failed_checks_are_slept_over_ever_longer_and_ten_in_a_row_end_the_session(every):
    *sleeps, end = after_failed_check(every)
    assert [one["next"] for one in sleeps] == ["sleep"] * 9
    assert end["next"] == "end"
    seconds = [every] + [one["sleepSeconds"] for one in sleeps]
    for before, after in itertools.pairwise(seconds):
        assert after == max(every, min(600, 2 * before))
