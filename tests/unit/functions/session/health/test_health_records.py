"""The session's watch over its records: what is surely wrong is told, an empty door is not."""

import json
from dataclasses import replace
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws

from tests.support.records.alert_harness import (
    START,
    a_table,
    empty,
    face,
    match,
    open_session,
    record,
)
from whosthere import settings
from whosthere.alerts.texts import report_text
from whosthere.names import images_prefix
from whosthere.session import report as reports
from whosthere.session.health import records
from whosthere.session.health.arrivals import MOST_ANSWERS, Arrived, arrived, images
from whosthere.session.health.records import HealthState, evaluate
from whosthere.session_store import end_session, session_key

STREAM = "whosthere-front-door"
EMPTY, FACES, JUNK = (
    Arrived(records=50),
    Arrived(records=50, faces=5),
    Arrived(records=50, unreadable=50),
)
NOTHING = Arrived()


def looks(*seen, every_s=60, engine="stream-processor"):
    """Problems after each look; a look is what came, and what has been used until then."""
    session = SimpleNamespace(
        engine=engine, camera="front-door", settings=settings.from_values(settings.defaults())
    )
    watch, problems = HealthState(), []
    for number, (came, used, *searching) in enumerate(seen, 1):
        watch = evaluate(
            watch,
            came,
            used,
            session=session,
            searching=not searching,
            now_ms=START + 1000 * every_s * number,
        )
        problems.append(watch.problem)
    return problems


def test_images_that_a_limit_leaves_out_are_not_missing():
    """The owner is told of the limit itself."""
    row = {"counts": {"records": 3, "images_over_limit": 10, "images_outside": 1}}
    assert records.used_of(row) == 13


def test_hours_at_an_empty_door_are_no_problem():
    assert looks(*[(EMPTY, 0)] * 300) == [""] * 300


def test_records_that_stop_are_a_problem_until_they_come_again():
    problems = looks((EMPTY, 0), *[(NOTHING, 0)] * 5, (EMPTY, 0), (NOTHING, 0))
    assert [bool(one) for one in problems] == [False] * 3 + [True] * 3 + [False] * 2
    assert problems[3] == "Video comes from front-door, but no record of it."


def test_one_look_without_records_is_never_enough():
    assert looks((EMPTY, 0), (NOTHING, 0), (EMPTY, 0), every_s=600) == [""] * 3


def test_records_that_nobody_can_read_are_a_problem():
    problems = looks((EMPTY, 0), *[(JUNK, 0)] * 3, (EMPTY, 0))
    assert [bool(one) for one in problems] == [False, False, False, True, False]
    assert "none of them is JSON" in problems[3]


def test_some_junk_among_records_is_no_problem():
    mixed = Arrived(records=50, unreadable=49)
    assert looks(*[(mixed, 0)] * 9) == [""] * 9


def test_faces_that_no_function_uses_are_a_problem_until_one_does():
    problems = looks((FACES, 0), (EMPTY, 0), (EMPTY, 0), (EMPTY, 0), (EMPTY, 1), (EMPTY, 1))
    assert [bool(one) for one in problems] == [False, False, True, True, False, False]
    assert "none of them is used" in problems[2]


def test_faces_used_before_the_next_look_are_no_problem():
    assert looks((FACES, 0), (EMPTY, 5), (FACES, 10), (EMPTY, 10), (EMPTY, 10)) == [""] * 5


def test_nothing_is_missed_while_nothing_is_searched():
    away = (NOTHING, 0, "no video")
    assert looks((EMPTY, 0), (NOTHING, 0), *[away] * 9, (NOTHING, 0)) == [""] * 12


def test_a_problem_is_not_over_because_video_stops_too():
    problems = looks(*[(NOTHING, 0)] * 3, (NOTHING, 0, "no video"), (NOTHING, 0), (EMPTY, 0))
    assert [bool(one) for one in problems] == [False, False, True, True, True, False]


def test_what_could_not_be_read_to_its_end_is_no_problem():
    behind = replace(NOTHING, whole=False)
    assert looks(*[(behind, 0)] * 9) == [""] * 9


@pytest.fixture
def kinesis():
    with mock_aws():
        client = boto3.client("kinesis", region_name="us-east-1")
        client.create_stream(StreamName=STREAM, ShardCount=2)
        yield client


def put(kinesis, *bodies):
    for number, body in enumerate(bodies):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        kinesis.put_record(StreamName=STREAM, Data=data, PartitionKey=f"p{number}")


def test_each_record_of_each_shard_is_counted_once_by_its_kind(kinesis):
    with_face = record(1, face(match("p-alice")))
    put(kinesis, record(0), with_face, b"\xff", {"Records": []}, [], b"1", record(2))
    first = arrived(kinesis, STREAM, {}, 0)
    assert (first.records, first.faces, first.unreadable) == (7, 1, 4)
    assert first.last_ms > 0 and len(first.positions) == 2
    assert arrived(kinesis, STREAM, first.positions, 0).records == 0
    put(kinesis, with_face)
    second = arrived(kinesis, STREAM, first.positions, 0)
    assert (second.records, second.faces, second.whole) == (1, 1, True)


def test_what_came_before_the_session_is_not_counted(kinesis):
    put(kinesis, record(0))
    assert arrived(kinesis, STREAM, {}, 4_102_444_800_000) == Arrived()


@pytest.fixture
def table():
    with a_table() as table:
        empty(table)
        yield table


def row(table, session):
    return table.get_item(Key=session_key(session.id))["Item"]


def test_the_row_gives_back_what_was_kept(table):
    session = open_session(table)
    assert records.health_of(row(table, session)) == HealthState()
    kept = HealthState(9, 2, 1, START, START, 1, True, START, "wrong", {"shard-0": "49"})
    assert records.keep(table, session, HealthState(), kept) == kept
    assert records.health_of(row(table, session)) == kept


def test_of_two_looks_at_once_one_counts(table):
    session = open_session(table)
    first = records.keep(table, session, HealthState(), HealthState(records=5, looked=START))
    again = records.keep(table, session, HealthState(), HealthState(records=5, looked=START + 1))
    assert again == first


def report_of(table, session):
    ended = end_session(table, session, "stop", START + 100_000)
    report = reports.make_report(table, ended, "", "", {})
    return report, report_text(ended, report)


def test_the_report_tells_of_all_records_and_what_was_wrong_last(table):
    session = open_session(table)
    seen = HealthState(18_000, 900, 3, START, START, 900, problem="No record.")
    records.keep(table, session, HealthState(), seen)
    report, text = report_of(table, session)
    assert (report["watch"]["records"], report["watch"]["withFace"]) == (18_000, 900)
    assert report["watch"]["last"] == "2027-01-15T08:00:00.000Z"
    assert "Records: 18000, with a face: 900, unsure faces: 0. No record." in text


def test_a_session_without_a_health_check_has_no_watch(table):
    report, text = report_of(table, open_session(table))
    assert report["watch"] is None
    assert "Records with a face: 0" in text


def test_a_session_of_images_that_never_came_asks_for_the_cameras_tags(table):
    session = open_session(table)
    table.update_item(
        Key=session_key(session.id),
        UpdateExpression="SET engine = :engine",
        ExpressionAttributeValues={":engine": "image-search"},
    )
    _, text = report_of(table, session)
    assert "No image came: does the camera tag its fragments?" in text


def test_images_that_do_not_come_are_no_problem_but_those_that_nobody_searches():
    one = Arrived(records=3, faces=3)
    problems = looks(*[(NOTHING, 0)] * 9, (one, 0), *[(NOTHING, 0)] * 2, engine="image-search")
    assert problems[:-1] == [""] * 11
    assert problems[-1] == "Images of front-door come, but none of them is searched."
    assert looks((one, 0), (one, 3), (NOTHING, 6), engine="image-search") == [""] * 3


def test_images_are_counted_once_and_only_the_sessions_own(monkeypatch):
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="whosthere-images")
        prefix = images_prefix("whosthere", "front-door")
        seen = images(s3, "whosthere-images", prefix, {}, 0)
        assert seen == Arrived(positions={prefix: prefix})

        def put_image(camera, at):
            s3.put_object(
                Bucket="whosthere-images", Key=f"{images_prefix('whosthere', camera)}a_{at}_x.jpg"
            )

        for camera, at in (("front-door", 1), ("front-door", 2), ("front-door-2", 3)):
            put_image(camera, at)
        seen = images(s3, "whosthere-images", prefix, seen.positions, 0)
        assert (seen.records, seen.faces, seen.whole) == (2, 2, True)
        put_image("front-door", 3)
        assert images(s3, "whosthere-images", prefix, seen.positions, 0).records == 1
        later = images(s3, "whosthere-images", prefix, {}, 4_102_444_800_000)
        assert (later.records, later.last_ms) == (0, 0)


def test_a_look_at_very_many_images_ends_and_the_next_one_goes_on():
    pages = []

    def page(**asked):
        pages.append(asked["StartAfter"])
        return {"IsTruncated": True, "Contents": []}

    seen = images(SimpleNamespace(list_objects_v2=page), "bucket", "front-door", {}, 0)
    assert len(pages) == MOST_ANSWERS and not seen.whole
