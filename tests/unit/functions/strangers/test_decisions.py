"""The owner's decisions: by S3 alone, in any order, late and twice; and what comes of them."""

import itertools
from functools import partial

import pytest

from tests.support.records.alert_harness import LEFT, RIGHT, START, Killed, empty, face, received
from tests.support.records.drawn_faces import BLUE, RED
from tests.support.records.review_harness import SALT, ReviewHarness, any_order
from tests.support.records.stranger_harness import a_table_and_a_bucket, empty_bucket, somebody
from whosthere.clock import DAY_S
from whosthere.ingest.sqs import ObjectEvent
from whosthere.people.differences import find_differences
from whosthere.people.photo_keys import person_id
from whosthere.strangers import differences, store
from whosthere.strangers.differences import find_expiring, find_moved
from whosthere.strangers.store import listed
from whosthere.visits.history import Span, past_visits
from whosthere.visits.queries import visits_of
from whosthere.visits.store import read_current

DELAY_S = 60
UNDO_S = 600
ALICE = person_id("Alice", SALT)


@pytest.fixture(scope="module")
def shared():
    with a_table_and_a_bucket() as both:
        yield both


@pytest.fixture
def make(shared):
    def made(**settings):
        table, s3 = shared
        empty(table)
        empty_bucket(s3)
        return ReviewHarness(table, s3, **settings)

    return made


@pytest.fixture
def harness(make):
    """With one stranger in the queue, of whom two pictures wait."""
    harness = make()
    harness.sees(somebody(0), somebody(1))
    harness.sees(somebody(90), somebody(91))
    harness.events.clear()
    assert len(harness.pictures) == 2
    return harness


def comes_back(harness, second=200):
    """The stranger is seen again, after the gap; what the owner is told of it."""
    before = len(harness.subscriber.alerts)
    outcome = harness.sees(somebody(second), somebody(second + 1))
    assert not outcome.failed
    return [alert.subject.split(" at ")[0] for alert in harness.subscriber.alerts[before:]]


def name_alice(harness):
    """Copy one of the pictures into Alice's folder."""
    harness.copy(harness.pictures[0], "people/Alice/1.jpg")


ORDERS = [None, any_order(1)]


@pytest.mark.parametrize("rng", ORDERS)
def test_whose_pictures_are_moved_to_ignored_makes_no_alert_and_is_counted(harness, rng):
    stranger = harness.only
    moved = harness.decide("ignored")
    harness.deliver(rng=rng)
    assert harness.row(stranger)["status"] == "ignored"
    assert sorted(harness.pictures) == sorted(key for key in moved if key.endswith(".jpg"))
    assert comes_back(harness) == []
    row = harness.row(stranger)
    assert (row["sightings"], row["visits"]) == (6, 3)
    assert harness.pass_time(DELAY_S + 1) is not None
    row = harness.row(stranger)
    assert row["status"] == "ignored" and row["pictureKey"] in harness.pictures
    pictures = [item for item in harness.table.scan()["Items"] if item["sk"] == "picture"]
    day_s = 86_400  # the pictures are known as long as the stranger is, but for a last visit
    assert all(abs(item["expires"] - row["expires"]) < day_s for item in pictures)
    (line,) = harness.decisions
    assert (line["by"], line["via"], line["decision"], line["before"]) == (
        *("owner", "s3", "ignored", "pending"),
    )
    assert line["effect"] == "no further alert" and len(line["pictures"]) == 2


@pytest.mark.parametrize("rng", ORDERS)
def test_whose_pictures_are_deleted_is_forgotten_after_the_delay(harness, rng):
    for key in harness.keys:
        harness.remove(key)
    harness.deliver(rng=rng)
    assert len(harness.strangers) == 1
    harness.pass_time(DELAY_S + 1)
    assert harness.strangers == [] and harness.rekognition.faces == {}
    assert [key for key in harness.keys if not key.startswith("decisions/")] == []
    left = {item["pk"].partition("#")[0] for item in harness.table.scan()["Items"]}
    assert left <= {"camera", "session", "sessions", "day", "visits"}  # that somebody was here
    assert [line["decision"] for line in harness.decisions] == ["discarded"]
    assert comes_back(harness) == ["Stranger"]
    assert "seen before" not in harness.subscriber.alerts[-1].text


@pytest.mark.parametrize("rng", ORDERS)
def test_whose_picture_is_copied_to_a_person_is_named(harness, rng):
    stranger = harness.only
    name_alice(harness)
    harness.deliver(rng=rng)
    row = harness.row(stranger)
    assert (row["status"], row["person"]) == ("named", ALICE)
    assert {who for who, _ in harness.people.faces.values()} == {ALICE}
    assert comes_back(harness) == ["Alice"]
    assert read_current(harness.table, "front-door", ALICE).visit.persons == (ALICE,)
    harness.pass_time(DELAY_S + 1)
    folders = {key.rsplit("/", 2)[0] for key in harness.pictures}
    assert folders == {"people", "review/named"}
    assert [line["decision"] for line in harness.decisions] == ["named"]
    assert harness.decisions[0]["effect"] == "a photo is enrolled"


def test_a_photo_that_is_too_poor_names_all_the_same(harness):
    harness.people.poor = ["LOW_SHARPNESS"]
    name_alice(harness)
    harness.deliver()
    assert harness.people.faces == {}
    assert "blurred" in harness.decisions[0]["effect"]
    assert comes_back(harness) == ["Alice"]


@pytest.mark.parametrize("rng", ORDERS)
def test_a_name_taken_back_brings_the_stranger_back(harness, rng):
    stranger = harness.only
    name_alice(harness)
    harness.deliver()
    harness.pass_time(DELAY_S + 1)
    harness.remove("people/Alice/1.jpg")
    harness.deliver(rng=rng)
    harness.pass_time(DELAY_S + 1)
    assert harness.people.faces == {}
    assert harness.row(stranger)["status"] == "pending"
    assert {key.rsplit("/", 2)[0] for key in harness.pictures} == {"review/pending"}
    assert len(harness.pictures) == 2
    assert comes_back(harness) == ["Stranger"]
    assert "seen before" in harness.subscriber.alerts[-1].text
    assert [line["decision"] for line in harness.decisions] == ["named", "pending"]


def test_a_photo_that_gets_another_name_never_takes_the_decision_back(harness):
    stranger, before = harness.only, harness.pictures[0]
    for name in ("Alice", "Alicia"):
        harness.move(before, before := f"people/{name}/1.jpg")
        harness.events.reverse()  # the deletion's comes first
        statuses = []
        for event in harness.events:
            harness.deliver_one(event)
            statuses.append(harness.row(stranger)["status"])
        harness.events.clear()
        harness.pass_time(DELAY_S + 1)
    assert statuses == ["named", "named"]
    assert harness.row(stranger)["person"] == ALICE
    assert [line["decision"] for line in harness.decisions] == ["named"]


def test_the_only_picture_moved_to_a_person_is_kept_for_the_way_back(make):
    harness = make()
    harness.sees(somebody(0), somebody(1))
    stranger = harness.only
    harness.move(harness.pictures[0], "people/Alice/1.jpg")
    harness.deliver()
    harness.pass_time(DELAY_S + 1)
    assert "people/Alice/1.jpg" in harness.pictures and len(harness.pictures) == 2
    harness.remove("people/Alice/1.jpg")
    harness.deliver()
    harness.pass_time(DELAY_S + 1)
    assert harness.row(stranger)["status"] == "pending"


@pytest.mark.parametrize("rng", ORDERS)
def test_an_ignored_stranger_is_moved_back(harness, rng):
    stranger = harness.only
    harness.decide("ignored")
    harness.deliver()
    harness.decide("pending")
    harness.deliver(rng=rng)
    assert harness.row(stranger)["status"] == "pending"
    assert comes_back(harness) == ["Stranger"]


@pytest.mark.parametrize("rng", ORDERS)
def test_a_discard_can_be_undone_for_ten_minutes(harness, rng):
    stranger = harness.only
    harness.decide("discarded")
    harness.deliver(rng=rng)
    assert harness.row(stranger)["status"] == "discarded"
    assert comes_back(harness) == []
    harness.pass_time(UNDO_S - 60)
    harness.decide("pending")
    harness.deliver(rng=rng)
    harness.pass_time(UNDO_S)
    assert harness.row(stranger)["status"] == "pending"
    assert len(harness.pictures) == 2
    harness.decide("discarded")
    harness.deliver()
    harness.pass_time(UNDO_S + 1)
    assert harness.row(stranger) is None
    assert harness.pictures == [] and harness.rekognition.faces == {}
    assert [line["decision"] for line in harness.decisions] == [
        *("discarded", "pending", "discarded"),
    ]


def test_name_beats_ignore_beats_discard(harness):
    stranger, (first, second) = harness.only, harness.pictures
    harness.move(first, f"review/ignored/{stranger}/1.jpg")
    harness.move(second, f"review/discarded/{stranger}/2.jpg")
    harness.deliver()
    assert harness.row(stranger)["status"] == "ignored"
    harness.copy(f"review/discarded/{stranger}/2.jpg", "people/Alice/1.jpg")
    harness.deliver()
    assert harness.row(stranger)["status"] == "named"


@pytest.mark.parametrize(
    ("status", "stays"), [("pending", False), ("ignored", True), ("named", True)]
)
def test_what_expires_is_no_decision(harness, status, stays):
    stranger = harness.only
    if status == "named":
        name_alice(harness)
    else:
        harness.decide(status)
    harness.deliver()
    harness.pass_time(DELAY_S + 1)
    lines = len(harness.decisions)
    for key in harness.keys:
        if key.startswith("review/"):
            harness.remove(key, expired=True)
    harness.deliver()
    harness.pass_time(DELAY_S + 1)
    assert (harness.row(stranger) is not None) == stays == bool(harness.rekognition.faces)
    assert len(harness.decisions) == lines


@pytest.mark.parametrize("status", ["ignored", "named"])
def test_a_decision_whose_row_expires_leaves_no_face(harness, status, monkeypatch):
    stranger, people = harness.only, harness.review.photos.people
    if status == "named":
        name_alice(harness)
    else:
        harness.decide(status)
    harness.deliver()
    harness.pass_time(DELAY_S + 1)
    row, lines = harness.row(stranger), len(harness.decisions)
    monkeypatch.setattr(differences, "now_ms", lambda: harness.clock())
    for days, stays in ((300, True), (60, False)):
        harness.pass_time(days * DAY_S)
        assert (int(row["expires"]) * 1000 - harness.clock() > 7 * 1000 * DAY_S) == stays
        found = find_expiring(people)
        assert found == ([] if stays else [f"review/pending/{stranger}/sighting.json"])
        for key in found:
            harness.deliver_one(ObjectEvent(key, "", ""))
    assert harness.rekognition.faces == {} and harness.strangers == []
    assert bool(harness.people.faces) == (status == "named")
    assert find_moved(people) == [] and len(harness.decisions) == lines


def test_who_is_decided_on_again_before_the_row_expires_is_kept(harness):
    stranger = harness.only
    harness.decide("ignored")
    harness.deliver()
    harness.pass_time(364 * DAY_S)
    harness.decide("pending")
    harness.deliver()
    assert harness.row(stranger)["status"] == "pending"


def test_a_picture_is_known_by_its_bytes_in_whatever_folder(harness):
    stranger, (first, second) = harness.only, harness.pictures
    harness.remove(second)
    harness.move(first, "review/ignored/some folder/renamed.jpg")
    harness.deliver()
    assert harness.only == stranger  # the folder is nobody
    assert harness.row(stranger)["status"] == "ignored"
    harness.pass_time(DELAY_S + 1)
    assert harness.pictures == [f"review/ignored/{stranger}/renamed.jpg"]
    harness.remove(harness.pictures[0])
    harness.deliver()
    harness.pass_time(DELAY_S + 1)
    assert harness.row(stranger) is None


def test_a_move_whose_events_are_lost_but_the_deletion_is_no_discard(harness):
    stranger = harness.only
    harness.move(harness.pictures[0], f"review/ignored/{stranger}/1.jpg")
    harness.events = harness.events[1:]
    harness.remove(harness.pictures[-1])
    harness.deliver()
    assert harness.row(stranger)["status"] == "ignored"


def test_a_copy_to_a_person_whose_event_is_lost_is_found_before_anything_is_forgotten(make):
    harness = make()
    harness.sees(somebody(0), somebody(1))
    stranger = harness.only
    harness.move(harness.pictures[0], "people/Alice/1.jpg")
    harness.events = harness.events[1:]
    harness.deliver()
    harness.pass_time(DELAY_S + 1)
    assert harness.row(stranger)["status"] == "named"


def test_a_visit_in_progress_follows_the_name_without_a_second_alert(harness):
    for second in range(92, 96):
        harness.sees(somebody(second))
    harness.clock.moment_ms = START + 96_000
    name_alice(harness)
    harness.deliver()
    before = len(harness.subscriber.alerts)
    for second in range(96, 100):
        harness.sees(somebody(second))
    assert harness.subscriber.alerts[before:] == []
    assert read_current(harness.table, "front-door", ALICE).visit.last_ms == START + 99_000


def test_a_visit_in_progress_follows_ignore_and_counts(harness):
    stranger = harness.only
    harness.decide("ignored")
    harness.deliver()
    for second in range(92, 96):
        harness.sees(somebody(second))
    assert harness.row(stranger)["sightings"] == 8
    assert visits_of(harness.table, "one", "front-door")[-1].last_ms == START + 95_000


def test_a_visit_in_progress_follows_a_merge_without_a_second_alert(make):
    harness, one, other = two_strangers(make)
    for second in range(300, 310):
        harness.video.shows(START + 1000 * second, (LEFT, BLUE))
    harness.sees(*[somebody(second) for second in range(300, 304)])
    harness.clock.moment_ms = START + 304_000
    before = len(harness.subscriber.alerts)
    for key in [key for key in harness.pictures if f"/{other}/" in key]:
        harness.move(key, key.replace(other, one))
    harness.deliver()
    for second in range(304, 308):
        harness.sees(somebody(second))
    assert harness.row(other)["status"] == "merged"
    assert harness.subscriber.alerts[before:] == []
    assert read_current(harness.table, "front-door", one).visit.last_ms == START + 307_000


def two_strangers(make):
    harness = make()
    harness.sees(somebody(0), somebody(1))
    for second in (90, 91, 300, 301):
        harness.video.shows(START + 1000 * second, (LEFT, BLUE))
    harness.sees(somebody(90), somebody(91))
    harness.events.clear()
    one, other = (item["pk"][9:] for item in harness.strangers)
    return harness, one, other


@pytest.mark.parametrize("rng", ORDERS)
def test_two_strangers_who_are_one_are_merged_and_parted_again(make, rng):
    harness, one, other = two_strangers(make)
    (picture,) = [key for key in harness.pictures if other in key]
    target = picture.replace(other, one)
    harness.move(picture, target)
    harness.deliver(rng=rng)
    harness.pass_time(DELAY_S + 1)
    row = harness.row(other)
    assert (row["status"], row["mergedInto"]) == ("merged", one)
    found = past_visits(harness.table, Span(START, START + 100_000), lambda _camera: 300_000)
    assert [visit.picture_key in harness.pictures for visit in found] == [True]
    both = harness.row(one)
    assert (len(both["pictures"]), both["visits"], both["sightings"]) == (2, 2, 4)
    assert comes_back(harness, 300) == ["Stranger"]
    assert harness.subscriber.alerts[-1].facts["stranger"] == one
    harness.move(target, picture)
    harness.deliver(rng=rng)
    harness.pass_time(DELAY_S + 1)
    assert harness.row(other)["status"] == harness.row(one)["status"] == "pending"
    assert len(harness.row(other)["pictures"]) == 1
    assert (harness.row(one)["visits"], harness.row(other)["visits"]) == (2, 1)  # one more since


def test_pictures_of_one_frame_are_moved_into_one_folder_and_none_is_overwritten(make):
    harness = make()
    for second in (0, 1):
        harness.video.shows(START + 1000 * second, (LEFT, RED), (RIGHT, BLUE))
    harness.sees(*(received(second, face(), face(box=RIGHT)) for second in (0, 1)))
    harness.events.clear()
    one, other = (item["pk"][9:] for item in harness.strangers)
    for key in [key for key in harness.keys if f"/{other}/" in key]:
        harness.move(key, key.replace(f"/{other}/", f"/{one}/"))
    harness.deliver()
    assert len({key.rpartition("/")[0] for key in harness.pictures}) == 1
    assert len(harness.pictures) == len(harness.row(one)["pictures"]) == 2


def test_a_crash_at_any_call_of_a_merge_counts_each_visit_once(make):
    harness, one, other = two_strangers(make)
    (picture,) = [key for key in harness.pictures if other in key]
    target = picture.replace(other, one)
    writes = ("transact_write_items", "update_item", "delete_item")
    for nth in itertools.count(1):
        killer = Killer(harness, nth, writes)
        for counted, (key, to) in {(2, 4): (picture, target), (1, 2): (target, picture)}.items():
            harness.move(key, to)
            for event in harness.events:
                killer.run(partial(harness.deliver_one, event))
            harness.events.clear()
            found = harness.row(one)
            assert (found["visits"], found["sightings"]) == counted, nth
        if not killer.killed:
            break
    assert nth > 6


def merge(harness, one, other):
    """Move the only picture of the other stranger to the first one's."""
    (picture,) = [key for key in harness.pictures if f"/{other}/" in key]
    harness.move(picture, picture.replace(other, one))
    harness.deliver()
    harness.pass_time(DELAY_S + 1)


def test_a_stranger_whose_row_is_written_after_the_event_is_listed(make):
    harness = make()
    harness.sees(somebody(0), somebody(1))
    read, stranger = store.read_stranger, harness.only
    with pytest.MonkeyPatch.context() as patch:  # the event read before the row was written
        patch.setattr(store, "read_stranger", lambda *_: None)
        harness.deliver_one(ObjectEvent(harness.pictures[0], "", ""))
    assert read(harness.table, stranger) and stranger in listed(harness.table)


def test_who_was_merged_is_forgotten_with_the_other(make):
    harness, one, other = two_strangers(make)
    merge(harness, one, other)
    assert find_moved(harness.review.photos.people) == []
    for key in [key for key in harness.keys if f"/{one}/" in key]:
        harness.remove(key)
    harness.deliver()
    harness.pass_time(DELAY_S + 1)
    assert harness.rekognition.faces == {} and harness.strangers == []
    assert [key for key in harness.keys if not key.startswith("decisions/")] == []
    assert comes_back(harness, 300) == ["Stranger"]


def test_a_name_goes_along_with_the_picture_that_is_merged(make):
    for named in (0, 1):
        harness, *both = two_strangers(make)
        other, one = both[named], both[1 - named]
        (picture,) = [key for key in harness.pictures if f"/{other}/" in key]
        harness.copy(picture, "people/Alice/1.jpg")
        harness.deliver()
        harness.pass_time(DELAY_S + 1)
        (picture,) = [key for key in harness.pictures if f"/{other}/" in key]
        merge(harness, one, other)
        assert (harness.row(one)["status"], harness.row(one)["person"]) == ("named", ALICE)
        assert harness.row(other)["status"] == "merged"
        (moved,) = [key for key in harness.pictures if picture.rpartition("/")[2] in key]
        harness.move(moved, picture)
        harness.deliver()
        assert [harness.row(who)["status"] for who in (one, other)] == ["pending", "named"]


def test_faces_go_with_their_pictures_and_are_forgotten_with_them(make):
    harness, one, other = two_strangers(make)
    (picture,) = [key for key in harness.pictures if other in key]
    harness.move(picture, picture.replace(other, one))
    harness.deliver()
    assert {who for who, _ in harness.rekognition.faces.values()} == {one}
    kept = {picture["faceId"] for picture in harness.row(one)["pictures"].values()}
    assert kept == set(harness.rekognition.faces) and len(kept) == 2
    for key in [key for key in harness.keys if f"/{one}/" in key]:
        harness.remove(key)
    harness.deliver()
    harness.pass_time(DELAY_S + 1)
    assert harness.rekognition.faces == {}


def test_one_stranger_who_is_two_is_split(harness):
    stranger, (first, _) = harness.only, harness.pictures
    harness.move(first, "review/pending/s-000000000001/1.jpg")
    harness.deliver()
    assert harness.row("s-000000000001")["status"] == "pending"
    assert [len(harness.row(one)["pictures"]) for one in (stranger, "s-000000000001")] == [1, 1]
    assert {who for who, _ in harness.rekognition.faces.values()} == {stranger, "s-000000000001"}


@pytest.mark.parametrize("rng", ORDERS)
def test_of_one_who_was_split_each_is_decided_on_alone(harness, rng):
    stranger, other = harness.only, "s-000000000001"
    harness.move(harness.pictures[0], f"review/pending/{other}/1.jpg")
    harness.deliver(rng=rng)
    harness.pass_time(DELAY_S + 1)
    for key in [key for key in harness.keys if f"/{stranger}/" in key]:
        harness.remove(key)
    for _ in range(2):
        harness.deliver(rng=rng)
        harness.pass_time(DELAY_S + 1)
    assert harness.only == other and harness.row(other)["status"] == "pending"
    assert harness.pictures == [f"review/pending/{other}/1.jpg"]


def test_the_best_pictures_are_kept_and_the_newest(make):
    harness = make()
    for number in range(9):
        looks = {"sharpness": 95.0 - 10 * abs(number - 3)}
        harness.sees(somebody(90 * number, **looks), somebody(90 * number + 1, **looks))
    pictures = [int(key.rpartition("/")[2].partition("-")[0]) for key in harness.pictures]
    numbers = [(captured - START) // 90_000 for captured in pictures]
    assert numbers == [1, 2, 3, 4, 8]
    row = harness.strangers[0]
    assert len(row["pictures"]) == 5 and row["visits"] == 9
    rows = [item for item in harness.table.scan()["Items"] if item["sk"] == "picture"]
    assert len(rows) == 5


MOVES = {
    "ignored": lambda harness: harness.decide("ignored"),
    "discarded": lambda harness: harness.decide("discarded"),
    "named": name_alice,
    "deleted": lambda harness: [harness.remove(key) for key in harness.keys],
}


@pytest.mark.parametrize("act", MOVES)
def test_a_crash_at_any_call_leaves_what_the_retry_completes(make, act, request):
    """At each call with --long, else at every fourth."""
    step = 1 if request.config.getoption("--long") else 4
    for nth in itertools.count(1, step):
        harness = make()
        harness.sees(somebody(0), somebody(1))
        harness.events.clear()
        MOVES[act](harness)
        killer = Killer(harness, nth)
        for event in harness.events:
            killer.run(partial(harness.deliver_one, event))
        for _ in range(3):
            harness.clock.forward(UNDO_S + 1)
            due, harness.waiting = harness.waiting, []
            for _when, event in due:
                killer.run(partial(harness.deliver_one, event))
        rows = harness.strangers
        assert [row["status"] for row in rows] == {"ignored": ["ignored"], "named": ["named"]}.get(
            act, []
        ), nth
        assert len(harness.decisions) == 1, nth
        if not killer.killed:
            break
    assert nth > step


class Killer:
    """Kills the worker once, at its n-th call that changes something."""

    CHANGES = ("put_object", "copy_object", "delete_object", "put_item", "transact_write_items")

    def __init__(self, harness, nth, changes=CHANGES):
        self.changes = changes
        self.clients = (harness.s3, harness.table, harness.table.meta.client)
        self.left, self.killed = nth, False

    def run(self, work):
        """Do the work; its event comes again if the worker dies."""
        with pytest.MonkeyPatch.context() as patch:
            for client, name in itertools.product(self.clients, self.changes):
                if hasattr(client, name):
                    patch.setattr(client, name, partial(self.call, getattr(client, name)))
            try:
                return work()
            except Killed:
                return work()

    def call(self, real, **given):
        self.left -= 1
        if self.left == 0:
            self.killed = True
            raise Killed
        return real(**given)


@pytest.mark.parametrize("act", MOVES)
def test_without_any_event_the_comparison_finds_what_was_decided(harness, act):
    stranger, people = harness.only, harness.review.photos.people
    assert find_moved(people) == find_differences(people) == []
    MOVES[act](harness)
    harness.events.clear()
    for _ in range(4):
        for key in [*find_differences(people), *find_moved(people)]:
            harness.deliver_one(ObjectEvent(key, "", ""))
        harness.pass_time(UNDO_S + 1)
    assert find_moved(people) == find_differences(people) == []
    row = harness.row(stranger)
    assert (row["status"] if row else None) == {"ignored": "ignored", "named": "named"}.get(act)


@pytest.mark.parametrize("is_seen", [False, True])
def test_who_waits_since_an_earlier_version_is_listed(harness, is_seen):
    stranger, people = harness.only, harness.review.photos.people
    row = harness.row(stranger)
    for name in ("version", "pictures", "visits", "cameras", "elsewhere", "decisions"):
        row.pop(name)
    harness.table.put_item(Item={**row, "camera": "front-door"})
    for item in harness.table.scan()["Items"]:
        if item["pk"] == "strangers" or item["sk"] == "picture":
            harness.table.delete_item(Key={"pk": item["pk"], "sk": item["sk"]})
    if is_seen:
        assert comes_back(harness) == ["Stranger"]
    else:
        for key in find_moved(people):
            harness.deliver_one(ObjectEvent(key, "", ""))
    assert listed(harness.table) == {stranger: "pending"} and find_moved(people) == []


def test_a_stranger_without_a_picture_waits_and_can_be_ignored(make):
    harness = make()
    harness.video.reason = "the camera's video is not kept"
    harness.sees(somebody(0), somebody(1))
    stranger, people = harness.only, harness.review.photos.people
    harness.deliver_one(ObjectEvent(harness.keys[0], "", ""))
    assert harness.row(stranger)["status"] == "pending" and find_moved(people) == []
    harness.decide("ignored")
    harness.deliver()
    assert harness.row(stranger)["status"] == "ignored"
