"""What comes after its session's end is still of that session: told late, and never twice."""

import logging
from functools import partial

import boto3
import pytest

from tests.support.records.alert_harness import (
    LEFT,
    START,
    AlertHarness,
    a_table,
    empty,
    face,
    match,
    open_session,
    record,
)
from tests.support.records.crashing import as_record, function
from tests.support.records.drawn_faces import RED, draw
from whosthere import image_search
from whosthere import session_store as sessions
from whosthere.ingest import image as images
from whosthere.ingest.kinesis import KinesisSource, process_batch
from whosthere.metrics import ApiCallCounter
from whosthere.session import lock as locks
from whosthere.visits import persons, queries

ALICE = "p-alice"
HOUR = 3600
ARN_PREFIX = "arn:aws:kinesisvideo:us-east-1:111122223333:stream/"


@pytest.fixture(scope="module")
def shared():
    with a_table() as table:
        yield table


@pytest.fixture
def table(shared):
    empty(shared)
    return shared


def alice(second, **more):
    return as_record(f"at-{second}", record(second, face(match(ALICE)), **more))


class Camera:
    """A camera with sessions one after the other, and what its owner is told."""

    def __init__(self, table):
        self.table, self.harness = table, None

    def session(self, id, begin, end=None, **changed):
        """One from that second on, perhaps over already."""
        session = open_session(self.table, id, started=begin, **changed)
        if self.harness is None:
            self.harness = AlertHarness(self.table, session)
            self.harness.name(ALICE, "Alice")
        if end is not None:
            sessions.end_session(self.table, session, "stop", START + 1000 * end)
            locks.unlock(self.table, session)

    def sees(self, *records):
        logger = logging.getLogger()
        source = KinesisSource(self.table, "whosthere", None, ApiCallCounter(), logger)
        work = partial(persons.alert_persons, self.harness.worker())
        answer = process_batch(source, records, work)
        return {one["itemIdentifier"]: "failed" for one in answer["batchItemFailures"]}

    def counts(self, id):
        row = self.table.get_item(Key=sessions.session_key(id))["Item"]["counts"]
        names = ("records", "before_session", "after_session")
        return tuple(int(row.get(name, 0)) for name in names)

    def visits(self, id):
        return queries.visits_of(self.table, id, "front-door")

    @property
    def told(self):
        return [(alert.session, alert.facts["visit"]) for alert in self.harness.subscriber.alerts]


@pytest.fixture
def camera(table):
    return Camera(table)


def test_a_retried_record_of_a_session_that_is_over_alerts_late_with_its_real_time(camera):
    camera.session("one", -10, 60, timeZone="Asia/Kathmandu")
    camera.session("two", 2 * HOUR)
    camera.harness.clock.forward(2 * HOUR + 60)
    assert camera.sees(alice(0), alice(1)) == {}
    (alert,) = camera.harness.subscriber.alerts
    assert camera.told == [("one", f"{ALICE}-{START}")]
    assert "at 13:45:01" in alert.text
    assert "it happened 2 h ago, on Friday 15 January, 13:45" in alert.text
    assert [visit.id for visit in camera.visits("one")] == [f"{ALICE}-{START}"]
    assert (camera.counts("one"), camera.counts("two")) == ((2, 0, 0), (0, 0, 0))


def test_a_replay_alerts_nothing_twice_whatever_sessions_followed(camera):
    camera.session("one", -10, 60)
    camera.sees(alice(0), alice(1))
    camera.session("two", HOUR, 2 * HOUR)
    camera.sees(alice(HOUR + 5), alice(HOUR + 6))
    camera.session("three", 3 * HOUR)
    camera.sees(alice(3 * HOUR + 5), alice(3 * HOUR + 6))
    told = camera.told
    assert len(told) == 3
    everything = [alice(hour + s) for hour in (0, HOUR, 3 * HOUR) for s in (0, 1, 2, 5, 6, 30)]
    for batch in (everything, everything[::-1]):
        assert camera.sees(*batch) == {}
    assert camera.told == told
    assert [len(camera.visits(id)) for id in ("one", "two", "three")] == [1, 1, 1]


def test_a_batch_over_several_sessions_goes_to_each_and_in_order(camera):
    camera.session("one", -10, 60)
    camera.session("two", HOUR, HOUR + 60)
    camera.session("three", 2 * HOUR)
    camera.sees(*(alice(second) for second in (2 * HOUR, 2 * HOUR + 1, 0, 1, HOUR, HOUR + 1)))
    assert [session for session, _ in camera.told] == ["one", "two", "three"]
    assert camera.counts("two") == (2, 0, 0)


def test_frames_outside_all_sessions_are_counted_by_the_latest_and_make_no_alert(camera):
    camera.session("one", -10, 60)
    camera.session("two", HOUR)
    camera.sees(*(alice(second) for second in (-100, -99, 600, 601)))
    assert not camera.told
    assert (camera.counts("one"), camera.counts("two")) == ((0, 0, 0), (0, 4, 0))


def test_a_visit_that_went_on_in_the_next_session_is_one_for_late_sightings_too(camera):
    camera.session("one", -10, 20)
    camera.sees(alice(0), alice(1), alice(19))
    camera.session("two", 25)
    camera.sees(alice(40), alice(41))
    camera.sees(alice(200), alice(201))  # and this closes it
    told = camera.told
    assert len(told) == 2
    camera.sees(alice(5), alice(6))
    assert camera.told == told
    assert [visit.sightings for visit in camera.visits("two")] == [7, 2]
    assert camera.visits("one") == []


def test_a_late_sighting_does_not_take_a_visit_back_from_the_session_that_has_it(camera):
    camera.session("one", -10, 20)
    camera.sees(alice(0), alice(1))
    camera.session("two", 25)
    camera.sees(alice(30), alice(31))
    camera.sees(alice(2), alice(3))
    (visit,) = camera.visits("two")
    assert visit.sightings == 6 and len(camera.told) == 1


def test_a_fragment_resent_in_the_next_session_belongs_to_the_visit_it_shows(camera):
    """Cut off at the end of a visit; meanwhile its session ended and she came again."""
    camera.session("one", -10, 60)
    camera.sees(alice(0), alice(1))
    camera.session("two", 300)
    camera.sees(alice(310), alice(311))
    camera.sees(*(alice(second, server_ahead=400) for second in (20, 21)))
    assert len(camera.told) == 2
    assert [visit.sightings for visit in camera.visits("one")] == [4]


def test_two_late_visits_on_both_sides_of_an_earlier_one_alert_once_each(camera):
    camera.session("one", -10, HOUR)
    camera.sees(alice(1000), alice(1001))
    camera.session("two", 2 * HOUR)
    camera.sees(alice(2 * HOUR + 1), alice(2 * HOUR + 2))
    for _ in range(2):
        camera.sees(alice(1800), alice(1801))
        camera.sees(alice(200), alice(201))
    visits = [f"{ALICE}-{START + 1000 * at}" for at in (1000, 2 * HOUR + 1, 1800, 200)]
    assert [visit for _, visit in camera.told] == visits


def test_an_image_that_waited_until_its_session_was_over_is_searched_in_it(
    camera, table, monkeypatch
):
    camera.session("one", -10, 60)
    camera.session("two", HOUR)
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="whosthere-images")
    given = {"BUCKET": "whosthere-images", "PEOPLE_COLLECTION": "people", "FRAMES_QUEUE": "queue"}
    given |= {"STRANGERS_COLLECTION": "strangers", "PICTURE_ROLE_ARN": "arn"}
    given |= {"LOOK_ALIKES_COLLECTION": "not-persons"}
    with function(monkeypatch, "search_frame", table, **given) as (module, _clock):
        shown = face(match(ALICE))
        detected, found = [shown["DetectedFace"]], [shown["MatchedFaces"]]
        monkeypatch.setattr(image_search, "detect_faces", lambda *_given: detected)
        monkeypatch.setattr(image_search, "find_matches", lambda *given: found[: len(given[-1])])
        worker = camera.harness.worker()

        def settled(second):
            key = f"frames/whosthere-front-door/{START + 1000 * second}.jpg"
            times = {images.PRODUCER: 0, images.SERVER: 0}
            told = dict.fromkeys(times, str(START + round(1000 * second)))
            told[images.FRAGMENT] = "1"
            body = draw([LEFT, RED])
            s3.put_object(Bucket=given["BUCKET"], Key=key, Body=body, Metadata=told)
            return image_search.search_image(module.images, worker, key, ARN_PREFIX)

        assert [settled(second) for second in (0, 1)] == ["searched", "searched"]
        assert [settled(second) for second in (-60, 61, HOUR - 1)] == ["outside"] * 3
        assert settled(HOUR + 1) == "searched"
    assert camera.told == [("one", f"{ALICE}-{START}")]


def test_a_session_whose_rows_are_gone_counts_for_nothing(camera, table):
    camera.session("one", -10, 60)
    camera.session("two", HOUR)
    table.delete_item(Key=sessions.session_key("one"))
    camera.sees(alice(0), alice(1))
    assert not camera.told and camera.counts("two") == (0, 2, 0)


def test_of_two_that_could_answer_it_is_the_later_one(camera):
    """A processor that is stopped still delivers, while the next session has begun."""
    camera.session("one", -10, 20)
    camera.session("two", 25)
    camera.sees(alice(30), alice(31))
    assert camera.told == [("two", f"{ALICE}-{START + 30_000}")]


def test_a_failure_of_one_session_does_not_hide_the_other_ones(camera, monkeypatch):
    camera.session("one", -10, 60)
    camera.session("two", HOUR)

    alert_persons = persons.alert_persons

    def fails(worker, session, frames):
        if session.id == "one":
            raise OSError
        return alert_persons(worker, session, frames)

    monkeypatch.setattr(persons, "alert_persons", fails)
    failed = camera.sees(*(alice(second) for second in (0, 1, HOUR, HOUR + 1)))
    assert set(failed) == {"at-0", "at-1"}
    assert [session for session, _ in camera.told] == ["two"]
