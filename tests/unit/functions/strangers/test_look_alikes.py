"""Who was taken for a person once is told from her the next time, and she is never lost."""

from dataclasses import replace

import pytest

from tests.support.records.alert_harness import (
    LEFT,
    RIGHT,
    START,
    FlakyTable,
    Killed,
    face,
    match,
    received,
    refusal,
)
from tests.support.records.drawn_faces import BLUE, GREEN, RED, draw
from tests.support.records.review_harness import ReviewHarness
from tests.support.records.stranger_harness import (
    ALICE,
    BUCKET,
    a_table_and_a_bucket,
    alice,
    empty,
    empty_bucket,
)
from whosthere.errors import TryAgainError
from whosthere.people import store
from whosthere.people.ownership import People
from whosthere.strangers.look_alikes import find_changed, folder_of
from whosthere.strangers.second_look import LookAlikeSearch
from whosthere.visits.persons import DECIDED_WITHIN_MS, alert_persons

DAY_S = 86_400
NOT_ALICE = f"{folder_of(ALICE)}him.jpg"


@pytest.fixture(scope="module")
def shared():
    with a_table_and_a_bucket() as made:
        yield made


@pytest.fixture
def door(shared):
    table, s3 = shared
    empty(table)
    empty_bucket(s3)
    return Door(table, s3)


class Door(ReviewHarness):
    """A door where the red man was taken for Alice, who is blue."""

    def __init__(self, table, s3, **settings):
        super().__init__(table, s3, **settings)
        self.name(ALICE, "Alice")
        self.alike.search = self.alike.search_faces_by_image
        self.searches, self.outage = 0, None

    def search_faces_by_image(self, *, CollectionId, **given):
        if CollectionId == "strangers":
            return self.rekognition.search_faces_by_image(**given)
        assert CollectionId == "not-persons"
        self.searches += 1
        if self.outage:
            raise self.outage
        return self.alike.search_faces_by_image(CollectionId=CollectionId, **given)

    def index_faces(self, **given):
        return self.rekognition.index_faces(**given)

    def not_alice(self, colour=RED, key=NOT_ALICE):
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=draw((LEFT, colour)))
        return self.events_of(key)

    def events_of(self, key):
        self.copy(key, f"{key}.copy")  # only for its event
        self.s3.delete_object(Bucket=BUCKET, Key=f"{key}.copy")
        (event,) = self.events
        self.events = [replace(event, key=key)]
        return self.deliver()

    def comes(self, second, colour, similarity=99.0, box=LEFT, sightings=2, worker=None):
        """A face of that colour that the stream processor takes for Alice."""
        frames = [alice(second + n, box=box, similarity=similarity) for n in range(sightings)]
        for n in range(sightings):
            self.video.shows(START + 1000 * (second + n), (box, colour))
        return self.arrive(*frames, worker=worker)

    def arrive(self, *frames, worker=None, keep_clock=False):
        if not keep_clock:
            self.clock.moment_ms = max(frame.server_ms for frame in frames)
        look = LookAlikeSearch(
            self.context(files=replace(self.files, rekognition=self)), "not-persons"
        )
        return alert_persons(
            worker or self.worker(), self.session, list(frames), second_look=look.is_look_alike
        )


def told(door):
    return ["Alice" if "Alice" in subject else "a stranger" for subject in door.subscriber.subjects]


def test_without_a_look_alike_nothing_is_searched(door):
    assert not door.comes(0, RED).failed
    assert (told(door), door.searches, door.video.calls) == (["Alice"], 0, 0)


def test_he_is_a_stranger_and_she_is_herself_in_one_run(door):
    assert door.not_alice() == ["added"]
    assert not door.comes(0, RED).failed
    assert not door.comes(300, BLUE).failed
    assert told(door) == ["a stranger", "Alice"]
    assert door.searches == 2
    assert len(door.strangers) == 1
    assert [key for key in door.pictures if key.startswith("review/pending/")]


def test_sightings_that_come_one_by_one_make_one_alert_about_him(door):
    door.not_alice()
    for second in range(6):
        assert not door.comes(second, RED, sightings=1).failed
    assert (told(door), door.searches) == (["a stranger"], 1)
    (visit,) = [
        item
        for item in door.table.scan()["Items"]
        if item["sk"] == f"visit#{door.only}" and item["pk"].startswith("camera#")
    ]
    assert visit["sightings"] == 6
    assert not [one for one in door.table.scan()["Items"] if one.get("who") == ALICE]


def test_nothing_of_his_visit_is_left_with_her(door):
    door.not_alice()
    door.comes(0, RED)
    whose = {item["who"] for item in door.table.scan()["Items"] if "who" in item}
    assert whose - {door.only, ""} == set()


def test_one_who_is_less_like_the_look_alike_is_she(door):
    door.not_alice()
    door.alike.similar[frozenset((RED, GREEN))] = 95.0
    door.comes(0, GREEN, similarity=96.0)
    assert told(door) == ["Alice"]
    door.comes(300, GREEN, similarity=94.0)
    assert told(door) == ["Alice", "a stranger"]


def test_while_he_stays_there_is_one_search_one_alert_and_one_item(door):
    door.not_alice()
    for second in range(0, 20, 2):
        assert not door.comes(second, RED).failed
    assert (told(door), door.searches, len(door.strangers)) == (["a stranger"], 1, 1)
    (visit,) = [item for item in door.table.scan()["Items"] if item["sk"].startswith("visit#")]
    assert (visit["sightings"], visit["who"]) == (20, door.only)


def test_she_comes_right_after_him(door):
    door.not_alice()
    door.comes(0, RED)
    door.comes(3, BLUE, box=RIGHT)
    assert told(door) == ["a stranger", "Alice"]


def test_the_same_records_twice_make_no_second_alert(door):
    door.not_alice()
    for _ in range(3):
        door.comes(0, RED)
        door.comes(300, BLUE)
    assert told(door) == ["a stranger", "Alice"]


def test_an_outage_delays_her_alert_and_does_not_drop_it(door):
    door.not_alice()
    door.outage = refusal("SearchFacesByImage")
    failed = door.comes(0, BLUE).failed
    assert {type(error) for error in failed.values()} == {TryAgainError}
    assert told(door) == []
    door.outage = None
    assert not door.comes(0, BLUE).failed
    assert told(door) == ["Alice"]


def test_after_twenty_seconds_of_an_outage_she_is_told(door):
    door.not_alice()
    door.outage = refusal("SearchFacesByImage")
    door.comes(0, BLUE)
    frames = [alice(0), alice(1)]
    door.clock.forward((DECIDED_WITHIN_MS + 1000) / 1000)
    look = LookAlikeSearch(door.context(files=replace(door.files, rekognition=door)), "not-persons")
    assert not alert_persons(
        door.worker(), door.session, frames, second_look=look.is_look_alike
    ).failed
    assert told(door) == ["Alice"]
    assert not door.comes(0, BLUE).failed
    assert told(door) == ["Alice"]


def test_without_a_picture_she_is_told(door):
    door.not_alice()
    door.video.reason = "the camera's video is not kept"
    assert not door.comes(0, RED).failed
    assert told(door) == ["Alice"]


def test_with_strangers_off_nothing_of_him_is_kept(shared):
    table, s3 = shared
    empty(table)
    empty_bucket(s3)
    door = Door(table, s3, strangers="off")
    door.not_alice()
    door.comes(0, RED)
    door.comes(300, BLUE)
    assert (told(door), door.pictures, door.strangers) == (["Alice"], [NOT_ALICE], [])


def test_somebody_who_may_be_one_of_two_is_told_while_one_has_no_look_alike(door):
    door.not_alice()
    door.name("p-beth", "Beth")
    frames = [
        received(second, face(match(ALICE, 99.0), match("p-beth", 98.9, "f1"), box=LEFT))
        for second in (0, 1)
    ]
    door.arrive(*frames)
    assert (len(door.subscriber.alerts), door.searches) == (1, 0)


def test_removing_the_picture_undoes_it(door):
    door.not_alice()
    assert store.read_person(door.table, ALICE).look_alikes
    door.remove(NOT_ALICE)
    assert door.deliver() == ["removed"]
    assert not store.read_person(door.table, ALICE).look_alikes
    assert not door.alike.labels
    door.comes(0, RED)
    assert (told(door), door.searches) == (["Alice"], 0)


def test_events_may_come_twice_late_and_in_any_order(door):
    door.not_alice()
    assert door.events_of(NOT_ALICE) == ["unchanged"]
    assert len(door.alike.labels) == 1
    assert door.not_alice(GREEN) == ["added"]  # other content under the same key
    assert [seen for _, seen in door.alike.labels.values()] == [GREEN]


def test_what_no_event_told_is_found(door):
    people = People(door.table, door.s3, BUCKET, "salt")
    door.s3.put_object(Bucket=BUCKET, Key=NOT_ALICE, Body=draw((LEFT, RED)))
    assert find_changed(people) == [NOT_ALICE]
    door.not_alice()
    assert find_changed(people) == []
    # Her last photo went and came again: her row is a new one.
    door.name(ALICE, "Alice")
    assert find_changed(people) == [NOT_ALICE]
    assert door.events_of(NOT_ALICE) == ["unchanged"]
    assert find_changed(people) == []
    door.s3.delete_object(Bucket=BUCKET, Key=NOT_ALICE)
    assert find_changed(people) == [NOT_ALICE]


def test_who_was_merged_keeps_the_look_alikes(door):
    door.name("p-alicia", "Alicia")
    door.table.put_item(Item=store.person_key(ALICE) | {"mergedInto": "p-alicia", "version": 2})
    door.not_alice()
    assert store.read_person(door.table, ALICE).look_alikes
    assert store.read_person(door.table, "p-alicia").look_alikes


def test_a_crash_at_any_call_leaves_one_alert_about_a_stranger_and_none_about_her(shared):
    twice = 0
    for at in range(1, 60):
        table, s3 = shared
        empty(table)
        empty_bucket(s3)
        door = Door(table, s3)
        door.not_alice()
        flaky = FlakyTable(table, at, Killed(), after=at % 2)
        try:
            door.comes(0, RED, worker=door.worker(table=flaky))
        except Killed:
            door.clock.forward(70)  # longer than the lease
            assert not door.arrive(alice(0), alice(1), keep_clock=True).failed
        assert set(told(door)) == {"a stranger"}
        assert len(door.strangers) == 1
        twice += len(told(door)) - 1
        if flaky.calls < at:
            break
    else:
        raise AssertionError("there are more calls than were tried")
    assert twice <= 2  # between the topic's answer and the mark there is nothing to be done
