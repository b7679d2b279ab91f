"""The verbs that watch: what they refuse, ask and say, and the first line of each."""

import argparse
import io
import json
import sys

import pytest

from cli import __main__ as command
from cli import pause, start, status, stop, watching
from cli import sessions as sessions_verb
from cli.errors import InputError
from cli.moments import minutes_in, shown
from cli.price import at_most
from tests.unit.deployed import BUCKET, MINUTE_MS
from whosthere import (
    clock,
    counters,
    locks,
    people,
    record_watch,
    reports,
    sessions,
    settings,
    wishes,
)
from whosthere.clock import now_ms
from whosthere.errors import SessionInputError
from whosthere.sessions import Session


def running(table, camera="front-door", session_id="one", minutes=60.0, **changed):
    """A session that began a minute ago."""
    values = settings.defaults() | {"timeZone": "Europe/Berlin"} | changed
    session = Session(
        id=session_id,
        camera=camera,
        engine="stream-processor",
        execution=f"arn:{session_id}",
        started_ms=now_ms() - MINUTE_MS,
        deadline_ms=now_ms() + round(minutes * MINUTE_MS),
        ended_ms=None,
        ended_by=None,
        held=True,
        settings=settings.from_values(values),
    )
    locks.open_session(table, session, values)
    return session


@pytest.mark.parametrize(
    ("text", "minutes"), [("2h", 120), ("90m", 90), ("1h30m", 90), ("1d", 1440), ("5min", 5)]
)
def test_a_length_of_time_is_read_as_people_write_it(text, minutes):
    assert minutes_in(text) == minutes


@pytest.mark.parametrize("text", ["", "2", "h", "0m", "-1h", "soon", "1h 30"])
def test_what_is_no_length_of_time_is_refused_with_examples(text):
    with pytest.raises(InputError, match="1h30m"):
        minutes_in(text)


def test_a_moment_is_shown_on_the_owners_clock_with_the_day_if_it_is_another():
    noon = 1_800_014_400_000  # 2027-01-15 12:00 UTC, in Kathmandu 17:45
    assert shown(noon, "Asia/Kathmandu", noon) == "17:45 Asia/Kathmandu"
    assert shown(noon, "Asia/Kathmandu", noon - 86_400_000).startswith("Fri 15 Jan 17:45")


def test_two_hours_of_a_stream_processor_cost_at_most_what_the_minutes_cost():
    assert at_most("stream-processor", 120).startswith("at most $14.40 ")
    assert at_most("stream-processor", 0.5).startswith("at most $0.12 ")


def test_images_have_a_price_each_and_no_upper_bound():
    assert "$0.001 for each image" in at_most("image-search", 120)
    assert "at most" not in at_most("image-search", 120)


def start_options(*arguments):
    parser = argparse.ArgumentParser()
    start.add_arguments(parser)
    return parser.parse_args(arguments)


def test_a_session_is_asked_for_as_the_state_machine_takes_it():
    options = start_options("--until", "06:00", "--set", "strangers=off", "--set", "margin=3.5")
    assert start.asked_for("front-door", options) == {
        "camera": "front-door",
        "until": "06:00",
        "settings": {"strangers": "off", "margin": 3.5},
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--minutes", "1441"], "1440"),
        (["--minutes", "0"], "minutes"),
        (["--until", "6 o'clock"], "until"),
        (["--until", "24:00"], "until"),
        (["--minutes", "5", "--set", "strangers=maybe"], "settings.strangers"),
        (["--minutes", "5", "--set", "colour=red"], "colour"),
    ],
)
def test_a_session_that_cannot_be_is_refused_before_aws_is_asked(arguments, told):
    with pytest.raises(SessionInputError, match=told):
        start.asked_for("front-door", start_options(*arguments))


def executions(target):
    machine = target.outputs["StateMachineArn"]
    return target.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]


def test_a_busy_camera_is_refused_with_its_session_and_until_when(verb, target, table):
    session = running(table)
    until = shown(session.deadline_ms, "Europe/Berlin", now_ms())
    with pytest.raises(InputError, match=f"session one runs until {until}"):
        verb(start, "front-door", "--minutes", "5", "--yes")
    assert executions(target) == []


def test_starting_on_aws_asks_once_and_no_means_no(verb, target, monkeypatch, capsys):
    terminal = io.StringIO("n\n")
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", terminal)
    with pytest.raises(InputError, match="nothing was started"):
        verb(start, "front-door", "--minutes", "120")
    asked = capsys.readouterr().err
    assert asked.count("[y/N]") == 1
    assert "front-door until " in asked and "at most $14.40" in asked
    assert executions(target) == []


def test_where_nobody_can_answer_yes_has_to_be_said(verb, target, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(InputError, match="--yes"):
        verb(start, "front-door", "--minutes", "5")
    assert executions(target) == []


def test_which_camera_has_to_be_said_if_there_are_two(verb):
    with pytest.raises(InputError, match="front-door, back-door"):
        verb(start, "--minutes", "5")


def test_a_bad_settings_file_is_told_before_anything_starts(verb, target):
    target.client("s3").put_object(Bucket=BUCKET, Key="settings.json", Body=b'{"tell": "all"}')
    with pytest.raises(InputError, match=r"settings.json: tell"):
        verb(start, "front-door", "--minutes", "5", "--yes")


def test_stopping_where_nothing_runs_is_no_error(verb):
    assert verb(stop, "front-door") == (0, "front-door: no session runs\n")


def test_stop_flags_the_session_and_answers_with_its_id(verb, table):
    running(table)
    code, out = verb(stop, "front-door", "--no-wait", "--json")
    assert (code, json.loads(out)["session"]) == (0, "one")
    lock = table.get_item(Key=sessions.lock_key("front-door"))["Item"]
    assert lock["stopRequested"] is True


def test_status_tells_of_every_camera_what_it_does_since_and_until_when(verb, table):
    session = running(table)
    code, out = verb(status, "--json")
    front, back = json.loads(out)["cameras"]
    assert (code, back["state"], back["session"]) == (0, "free", None)
    assert (front["state"], front["engine"]) == ("waiting for video", "stream-processor")
    assert front["until"] == clock.iso(session.deadline_ms)
    assert (front["visits"], front["strangers"], front["lastRecord"]) == (0, 0, None)
    _, text = verb(status)
    first, second = text.splitlines()
    assert first.startswith("front-door: waiting for video since ") and "no face yet" in first
    assert second == "back-door: free; never had a session"


def test_status_tells_when_the_last_record_came_and_what_is_wrong(verb, table):
    session = running(table)
    now = now_ms()
    seen = record_watch.Watch(
        18_000, 0, 0, now - 150_000, now - 10_000, problem="Video comes, but no record of it."
    )
    record_watch.keep(table, session, record_watch.Watch(), seen)
    _, text = verb(status)
    assert "Video comes, but no record of it. last record 2 min before the last health" in text
    assert "no face yet" in text
    _, out = verb(status, "--json")
    assert json.loads(out)["cameras"][0]["watch"]["records"] == 18_000


def state(table):
    return watching.watching(table, "front-door", now_ms()).state


def test_the_states_of_a_camera_follow_its_session(table):
    session = running(table)
    assert state(table) == "waiting for video"
    table.update_item(
        Key=sessions.session_key("one"),
        UpdateExpression="SET runningAt = :now",
        ExpressionAttributeValues={":now": now_ms()},
    )
    assert state(table) == "searching"
    wishes.request_pause(table, None, "front-door", now_ms() + MINUTE_MS)
    assert state(table) == "paused"
    wishes.request_stop(table, None, "front-door")
    assert state(table) == "stopping"
    sessions.end_session(table, session, "stop", now_ms())
    locks.unlock(table, session)
    assert state(table) == "free"


def test_sessions_lists_how_each_ended_also_who_was_refused(verb, target, table, monkeypatch):
    ended = running(table, session_id="past")
    sessions.end_session(table, ended, "deadline", now_ms())
    locks.unlock(table, ended)
    running(table, session_id="present")
    machine = target.client("stepfunctions")
    for name in ("past", "present"):
        machine.start_execution(
            stateMachineArn=target.outputs["StateMachineArn"], name=name, input="{}"
        )
    _, out = verb(sessions_verb, "--json")
    found = {one["session"]: one for one in json.loads(out)["sessions"]}
    assert (found["past"]["endedBy"], found["present"]["endedBy"]) == ("deadline", None)
    _, text = verb(sessions_verb)
    assert "its time was over" in text and "front-door" in text


def test_a_report_that_is_not_there_is_told(verb, table):
    running(table)
    with pytest.raises(InputError, match="it still runs"):
        verb(sessions_verb, "one")


def test_a_report_names_who_came_as_the_file_in_the_bucket_does_not(verb, target, table):
    session = running(table, minutes=60)
    table.put_item(Item=people.person_key("p-1") | {"name": "Zoë", "version": 1})
    visit = {"who": "p-1", "first": "2026-11-22T10:00:00.000Z", "last": "2026-11-22T10:01:00.000Z"}
    visit |= {"sightings": 12, "similarity": 97.25, "alert": "sent"}
    counters.add_counts(table, "one", {"records": 44, "dropped_yaw": 2, "sns:Publish": 1})
    session = sessions.end_session(table, session, "stop", now_ms())
    report = reports.make_report(table, session, "", "", {"states:Transition": 40})
    report["visits"] = [visit]
    report["latencies"]["capturedToSent"] = {"p50": 1500, "p95": 2500, "of": 1}
    body = reports.as_json(report)
    target.client("s3").put_object(Bucket=BUCKET, Key=reports.report_key("one"), Body=body)
    _, out = verb(sessions_verb, "one")
    assert "Zoë" not in body.decode() and "\n  Zoë, " in out
    assert "12 sightings, best 97.2 of 100, alert sent" in out
    assert "ended because it was asked to stop" in out
    assert "Records 44, unsure faces 0\nDropped: dropped_yaw 2" in out
    assert "Seconds from capture to alert: 1.5 median, 2.5 p95, of 1" in out
    assert "Called: sns:Publish 1, states:Transition 40" in out
    assert json.loads(verb(sessions_verb, "one", "--json")[1]) == json.loads(body)


def test_watch_is_a_group_of_the_help():
    assert {"start", "stop", "status", "sessions"} <= set(command.GROUPS["watch"])


def test_a_pause_leaves_the_deadline_and_can_be_taken_back(verb, table):
    running(table, minutes=30)
    _, out = verb(pause, "front-door", "1h")
    assert "paused until" in out and "the session's own deadline is sooner" in out
    assert state(table) == "paused"
    assert "front-door: paused until " in verb(status, "front-door")[1]
    _, out = verb(pause, "--off", "front-door")
    assert "goes on" in out and state(table) == "waiting for video"


@pytest.mark.parametrize("words", [[], ["front-door"], ["1h", "2h"], ["a", "b", "1h"]])
def test_a_pause_has_to_say_for_how_long(verb, words):
    with pytest.raises(InputError, match="for how long"):
        verb(pause, *words)


def test_a_camera_without_a_session_cannot_be_paused(verb):
    with pytest.raises(InputError, match="no session runs"):
        verb(pause, "front-door", "1h")
