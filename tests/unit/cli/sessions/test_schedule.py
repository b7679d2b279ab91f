"""`./whosthere schedule`: what EventBridge Scheduler holds afterwards, and what is refused."""

import json

import boto3
import pytest

from cli.commands import schedule
from cli.errors import InputError
from tests.support.stack.moto_target import BUCKET
from whosthere import settings


@pytest.fixture
def scheduled(target, verb):
    """Schedules of the stack: `schedule` with its words, and what Scheduler holds."""
    scheduler = boto3.client("scheduler")
    scheduler.create_schedule_group(Name="whosthere")
    target.outputs["ScheduleGroupName"] = "whosthere"
    target.outputs["ScheduleRoleArn"] = "arn:aws:iam::111122223333:role/schedule"
    target.session.client("s3").put_object(
        Bucket=BUCKET, Key="settings.json", Body=b'{"timeZone": "Europe/Berlin"}'
    )

    def run(*words):
        return verb(schedule, *words)[1]

    def kept(name):
        return scheduler.get_schedule(Name=name, GroupName="whosthere")

    run.kept = kept
    return run


def test_a_schedule_begins_a_session_every_day_on_the_owners_clock(scheduled, target):
    said = scheduled("front-door", "22:00-06:00")
    assert "front-door 22:00-06:00 every day, Europe/Berlin" in said and "at most $57.60" in said
    kept = scheduled.kept("front-door.2200-0600")
    assert kept["ScheduleExpression"] == "cron(0 22 * * ? *)"
    assert kept["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert kept["FlexibleTimeWindow"] == {"Mode": "OFF"}
    request = json.loads(kept["Target"]["Input"])
    settings.check(request, "input", "input")
    assert request == {"camera": "front-door", "until": "06:00"}
    assert kept["Target"]["Arn"] == target.outputs["StateMachineArn"]
    # A start that comes late, and past the end, would last a day.
    assert kept["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"] < 300


def test_schedules_are_listed_by_camera_and_removed_by_their_span(scheduled):
    for words in (["front-door", "22:00-06:00"], ["back-door", "08:00-09:00"]):
        scheduled(*words)
    listed = json.loads(scheduled("--json"))["schedules"]
    assert [(one["camera"], one["span"]) for one in listed] == [
        ("back-door", "08:00-09:00"),
        ("front-door", "22:00-06:00"),
    ]
    assert "front-door" not in scheduled("back-door")
    assert "removed" in scheduled("front-door", "22:00-06:00", "--remove")
    assert "front-door" not in scheduled()
    with pytest.raises(InputError, match="no schedule 22:00-06:00"):
        scheduled("front-door", "22:00-06:00", "--remove")


def test_some_days_have_a_schedule_of_their_own(scheduled):
    said = scheduled("front-door", "22:00-06:00", "--days", "mon-thu,sun")
    assert "front-door 22:00-06:00 mon-thu,sun, Europe/Berlin; each" in said
    kept = scheduled.kept("front-door.2200-0600.mon-thu_sun")
    assert kept["ScheduleExpression"] == "cron(0 22 ? * MON,TUE,WED,THU,SUN *)"
    with pytest.raises(InputError, match="22:00-06:00 mon-thu,sun, which is scheduled already"):
        scheduled("front-door", "22:00-06:00")
    scheduled("front-door", "23:00-08:00", "--days", "fri-sat")
    listed = json.loads(scheduled("--json"))["schedules"]
    assert [one["days"] for one in listed] == [
        ["mon", "tue", "wed", "thu", "sun"],
        ["fri", "sat"],
    ]
    with pytest.raises(InputError, match="no schedule 22:00-06:00 mon"):
        scheduled("front-door", "22:00-06:00", "--days", "mon", "--remove")
    assert "mon-thu,sun" in scheduled("front-door", "22:00-06:00", "--remove")
    scheduled("front-door", "23:00-08:00", "--days", "sat,fri", "--remove")
    assert scheduled() == "nothing is scheduled\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["front-door", "02:30-06:00"], "the clocks of Europe/Berlin skip 02:30"),
        (["garage", "22:00-06:00"], "has no camera garage"),
        (["front-door", "22-6"], "say a camera and a span"),
        (["front-door", "25:00-06:00"], "say a camera and a span"),
        (["22:00-06:00"], "which camera"),
        (["front-door", "--remove"], "say which"),
    ],
)
def test_a_schedule_that_cannot_be_right_is_not_made(scheduled, words, told):
    with pytest.raises(InputError, match=told):
        scheduled(*words)
    assert scheduled() == "nothing is scheduled\n"
