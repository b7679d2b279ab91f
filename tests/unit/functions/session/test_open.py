"""From the input of a session to what the state machine keeps of it."""

from dataclasses import replace

import pytest

from whosthere import settings
from whosthere.errors import SessionInputError
from whosthere.session.open import opened, plan

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
        stack="whosthere",
        video_arn="V",
        data_arn="D",
        bucket="B",
    )
    assert kept["processor"] == "whosthere-front-door-one"
    assert kept["stream"] == "whosthere-front-door"
    assert kept["imagesUri"] == "s3://B/frames/front-door/"
    assert (kept["videoArn"], kept["dataArn"]) == ("V", "D")
    assert kept["deadlineText"] == "09:10"
    assert kept["samplingMilliseconds"] == 500


def test_sampling_is_never_below_what_the_service_takes():
    kept = opened(a_plan(samplingSeconds=0.2), stack="s", video_arn="", data_arn="", bucket="")
    assert kept["samplingMilliseconds"] == 200


@pytest.mark.parametrize(("minutes", "asked", "given"), [(1440, 1, 58), (1440, 60, 60), (60, 1, 3)])
def test_a_long_session_is_checked_as_often_as_its_executions_history_allows(minutes, asked, given):
    plan = replace(a_plan(healthCheckSeconds=asked), deadline_ms=NOW + 60_000 * minutes)
    kept = opened(plan, stack="s", video_arn="", data_arn="", bucket="")
    assert kept["healthCheckSeconds"] == given
    # Of the watching states: five and six events of two tasks, two of a choice.
    assert 60 * minutes / given * 13 < 25_000 * 0.8
