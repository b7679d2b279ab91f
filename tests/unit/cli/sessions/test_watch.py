"""The verbs that watch a session: what they refuse, ask and say, and the first line of each."""

import json
from dataclasses import asdict, replace

import boto3
import pytest

from cli import __main__ as command
from cli.aws.cameras.camera_status import read_camera_status
from cli.commands import pause, status, stop
from cli.commands import sessions as sessions_verb
from cli.errors import InputError
from tests.support.records.alert_harness import face, match, received
from tests.support.stack.moto_target import BUCKET, MINUTE_MS, running_session
from whosthere import clock, metrics
from whosthere import session_store as sessions
from whosthere.clock import now_ms
from whosthere.people import photo_keys, photo_store
from whosthere.people import store as people
from whosthere.session import lock as locks
from whosthere.session import report as reports
from whosthere.session import requests as wishes
from whosthere.session.health import records
from whosthere.session.progress import CheckProgress
from whosthere.session_store import read_session
from whosthere.visits.persons import alert_persons
from whosthere.visits.record_sightings import AlertContext, Lease


def test_stopping_where_nothing_runs_is_no_error(verb):
    assert verb(stop, "front-door") == (0, "front-door: no session runs\n")


def test_stop_flags_the_session_and_answers_with_its_id(verb, table):
    running_session(table)
    code, out = verb(stop, "front-door", "--no-wait", "--json")
    assert (code, json.loads(out)["session"]) == (0, "one")
    lock = table.get_item(Key=sessions.lock_key("front-door"))["Item"]
    assert lock["stopRequested"] is True


def test_status_tells_of_every_camera_what_it_does_since_and_until_when(verb, table):
    session = running_session(table)
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


def test_status_tells_which_photos_are_refused_and_why(verb, table, target):
    s3 = boto3.client("s3")
    for key in ("people/Ann/1.jpg", "people/Ann/2026/1.jpg", "people/ann.jpg", "people/Ben/"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"no picture")
    etag = s3.head_object(Bucket=BUCKET, Key="people/Ann/1.jpg")["ETag"]
    ann = photo_keys.person_id("Ann", target.id)
    row = photo_store.PhotoRow(
        "people/Ann/1.jpg", etag, "", "", "refused", "It is too dark.", (), 0
    )
    photo_store.write_photo(table, ann, photo_keys.parse_photo_key(row.key), row)
    _, text = verb(status)
    misplaced = "A photo has to lie in the folder of its person: people/<name>/<file>."
    assert text.splitlines()[-3:] == [
        "photo people/Ann/1.jpg is refused: It is too dark.",
        f"photo people/Ann/2026/1.jpg is refused: {misplaced}",
        f"photo people/ann.jpg is refused: {misplaced}",
    ]
    _, out = verb(status, "--json")
    assert json.loads(out)["refusedPhotos"]["people/Ann/1.jpg"] == "It is too dark."
    s3.put_object(Bucket=BUCKET, Key="people/Ann/1.jpg", Body=b"another, not looked at yet")
    assert "too dark" not in verb(status)[1]


def test_status_tells_when_the_last_record_came_and_what_is_wrong(verb, table):
    session = running_session(table)
    now = now_ms()
    seen = records.HealthState(
        18_000, 0, 0, now - 150_000, now - 10_000, problem="Video comes, but no record of it."
    )
    records.keep(table, session, records.HealthState(), seen)
    _, text = verb(status)
    assert "Video comes, but no record of it. last record 2 min before the last health" in text
    assert "no face yet" in text
    _, out = verb(status, "--json")
    assert json.loads(out)["cameras"][0]["watch"]["records"] == 18_000


def test_status_tells_whom_unsure_faces_resemble(verb, table):
    session = running_session(table)
    table.put_item(Item=people.person_key("p-1") | {"name": "Zoë", "version": 1})
    frame = replace(received(0, face(match("p-1", 85.0))), server_ms=now_ms())
    alert_persons(AlertContext(table, print, Lease(now_ms, 1)), session, [frame])
    _, text = verb(status)
    seen = "strangers: 0; 1 unsure sighting, most like Zoë (85 %): a second photo helps\n"
    assert f"visits of people: 0, of {seen}" in text
    _, out = verb(status, "--json")
    (unsure,) = json.loads(out)["cameras"][0]["unsure"]
    assert (unsure["name"], unsure["sightings"], unsure["needsPhoto"]) == ("Zoë", 1, True)


def test_status_tells_which_faces_the_quality_gate_drops_and_why(verb, table):
    running_session(table)
    metrics.add_counts(table, "one", {"dropped_yaw": 2, "dropped_height": 1})
    assert "; faces of strangers not kept: 2 turned away, 1 too small\n" in verb(status)[1]
    not_kept = json.loads(verb(status, "--json")[1])["cameras"][0]["notKept"]
    assert not_kept == {"turned away": 2, "too small": 1}


def test_status_tells_how_long_images_wait_and_what_was_not_needed(verb, table):
    running_session(table)
    counts = {"searches_saved": 30, "rekognition:SearchFacesByImage": 10, "detections_saved": 1}
    counts["rekognition:DetectFaces"] = 39
    metrics.add_counts(table, "one", counts, waited={"at": now_ms(), "ms": 45_000})
    saved = "30 of 40 face searches and 1 of 40 face detections were not needed"
    assert f"; images wait 45 s; {saved}\n" in verb(status)[1]
    found = json.loads(verb(status, "--json")[1])["cameras"][0]
    assert [found[name] for name in ("imageWaitSeconds", "searchesSaved")] == [45, 30]
    metrics.add_counts(table, "one", counts, waited={"at": now_ms() - 90_000, "ms": 45_000})
    assert "images wait" not in verb(status)[1]


def state(table):
    return read_camera_status(table, "front-door", now_ms()).state


def test_the_states_of_a_camera_follow_its_session(table):
    session = running_session(table)
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


@pytest.mark.parametrize("came", ["lastRecord", "counts.images_refused", "watch.records"])
def test_a_camera_warms_up_until_an_image_of_its_session_came(table, came):
    running_session(table)
    key = sessions.session_key("one")
    row = table.get_item(Key=key)["Item"] | {"engine": "image-search", "runningAt": now_ms()}
    table.put_item(Item=row | {"watch": asdict(records.HealthState(looked=1))})
    assert state(table) == "warming up"
    table.update_item(
        Key=key,
        UpdateExpression=f"SET {came} = :one",
        ExpressionAttributeValues={":one": 1},
    )
    assert state(table) == "searching"


def test_status_says_why_no_image_came_also_where_that_is_no_problem(verb, table):
    running_session(table)
    key = sessions.session_key("one")
    for seen in ({"note": "Nothing moved."}, {"note": "Nothing moved.", "problem": "No right."}):
        watch = asdict(records.HealthState(looked=1, **seen))
        row = table.get_item(Key=key)["Item"] | {"engine": "image-search"}
        table.put_item(Item=row | {"watch": watch})
        _, text = verb(status)
        assert f"; {seen.get('problem', 'Nothing moved.')} no image searched yet" in text


def test_sessions_lists_how_each_ended_also_who_was_refused(verb, target, table, monkeypatch):
    ended = running_session(table, session_id="past")
    sessions.end_session(table, ended, "deadline", now_ms())
    locks.unlock(table, ended)
    running_session(table, session_id="present")
    machine = target.session.client("stepfunctions")
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
    running_session(table)
    with pytest.raises(InputError, match="it still runs"):
        verb(sessions_verb, "one")


def test_a_report_names_who_came_as_the_file_in_the_bucket_does_not(verb, target, table):
    session = running_session(table, minutes=60)
    table.put_item(Item=people.person_key("p-1") | {"name": "Zoë", "version": 1})
    visit = {"who": "p-1", "first": "2026-11-22T10:00:00.000Z", "last": "2026-11-22T10:01:00.000Z"}
    visit |= {"sightings": 12, "similarity": 97.25, "alert": "sent"}
    metrics.add_counts(table, "one", {"records": 44, "dropped_yaw": 2, "sns:Publish": 1})
    session = sessions.end_session(table, session, "stop", now_ms())
    report = reports.make_report(table, session, "", "", {"states:Transition": 40})
    report["visits"] = [visit]
    report["latencies"]["capturedToSent"] = {"p50": 1500, "p95": 2500, "of": 1}
    body = reports.as_json(report)
    target.session.client("s3").put_object(Bucket=BUCKET, Key=reports.report_key("one"), Body=body)
    _, out = verb(sessions_verb, "one")
    assert "Zoë" not in body.decode() and "\n  Zoë, " in out
    assert "12 sightings, best 97.2 of 100, alert sent" in out
    assert "ended because it was asked to stop" in out
    assert "Records 44, unsure faces 0\nDropped: 2 turned away" in out
    report["unsurePersons"] = [
        {"who": "p-1", "sightings": 38, "similarity": 89.97, "needsPhoto": True}
    ]
    report["visits"] = [visit | {"probably": True, "sightings": 0, "unsure": 38}]
    body = reports.as_json(report)
    target.session.client("s3").put_object(Bucket=BUCKET, Key=reports.report_key("one"), Body=body)
    _, out = verb(sessions_verb, "one")
    assert "\n  probably Zoë, " in out and "38 unsure sightings, best 97.2 of 100" in out
    assert "\n  38 unsure sightings, most like Zoë (89 %): a second photo helps\n" in out
    assert "Seconds from capture to alert: 1.5 median, 2.5 p95, of 1" in out
    assert "Called: sns:Publish 1, states:Transition 40" in out
    assert json.loads(verb(sessions_verb, "one", "--json")[1]) == json.loads(body)


def test_watch_is_a_group_of_the_help():
    assert {"start", "stop", "status", "sessions"} <= set(command.GROUPS["watch"])


def test_a_pause_leaves_the_deadline_and_can_be_taken_back(verb, table):
    running_session(table, minutes=30)
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


def test_a_session_at_its_limit_is_told_and_goes_on_with_a_larger_one(verb, table):
    session = running_session(table, maxDollars=0.12)
    spent = asdict(CheckProgress(engine_ms=60_000, limit_name="maxDollars", limit_since=now_ms()))
    table.update_item(
        Key={"pk": "session#one", "sk": "session"},
        UpdateExpression="SET #check = :check",
        ExpressionAttributeNames={"#check": "check"},
        ExpressionAttributeValues={":check": spent},
    )
    _, out = verb(status, "front-door")
    assert "front-door: limit reached since " in out
    assert "maxDollars is spent: nothing is searched. To search on: ./whosthere pause" in out
    _, out = verb(pause, "front-door", "--off")
    assert "front-door: maxDollars is spent. To search on:" in out
    _, out = verb(pause, "front-door", "--off", "--set", "maxDollars=5")
    assert "front-door: goes on" in out
    assert read_session(table, session.id).settings.max_dollars == 5


@pytest.mark.parametrize(
    "words", [["1h", "--set", "maxDollars=5"], ["--off", "--set", "strangers=off"]]
)
def test_only_limits_change_while_a_session_runs_and_only_as_it_goes_on(verb, words):
    with pytest.raises(InputError, match="--set"):
        verb(pause, "front-door", *words)
