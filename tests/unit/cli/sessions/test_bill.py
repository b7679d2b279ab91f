"""`./whosthere bill`: what sessions, days and months have cost, by reports and running rows."""

import json

import boto3
import pytest

from cli.commands import bill
from cli.errors import InputError
from tests.support.stack.moto_target import BUCKET, running_session
from whosthere.clock import DAY_S, iso, now_ms
from whosthere.costs.usage import PRICE_OF_CALL
from whosthere.session_store import session_key

HOUR = 3_600_000


def put_report(target, session="one", camera="front-door", ago_ms=0, **changed):
    """A session of an hour with a stream processor, which ran for half of it."""
    started = now_ms() - ago_ms
    report = {
        **{"session": session, "camera": camera, "engine": "stream-processor"},
        **{"started": iso(started), "running": iso(started), "ended": iso(started + HOUR)},
        "calls": {"states:Transition": 400, "rekognition:SearchFacesByImage": 10},
        "counts": {"records": 5},
        "cost": {"engineMinutes": 30.0, "videoBytes": 2_000_000_000},
    }
    body = json.dumps(report | changed).encode()
    target.session.client("s3").put_object(Bucket=BUCKET, Key=f"sessions/{session}.json", Body=body)


@pytest.fixture
def lines(verb):
    """The lines of a bill, by their ids, and all of its JSON."""

    def read(*arguments):
        found = json.loads(verb(bill, *arguments, "--json")[1])
        return {line["id"]: line["dollars"] for line in found["lines"]}, found

    return read


def test_a_session_is_billed_by_what_its_report_counted(target, lines):
    put_report(target)
    by_line, content = lines("--session", "one")
    assert by_line == pytest.approx(
        {
            "face-search": 3.6,  # 30 minutes x 0.12
            "search-faces": 0.01,
            "video-in": 0.017,  # 2 GB x 0.0085
            "video-read": 0.017,
            "video-stored": 0.001533,  # 2 GB for 24 of 720 hours x 0.023
            "shard": 0.015,
            "transitions": 0.01,
        },
        abs=1e-6,
    )
    assert content["dollars"] == pytest.approx(sum(by_line.values()), abs=1e-5)


def test_a_month_is_the_sum_of_its_sessions_and_its_shards(target, lines):
    for number in range(3):
        put_report(target, f"s{number}")
    put_report(target, "other", camera="back-door")
    put_report(target, "old", ago_ms=90 * DAY_S * 1000)
    by_line, content = lines()
    assert "old" not in {one["session"] for one in content["sessions"]}
    by_camera, _ = lines("--camera", "back-door")
    assert by_camera["face-search"] == pytest.approx(3.6)
    assert by_line["face-search"] == pytest.approx(4 * 3.6)
    assert "shard" not in by_line  # the stack has no data streams here


def test_a_data_stream_is_billed_while_it_exists(target, lines):
    boto3.client("kinesis").create_stream(StreamName="whosthere-front-door", ShardCount=1)
    by_line, _ = lines("--day", "today")
    assert 0 <= by_line["shard"] < 0.001  # it was made just now


def test_a_running_session_is_billed_until_now(target, table, lines):
    session = running_session(table)
    table.update_item(
        Key=session_key("one"),
        UpdateExpression="SET #check = :check, counts = :counts",
        ExpressionAttributeNames={"#check": "check"},
        ExpressionAttributeValues={
            ":check": {"engine_ms": 600_000, "video_bytes": 10**9, "checked": now_ms()},
            ":counts": {"sns:Publish": 2, "records": 4},
        },
    )
    by_line, content = lines("--month", iso(session.started_ms)[:7])
    assert by_line["face-search"] == pytest.approx(1.2)
    assert content["sessions"][0]["running"] is True
    assert lines("--session", "one")[0]["face-search"] == pytest.approx(1.2)


def test_what_has_no_price_and_what_is_not_counted_is_said(verb, target):
    put_report(target, engine="image-search", counts={"records": 100})
    _, text = verb(bill, "--session", "one")
    first, *rest = text.splitlines()
    assert first.startswith("Session one, about $0.0") and "without: image generation" in first
    assert any("100 images" in line and "price not published" in line for line in rest)
    assert rest[-1].startswith("Not counted: enrolling")


def test_a_report_of_an_older_version_is_estimated_and_named(verb, target):
    put_report(target, cost=None)
    _, text = verb(bill, "--session", "one")
    assert "60 minutes" in text and "Minutes from start to end, and no video: one." in text


def test_no_session_costs_nothing(verb, target):
    _, text = verb(bill, "--day", "yesterday")
    assert text.splitlines()[0].endswith(": 0 sessions, about $0.00")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--day", "someday"], "2026-11-29"),
        (["--month", "2026"], "2026-11"),
        (["--session", "none"], "there is no session none"),
        (["--camera", "No"], "no camera name"),
    ],
)
def test_what_cannot_be_meant_is_refused(verb, target, arguments, told):
    with pytest.raises(InputError, match=told):
        verb(bill, *arguments)


def test_every_call_that_a_function_may_make_and_aws_bills_has_a_price():
    """By permissions.txt: what the functions that search may call of Rekognition and SNS."""
    with open("tests/unit/permissions.txt", encoding="utf-8") as file:  # noqa: PTH123
        allowed = {
            line.split()[1] for line in file if line.startswith(("Search", "Queue", "Alert"))
        }
    billed = {one for one in allowed if one.startswith(("rekognition:", "sns:"))}
    free = {"rekognition:DeleteFaces"}  # no page lists a price for it
    assert billed - free <= PRICE_OF_CALL.keys()
