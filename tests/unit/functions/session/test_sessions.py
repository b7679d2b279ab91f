"""The camera's lock and the session's row, on moto's DynamoDB."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.statemachine.machine import blocks, states_of
from tests.support.stack.sam import definition
from whosthere import clock, dynamodb, metrics, settings
from whosthere import session_store as sessions
from whosthere.errors import CameraBusyError, LockLostError, SessionInputError
from whosthere.names import camera_of_arn, processor_name
from whosthere.session import lock as locks
from whosthere.session import requests as wishes
from whosthere.session.open import deadline_of
from whosthere.session_store import Session

NOW = 1_800_000_000_000
VALUES = settings.defaults() | {"margin": 1.5}


def a_session(session_id="one", camera="front-door"):
    return Session(
        id=session_id,
        camera=camera,
        engine="stream-processor",
        execution=f"arn:{session_id}",
        started_ms=NOW,
        deadline_ms=NOW + 60_000,
        ended_ms=None,
        ended_by=None,
        held=True,
        settings=settings.from_values(VALUES),
    )


def opened(table, session_id="one", camera="front-door"):
    session = a_session(session_id, camera)
    locks.open_session(table, session, VALUES)
    return session


def requests_to(table, session):
    return wishes.read_requests(table, session.camera, session.id)


class Waker:
    """Step Functions' client as far as waking goes."""

    def __init__(self, code=None):
        self.woken, self.code = [], code

    def send_task_success(self, **given):
        if self.code:
            raise ClientError({"Error": {"Code": self.code, "Message": ""}}, "SendTaskSuccess")
        self.woken.append(given["taskToken"])


def test_an_opened_session_is_read_back_as_it_was(table):
    session = opened(table)
    assert sessions.latest_session(table, "front-door") == session
    assert sessions.read_session(table, "one") == session


def test_no_session_has_been(table):
    assert sessions.latest_session(table, "front-door") is None
    assert sessions.read_session(table, "one") is None


def test_a_second_session_on_a_camera_is_refused_and_told_which_runs(table):
    opened(table)
    with pytest.raises(
        CameraBusyError, match=r"front-door is held by session one until 2027-01-15T"
    ):
        opened(table, "two")
    assert sessions.latest_session(table, "front-door").id == "one"


def test_another_camera_is_free(table):
    opened(table)
    opened(table, "two", "back-door")
    assert sessions.latest_session(table, "back-door").id == "two"


def test_opening_again_after_a_lost_answer_is_no_conflict(table):
    opened(table)
    opened(table)
    assert sessions.latest_session(table, "front-door").held


def test_unlocking_frees_the_camera_and_the_session_stays_the_latest(table):
    session = opened(table)
    assert locks.unlock(table, session) is True
    latest = sessions.latest_session(table, "front-door")
    assert (latest.id, latest.held) == ("one", False)
    opened(table, "two")
    assert sessions.latest_session(table, "front-door").id == "two"


def test_a_late_unlock_of_one_session_does_not_touch_the_next(table):
    first = opened(table)
    locks.unlock(table, first)
    opened(table, "two")
    assert locks.unlock(table, first) is False
    assert sessions.latest_session(table, "front-door").held


def test_a_new_session_inherits_no_stop_request_and_no_token(table):
    first = opened(table)
    add_token(table)
    wishes.request_stop(table, Waker(), "front-door")
    locks.unlock(table, first)
    second = opened(table, "two")
    assert requests_to(table, second).stop is False
    assert "token" not in table.get_item(Key=sessions.lock_key("front-door"))["Item"]


def add_token(table):
    table.update_item(
        Key=sessions.lock_key("front-door"),
        UpdateExpression="SET #token = :token",
        ExpressionAttributeNames={"#token": "token"},
        ExpressionAttributeValues={":token": "T"},
    )


def test_opening_answers_with_the_requests_that_the_camera_ever_had(table):
    first = opened(table)
    assert locks.open_session(table, first, VALUES) == 0
    wishes.request_stop(table, Waker(), "front-door")
    locks.unlock(table, first)
    second = replace(first, id="two")
    assert locks.open_session(table, second, VALUES) == 1
    assert requests_to(table, second).count == 1


def test_a_stop_request_is_noted_and_wakes_whoever_watches(table):
    session = opened(table)
    add_token(table)
    waker = Waker()
    assert wishes.request_stop(table, waker, "front-door") == "one"
    assert waker.woken == ["T"]
    assert requests_to(table, session).stop


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist"])
def test_a_stale_token_is_no_error(table, code):
    session = opened(table)
    add_token(table)
    wishes.request_stop(table, Waker(code), "front-door")
    assert requests_to(table, session).stop


def test_a_refused_wake_up_is_an_error(table):
    opened(table)
    add_token(table)
    with pytest.raises(ClientError):
        wishes.request_stop(table, Waker("AccessDeniedException"), "front-door")


def test_stopping_where_nothing_runs_says_so(table):
    assert wishes.request_stop(table, Waker(), "front-door") is None
    locks.unlock(table, opened(table))
    assert wishes.request_stop(table, Waker(), "front-door") is None


def test_a_pause_is_noted_wakes_whoever_watches_and_is_not_inherited(table):
    session = opened(table)
    add_token(table)
    waker = Waker()
    assert wishes.request_pause(table, waker, "front-door", NOW + 5000) == "one"
    assert waker.woken == ["T"]
    assert requests_to(table, session).paused_until_ms == NOW + 5000
    locks.unlock(table, session)
    second = opened(table, "two")
    assert requests_to(table, second).paused_until_ms == 0
    assert requests_to(table, session) == wishes.SessionRequests()


def test_requests_are_counted_and_the_count_outlives_sessions(table):
    session = opened(table)
    assert requests_to(table, session).count == 0
    wishes.request_pause(table, Waker(), "front-door", NOW)
    wishes.request_stop(table, Waker(), "front-door")
    opened(table)  # a late copy of the opening hides no request
    assert requests_to(table, session).count == 2
    locks.unlock(table, session)
    assert requests_to(table, opened(table, "two")).count == 2


def by_machine(table, machine, state, **values):
    """Write the lock's row as a state does; return whether the state's condition allows it."""
    arguments = states_of(blocks(definition(machine)))[state]["Arguments"]
    given = arguments["ExpressionAttributeValues"]
    arguments |= {"TableName": table.name, "Key": LOCK_KEY}
    values = {f":{name}": value for name, value in values.items()}
    assert given.keys() >= values.keys()
    try:
        boto3.client("dynamodb").update_item(
            **arguments | {"ExpressionAttributeValues": given | values}
        )
    except ClientError as error:
        assert dynamodb.condition_failed(error)
        return False
    return True


LOCK_KEY = {name: {"S": value} for name, value in sessions.lock_key("front-door").items()}


def test_the_machine_of_all_cameras_asks_for_a_stop_as_the_verb_does(table):
    session = opened(table)
    before = table.get_item(Key=sessions.lock_key("front-door"))["Item"]
    wishes.request_stop(table, Waker(), "front-door")
    by_verb = table.get_item(Key=sessions.lock_key("front-door"))["Item"]
    table.put_item(Item=before)
    assert by_machine(table, "cameras", "RequestStop")
    assert table.get_item(Key=sessions.lock_key("front-door"))["Item"] == by_verb
    locks.unlock(table, session)
    assert not by_machine(table, "cameras", "RequestStop")


def test_only_the_session_that_holds_the_camera_sleeps(table):
    session = opened(table)

    def sleeps(id):
        values = {"token": {"S": "t"}, "session": {"S": id}, "requests": {"N": "0"}}
        return by_machine(table, "session", "Sleep", **values)

    assert sleeps(session.id)
    assert not sleeps("two")
    locks.unlock(table, session)
    assert not sleeps(session.id)
    locks.reacquire(table, session)
    assert sleeps(session.id)
    table.update_item(Key=sessions.lock_key("front-door"), UpdateExpression="REMOVE heldBy")
    assert not sleeps(session.id)
    assert locks.make_whole(table, session) and sleeps(session.id)


def test_a_lock_without_a_count_gets_one_from_the_session_that_holds_it(table):
    session = opened(table)
    table.update_item(Key=sessions.lock_key("front-door"), UpdateExpression="REMOVE requests")
    assert requests_to(table, session).count is None
    assert not locks.make_whole(table, a_session("two"))
    assert locks.make_whole(table, session)
    assert requests_to(table, session).count == 0
    wishes.request_pause(table, Waker(), "front-door", NOW)
    locks.make_whole(table, session)
    assert requests_to(table, session).count == 1


def test_what_was_cancelled_is_never_opened_and_locks_nothing(table):
    assert sessions.cancel(table, "one", NOW) is True
    with pytest.raises(LockLostError):
        opened(table)
    assert sessions.read_session(table, "one") is None
    assert sessions.latest_session(table, "front-door") is None


def test_an_open_session_cannot_be_cancelled(table):
    session = opened(table)
    assert sessions.cancel(table, "one", NOW) is False
    assert sessions.read_session(table, "one") == session


def test_the_first_ending_stays(table):
    session = opened(table)
    sessions.end_session(table, session, "stop", NOW + 5)
    ended = sessions.end_session(table, session, "failed", NOW + 9)
    assert (ended.ended_ms, ended.ended_by) == (NOW + 5, "stop")


def test_counts_add_up(table):
    opened(table)
    metrics.add_counts(table, "one", {"records": 3, "unsure": 0})
    metrics.add_counts(table, "one", {"records": 2, "too small": 1})
    row = table.get_item(Key=sessions.session_key("one"))["Item"]
    assert row["counts"] == {"records": 5, "too small": 1}


def test_nothing_to_count_writes_nothing(table):
    metrics.add_counts(table, "nobody", {})
    assert sessions.read_session(table, "nobody") is None


@pytest.mark.parametrize(
    ("now", "until", "zone", "deadline"),
    [
        ("2026-11-22T22:00", "06:00", "Europe/Berlin", "2026-11-23T06:00"),
        ("2026-11-22T05:00", "06:00", "Europe/Berlin", "2026-11-22T06:00"),
        ("2026-11-22T06:00", "06:00", "Europe/Berlin", "2026-11-23T06:00"),
        # summer time begins (the night has 7 of 8 hours) and ends (9 of 8)
        ("2026-03-28T22:00", "06:00", "Europe/Berlin", "2026-03-29T06:00"),
        ("2026-10-24T22:00", "06:00", "Europe/Berlin", "2026-10-25T06:00"),
    ],
)
def test_until_is_the_next_such_time_on_the_owners_clock(now, until, zone, deadline):
    there = ZoneInfo(zone)
    now_ms = round(datetime.fromisoformat(now).replace(tzinfo=there).timestamp() * 1000)
    found = deadline_of({"until": until}, now_ms, zone)
    assert datetime.fromtimestamp(found / 1000, there).isoformat()[:16] == deadline


def test_no_session_is_longer_than_a_day():
    berlin = ZoneInfo("Europe/Berlin")
    now = datetime(2026, 10, 24, 6, 0, 1, tzinfo=berlin)  # the next 06:00 is 25 h away
    now_ms = round(now.timestamp() * 1000)
    assert deadline_of({"until": "06:00"}, now_ms, "Europe/Berlin") - now_ms == 86_400_000


def test_minutes_count_from_the_start():
    assert deadline_of({"minutes": 1.5}, NOW, "UTC") == NOW + 90_000


def test_a_processor_is_named_after_its_session():
    assert processor_name("whosthere", "front-door", "one") == "whosthere-front-door-one"


@pytest.mark.parametrize("session_id", ["", "a b", "ü", "x" * 81, "a/b"])
def test_an_execution_name_that_cannot_name_a_processor_is_refused(session_id):
    with pytest.raises(SessionInputError):
        processor_name("whosthere", "front-door", session_id)


def test_a_processor_name_has_128_characters_at_most():
    with pytest.raises(SessionInputError, match="128"):
        processor_name("s" * 100, "front-door", "x" * 30)


@pytest.mark.parametrize("tail", ["", "/1510552593455"])
def test_the_camera_is_read_from_a_streams_arn(tail):
    arn = f"arn:aws:kinesisvideo:us-east-1:111122223333:stream/whosthere-front-door{tail}"
    assert camera_of_arn("whosthere", arn) == "front-door"


def test_another_stacks_stream_is_no_camera():
    with pytest.raises(ValueError):
        camera_of_arn("whosthere", "arn:aws:kinesis:us-east-1:111122223333:stream/other-front-door")


def test_iso_has_milliseconds_and_utc():
    assert clock.iso(NOW + 7) == "2027-01-15T08:00:00.007Z"
    assert replace(a_session(), id="x").id == "x"
