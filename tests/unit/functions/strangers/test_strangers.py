"""Strangers: followed, confirmed, recognised again, queued and told, on moto's table and bucket."""

import io
import itertools
import json
from dataclasses import replace
from functools import partial

import pytest
from PIL import Image

from tests.support.records.alert_harness import (
    LEFT,
    RIGHT,
    START,
    FlakyTable,
    Killed,
    RacingTable,
    face,
    match,
    open_session,
    received,
    refusal,
)
from tests.support.records.drawn_faces import BLUE, RED, Rekognition, Video, colours, draw
from tests.support.records.stranger_harness import (
    BUCKET,
    a_table_and_a_bucket,
    alice,
    new_harness,
    somebody,
)
from whosthere.dynamodb import STAMP
from whosthere.errors import TryAgainError
from whosthere.session import lock as locks
from whosthere.strangers import store as strangers_store
from whosthere.strangers.recurring import visit_frequency
from whosthere.strangers.review_queue import StrangerFiles, stranger_of
from whosthere.strangers.stranger import MERGED, Stranger
from whosthere.visits.queries import visits_of
from whosthere.visits.store import closed_rows, read_current


@pytest.fixture(scope="module")
def shared():
    with a_table_and_a_bucket() as both:
        yield both


@pytest.fixture
def make(shared):
    return partial(new_harness, shared)


@pytest.fixture
def harness(make):
    return make()


def test_a_stranger_is_queued_once_with_one_picture_and_one_alert(harness):
    harness.sees(*(somebody(second) for second in range(5)))
    (stranger,) = harness.strangers
    (picture,) = harness.pictures
    assert picture.startswith(f"review/pending/{stranger['pk'][9:]}/18000000")
    assert stranger["pictureKey"] == picture
    assert (stranger["status"], stranger["sightings"]) == ("pending", 5)
    assert (stranger["firstSeen"], stranger["lastSeen"]) == (START, START + 4000)
    assert harness.subscriber.subjects == ["Stranger at front-door 08:00"]


def test_the_alert_carries_a_link_and_says_until_when_it_works(harness):
    harness.sees(somebody(0), somebody(1))
    (alert,) = harness.subscriber.alerts
    who = alert.facts["stranger"]
    assert alert.text.splitlines() == [
        "A stranger was seen at front-door at 08:00:01.",
        f"Picture (until 09:00): https://pictures/{harness.pictures[0]}",
        f"It waits in the review queue: review/pending/{who}/ in the bucket.",
    ]
    assert alert.facts["name"] == alert.facts["stranger"] == harness.strangers[0]["pk"][9:]
    assert alert.facts["pictureUntil"] == "2027-01-15T09:00:02.000Z"  # two seconds were waited for


class UnsignedUrls:
    """Whose role may not be assumed."""

    def sign(self, key):
        raise refusal("AssumeRole")


def test_an_alert_whose_link_cannot_be_signed_is_sent_without_it(harness):
    outcome = harness.sees(
        somebody(0), somebody(1), context=replace(harness.context(), urls=UnsignedUrls())
    )
    assert not outcome.failed
    (alert,) = harness.subscriber.alerts
    assert "There is a picture, but no link to it: AWS answered ThrottlingException." in alert.text
    assert "It waits in the review queue" in alert.text
    assert (alert.facts["picture"], alert.facts["pictureUntil"]) == (None, None)
    assert len(harness.pictures) == 1


def test_a_queued_sighting_has_no_vector(harness):
    harness.sees(somebody(0), somebody(1, sharpness=95.0))
    key = next(key for key in harness.keys if key.endswith("sighting.json"))
    told = json.loads(harness.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert told["captured"] == "2027-01-15T08:00:01.000Z"  # the sharper one
    assert told["picture"] == f"{START + 1000}-{told['stranger'][2:8]}.jpg"
    assert told["box"] == {"left": 0.2, "top": 0.3, "width": 0.1, "height": 0.2}
    assert told["quality"]["sharpness"] == 95.0
    assert (told["camera"], told["session"]) == ("front-door", "one")


def test_the_picture_shows_head_and_shoulders_and_nobody_else(harness):
    near = (0.35, 0.2, 0.2, 0.4)  # somebody larger, right beside
    for second in (0, 1):
        harness.video.shows(START + 1000 * second, (LEFT, RED), (near, BLUE))
    harness.sees(*(received(second, face(), face(match("p-alice"), box=near)) for second in (0, 1)))
    content = harness.s3.get_object(Bucket=BUCKET, Key=harness.pictures[0])["Body"].read()
    assert set(colours(content)) == {RED}
    picture = Image.open(io.BytesIO(content))
    assert picture.height > 2.5 * 120  # the face enlarged to 120, room for the shoulders
    assert [colour for _, colour in harness.rekognition.faces.values()] == [RED]


# What comes, in batches; and how many strangers and alerts come of it.
SITUATIONS = {
    "one sighting confirms nothing": ([[somebody(0)]], 0, 0),
    "two sightings in two batches": ([[somebody(0)], [somebody(1)]], 1, 1),
    "the same sighting twice is one": ([[somebody(0)], [somebody(0)]], 0, 0),
    "two sightings at two places": ([[somebody(0), somebody(1, RIGHT)]], 0, 0),
    "everything twice": ([[somebody(0), somebody(1), somebody(2)]] * 2, 1, 1),
    "the later sighting comes first": ([[somebody(1)], [somebody(0)]], 1, 1),
    "gone and back within the gap": (
        [[somebody(0), somebody(1)], [somebody(30), somebody(31)]],
        1,
        1,
    ),
    "gone and back after the gap": (
        [[somebody(0), somebody(1)], [somebody(90), somebody(91)]],
        1,
        2,
    ),
    "a known person": ([[alice(0), alice(1), alice(2)]], 0, 0),
    "a known person turns away": ([[alice(0), somebody(1), somebody(2)]], 0, 0),
    "a known person turned away for long": (
        [[alice(0)], *([somebody(second), somebody(second + 1)] for second in range(1, 20, 2))],
        0,
        0,
    ),
    "a known person walks on, turned away": (
        [[alice(0)]]
        + [[somebody(0.5 * step, (0.2 + 0.03 * step, 0.3, 0.1, 0.2))] for step in range(1, 12)],
        0,
        0,
    ),
    "a known person comes in turned away": ([[somebody(0), somebody(1), alice(2)]], 0, 0),
    "a known person turns back before it is confirmed": (
        [[somebody(0)], [alice(1)], [somebody(2)], [somebody(3)]],
        0,
        0,
    ),
    "a quarter of a known person's faces go unmatched": (
        [[alice(s) if s % 4 else somebody(s)] for s in range(1, 40)],
        0,
        0,
    ),
    "unsure faces": ([[alice(s, similarity=85.0)] for s in range(5)], 0, 0),
    "unsure again and again": ([[alice(s, similarity=85.0)] for s in range(15)], 0, 0),
    "unsure in between": (
        [[alice(s, similarity=85.0)] if s % 2 else [somebody(s)] for s in range(7)],
        0,
        0,
    ),
    "a stranger comes when the known person is long gone": (
        [[alice(0), alice(1)], [somebody(4), somebody(5)]],
        1,
        1,
    ),
    "a stranger beside a known person": (
        [[received(s, face(match("p-alice")), face(box=RIGHT)) for s in range(3)]],
        1,
        1,
    ),
    "blurred": ([[somebody(s, sharpness=4.0) for s in range(5)]], 0, 0),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_situation_makes_so_many_strangers_and_alerts(harness, situation):
    batches, queued, told = SITUATIONS[situation]
    if situation == "a stranger beside a known person":
        for second in range(3):
            harness.video.shows(START + 1000 * second, (LEFT, BLUE), (RIGHT, RED))
    for batch in batches:
        assert not harness.sees(*batch).failed
    assert len(harness.strangers) == queued
    assert len(harness.subscriber.alerts) == told
    assert len(harness.pictures) == told  # one for each visit


def test_two_strangers_at_once_are_two(harness):
    for second in (0, 1):
        harness.video.shows(START + 1000 * second, (LEFT, RED), (RIGHT, BLUE))
    harness.sees(*(received(second, face(), face(box=RIGHT)) for second in (0, 1)))
    assert len(harness.strangers) == len(harness.pictures) == len(harness.subscriber.alerts) == 2


def test_another_stranger_after_the_first_is_another(harness):
    harness.sees(somebody(0), somebody(1))
    for second in (10, 11):
        harness.video.shows(START + 1000 * second, (LEFT, BLUE))
    harness.sees(somebody(10), somebody(11))
    assert len(harness.strangers) == len(harness.subscriber.alerts) == 2


def test_the_same_stranger_later_gets_another_picture_and_an_alert_as_seen_before(harness):
    harness.sees(somebody(0), somebody(1))
    outcome = harness.sees(somebody(90), somebody(91))
    assert outcome.counts == {"strangers_again": 1}
    assert len(harness.strangers) == 1
    assert len(harness.pictures) == 2
    assert harness.strangers[0]["sightings"] == 4
    assert "A stranger seen before was seen" in harness.subscriber.alerts[1].text
    assert len(harness.rekognition.faces) == 1


def come(harness, *visits):
    """One visit of the same stranger at each of these seconds."""
    for second in visits:
        harness.sees(somebody(second), somebody(second + 1))


def told_recurring(harness):
    return [alert.facts["recurring"] for alert in harness.subscriber.alerts]


def test_a_stranger_who_keeps_coming_is_marked_in_alert_and_row(harness):
    come(harness, 0, 90, 180)
    assert told_recurring(harness) == [False, False, True]
    last = harness.subscriber.alerts[-1]
    assert last.facts["recentVisits"] == 3
    assert "This stranger keeps coming: 3 visits in 14 days." in last.text.splitlines()
    assert "keeps coming" not in harness.subscriber.alerts[1].text
    assert harness.strangers[0]["recurring"] is True


def test_visits_of_long_ago_do_not_count_and_the_mark_goes(make):
    harness = make(recurringDays=1)
    come(harness, 0, 90, 180)
    assert harness.strangers[0]["recurring"] is True
    harness.clock.forward(90_000)
    come(harness, 90_000)
    assert told_recurring(harness) == [False, False, True, False]
    assert harness.strangers[0]["recurring"] is False


@pytest.mark.parametrize(
    ("settings", "told"), [({"recurringVisits": 2}, [False, True]), ({"recurringVisits": 0}, [])]
)
def test_the_setting_says_how_many_visits_are_recurring(make, settings, told):
    harness = make(**settings)
    come(harness, 0, 90)
    assert told_recurring(harness) == (told or [False, False])


def test_who_is_only_queued_is_marked_too(make):
    harness = make(strangers="queue")
    come(harness, 0, 90, 180)
    assert not harness.subscriber.alerts
    assert harness.strangers[0]["recurring"] is True


def test_a_walk_past_several_cameras_is_one_visit(harness):
    come(harness, 0, 90)
    visit = read_current(harness.table, "front-door", harness.strangers[0]["pk"][9:]).visit
    for camera in ("garage", "gate"):
        moved = replace(visit, camera=camera, first_ms=visit.first_ms + 5000)
        for row in closed_rows(moved):
            harness.table.put_item(Item={**row, **STAMP, "version": 1})
    frequency = visit_frequency(
        harness.table, harness.session.settings, visit.who, visit.last_ms + 10_000
    )
    assert (frequency.visits, frequency.is_recurring) == (2, False)


def test_visits_of_who_was_merged_into_a_stranger_count(harness):
    come(harness, 0, 90)
    first = harness.strangers[0]["pk"][9:]
    for second in (180, 181):
        harness.video.shows(START + 1000 * second, (LEFT, BLUE))
    come(harness, 180)
    second = next(one["pk"][9:] for one in harness.strangers if one["pk"][9:] != first)
    merged = strangers_store.read_stranger(harness.table, first)
    after = replace(merged, status=MERGED, merged_into=second)
    strangers_store.save_stranger(harness.table, merged, after)
    found = visit_frequency(harness.table, harness.session.settings, second, START + 200_000)
    assert (found.visits, found.is_recurring) == (3, True)


def test_who_was_merged_is_found_by_rows_that_a_split_and_a_removal_take_along(harness):
    """By one row each, in the transaction of the stranger's own: a listing would grow."""
    table, merged = harness.table, MERGED

    def saved(one, into=""):
        before = strangers_store.read_stranger(table, one)
        known = before or Stranger(one, ("front-door",), 0, 0, 0, 0, "pending")
        status = merged if into else "pending"
        after = replace(known, status=status, merged_into=into)
        strangers_store.save_stranger(table, before, after)

    for one, into in (("s-1", "s-2"), ("s-2", "s-3"), ("s-4", "s-3"), ("s-3", "")):
        saved(one, into)
    assert strangers_store.ids_of(table, "s-3") == {"s-1", "s-2", "s-3", "s-4"}
    saved("s-2")
    assert strangers_store.ids_of(table, "s-3") == {"s-3", "s-4"}
    saved("s-4", "s-2")
    assert strangers_store.ids_of(table, "s-2") == {"s-1", "s-2", "s-4"}
    for one in ("s-1", "s-4"):
        strangers_store.remove_stranger(table, strangers_store.read_stranger(table, one))
    assert strangers_store.ids_of(table, "s-2") == {"s-2"}
    assert not [row for row in table.scan()["Items"] if row["pk"].startswith("merged#")]


class Looks(Rekognition):
    """A person who looks a little different each time, so that each face is another one."""

    def search_faces_by_image(self, **given):
        answer = super().search_faces_by_image(**given)
        return {"FaceMatches": [one | {"Similarity": 95.0} for one in answer["FaceMatches"]]}

    def index_faces(self, *, Image, ExternalImageId, **_given):
        self.calls["index"] += 1
        id = f"face-{self.calls['index']}"
        self.faces[id] = (ExternalImageId, self._face(Image, "IndexFaces"))
        return {"FaceRecords": [{"Face": {"FaceId": id}}]}


def test_the_faces_of_a_strangers_kept_pictures_are_searched(harness):
    harness.rekognition = Looks()
    harness.files = replace(harness.files, rekognition=harness.rekognition)
    come(harness, 0, 90)
    stranger = harness.strangers[0]
    assert {who for who, _ in harness.rekognition.faces.values()} == {stranger["pk"][9:]}
    of_pictures = {picture["faceId"] for picture in stranger["pictures"].values()}
    assert of_pictures == set(harness.rekognition.faces) == {"face-1", "face-2"}


def test_the_face_of_a_picture_that_is_not_kept_goes_with_it(harness):
    harness.rekognition = Looks()
    harness.files = replace(harness.files, rekognition=harness.rekognition)
    come(harness, *range(0, 900, 90))
    stranger = harness.strangers[0]
    of_pictures = {picture["faceId"] for picture in stranger["pictures"].values()}
    assert len(of_pictures) == 5 and harness.rekognition.calls["index"] == 10
    assert set(harness.rekognition.faces) == of_pictures | {stranger["faceId"]}


def test_later_sightings_of_a_stranger_belong_to_the_visit(harness):
    for second in range(12):
        harness.sees(somebody(second))
    (stranger,) = harness.strangers
    (visit,) = visits_of(harness.table, "one", "front-door")
    assert stranger["sightings"] == visit.sightings == 12
    assert stranger["lastSeen"] == visit.last_ms == START + 11_000
    assert harness.video.calls == 1


@pytest.mark.parametrize("status", ["ignored", "discarded"])
def test_who_is_ignored_makes_no_alert_and_no_new_item_and_is_counted(harness, status):
    harness.sees(somebody(0), somebody(1))
    harness.table.update_item(
        Key={"pk": harness.strangers[0]["pk"], "sk": "stranger"},
        UpdateExpression="SET #status = :status",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":status": status},
    )
    before = harness.keys
    outcome = harness.sees(somebody(90), somebody(91))
    harness.sees(somebody(92), somebody(93))
    assert outcome.counts == {"ignored": 1}
    assert harness.keys == before
    assert len(harness.subscriber.alerts) == 1
    (stranger,) = harness.strangers
    assert (stranger["lastSeen"], stranger["sightings"]) == (START + 93_000, 6)
    assert stranger["visits"] == 2


def test_off_keeps_nothing(make):
    harness = make(strangers="off")
    assert harness.sees(*(somebody(second) for second in range(5))).counts == {}
    assert harness.keys == [] and harness.strangers == []
    assert not harness.rekognition.calls
    kept = {item["sk"].partition("#")[0] for item in harness.table.scan()["Items"]}
    assert kept == {"lock", "session"}


def test_of_two_shards_one_may_be_seconds_behind_and_it_is_one_stranger(harness):
    """Nobody can tell by a picture: the video is gone."""
    harness.video.reason = "no video is kept"
    harness.sees(*(somebody(second) for second in (3, 4.5, 6, 7.5)))
    harness.sees(*(somebody(second) for second in (1.2, 2.2, 3.7, 5.2)))
    assert len(harness.strangers) == len(harness.subscriber.alerts) == 1


def test_somebody_known_and_turned_away_is_no_stranger_to_a_shard_that_is_behind(harness):
    harness.sees(alice(3), *(somebody(second) for second in (4.5, 6, 7.5)))
    harness.sees(*(somebody(second) for second in (3.7, 4.2, 5.2, 5.9)))
    assert not harness.strangers and not harness.subscriber.alerts


def test_strangers_queue_queues_without_an_alert(make):
    harness = make(strangers="queue")
    harness.sees(somebody(0), somebody(1))
    harness.sees(somebody(2), somebody(90), somebody(91))
    assert len(harness.strangers) == 1
    assert len(harness.pictures) == 2
    assert not harness.subscriber.alerts


def test_a_session_that_starts_within_a_strangers_visit_makes_no_second_alert(harness):
    harness.sees(somebody(0), somebody(1))
    locks.unlock(harness.table, harness.session)
    harness.session = open_session(harness.table, "two", started=10)
    harness.sees(somebody(20), somebody(21), somebody(22))
    assert len(harness.strangers) == len(harness.pictures) == len(harness.subscriber.alerts) == 1


def test_in_quiet_hours_a_stranger_is_queued_and_counted_without_an_alert(make):
    harness = make(quietHours=["08:00-09:00"])
    assert harness.sees(somebody(0), somebody(1)).counts == {"strangers": 1, "quiet": 1}
    harness.sees(somebody(2))
    assert len(harness.pictures) == 1
    assert not harness.subscriber.alerts


@pytest.mark.parametrize(
    ("name", "looks"),
    [
        ("confidence", {"confidence": 80.0}),
        ("sharpness", {"sharpness": 4.9}),
        ("brightness", {"brightness": 14.0}),
        ("yaw", {"yaw": -51.0}),
        ("height", {"box": (0.2, 0.3, 0.03, 0.049)}),
    ],
)
def test_the_quality_gate_counts_what_it_drops_with_the_reason(harness, name, looks):
    outcome = harness.sees(*(received(second, face(**looks)) for second in range(4)))
    assert outcome.counts == {f"dropped_{name}": 4}
    assert harness.keys == [] and harness.strangers == []
    assert harness.sees(*(received(second, face(**looks)) for second in range(4))).counts == {}


def test_frames_from_before_the_session_make_no_stranger(make):
    harness = make()
    harness.session = open_later(harness)
    harness.sees(somebody(0), somebody(1))
    assert harness.strangers == []


def open_later(harness):
    from dataclasses import replace

    return replace(harness.session, started_ms=START + 60_000)


def test_without_a_picture_the_reason_is_in_the_queue(harness):
    harness.video.reason = "the fragment is not kept any more"
    harness.sees(somebody(0), somebody(1))
    assert harness.pictures == []
    (key,) = harness.keys
    told = json.loads(harness.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert told["picture"] is None
    assert told["reason"] == "the fragment is not kept any more"
    assert "There is no picture" in harness.subscriber.alerts[0].text
    assert not harness.rekognition.calls


def test_a_picture_that_cannot_be_decoded_is_a_reason_and_no_error(harness):
    harness.video.image = lambda _sighting: draw((LEFT, RED))[:2000]
    assert not harness.sees(somebody(0), somebody(1)).failed
    (key,) = harness.keys
    told = json.loads(harness.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert told["reason"] == "the image cannot be decoded"
    assert len(harness.subscriber.alerts) == 1


def test_a_picture_that_is_not_there_yet_is_waited_for(harness):
    class Slow(Video):
        def image(self, sighting):
            self.calls += 1
            if self.calls < 3:
                raise TryAgainError("the fragment is not stored yet")
            return Video.image(self, sighting)

    context = harness.context(video=Slow())
    batch = [somebody(0), somebody(1)]
    assert set(harness.sees(*batch, context=context).failed) == {"at-0", "at-1"}
    assert harness.sees(*batch, context=context).failed
    assert not harness.sees(*batch, context=context).failed
    assert len(harness.strangers) == len(harness.subscriber.alerts) == 1


def test_a_picture_in_which_no_face_is_found_is_kept_all_the_same(harness):
    for second in (0, 1):
        harness.video.shows(START + 1000 * second)

    def nothing(**_given):
        return {"FaceRecords": []}

    harness.rekognition.index_faces = nothing
    harness.sees(somebody(0), somebody(1))
    assert len(harness.pictures) == len(harness.subscriber.alerts) == 1


class FlakyClient:
    """A client who fails at the nth of all calls to it and its like."""

    def __init__(self, client, counter, error, *, after):
        self._client, self._counter, self._error, self._after = client, counter, error, after

    def __getattr__(self, name):
        call = getattr(self._client, name)

        def counted(**given):
            self._counter[0] -= 1
            if self._counter[0]:
                return call(**given)
            if self._after:
                call(**given)
            raise self._error

        return counted


@pytest.mark.long  # by default test_crashes.py dies at some of all lines
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("what", ["table", "clients"])
def test_a_crash_at_any_call_makes_one_stranger_one_picture_one_alert(harness, what, after):
    """Each call fails in turn, before or after it took effect; then the batch is redelivered."""
    batch = [somebody(0), somebody(1), somebody(2)]
    crashes = 0
    for at in itertools.count(1):
        harness.clear()
        counter = [at]
        table, context = harness.table, harness.context()
        if what == "table":
            table = FlakyTable(table, at, Killed(), after=after)
        else:
            files = StrangerFiles(
                FlakyClient(harness.s3, counter, Killed(), after=after),
                FlakyClient(harness.rekognition, counter, Killed(), after=after),
                BUCKET,
                "strangers",
            )
            context = harness.context(files=files)
        worker = harness.worker(table)
        marked = False
        try:
            harness.sees(*batch, worker=worker, context=context)
        except Killed:
            marked = any(
                visit.alert == "sent" for visit in visits_of(harness.table, "one", "front-door")
            )
        else:
            break
        crashes += 1
        window = bool(harness.subscriber.alerts) and not marked
        harness.clock.forward(66)
        again = harness.sees(*batch)
        if again.failed:  # the track was taken over, the visit's lease ran a little longer
            harness.clock.forward(66)
            assert not harness.sees(*batch).failed, at
        assert len(harness.strangers) == 1, at
        assert len(harness.pictures) == 1, at
        assert len(harness.rekognition.faces) == 1, at
        assert len(harness.subscriber.alerts) == (2 if window else 1), at
    assert crashes >= (10 if what == "table" else 4)


def test_a_refused_call_is_retried_at_once(harness):
    harness.subscriber.refusals = [refusal("Publish")]
    batch = [somebody(0), somebody(1)]
    assert harness.sees(*batch).failed
    assert not harness.sees(*batch).failed
    assert len(harness.subscriber.alerts) == len(harness.strangers) == 1


@pytest.mark.parametrize("at", range(1, 8))
@pytest.mark.parametrize("same", [True, False], ids=["same records", "other records"])
def test_two_workers_on_one_stranger_make_one(harness, at, same):
    mine = [somebody(0), somebody(1), somebody(2)]
    theirs = mine if same else [somebody(0.4), somebody(1.4), somebody(2.4)]
    failed = []
    table = RacingTable(harness.table, at, lambda: failed.append(harness.sees(*theirs).failed))
    outcome = harness.sees(*mine, worker=harness.worker(table))
    if outcome.failed or any(failed):
        harness.clock.forward(66)
        assert not harness.sees(*mine).failed
        assert not harness.sees(*theirs).failed
    assert len(harness.strangers) == len(harness.pictures) == 1
    assert len(harness.rekognition.faces) == 1
    assert len(harness.subscriber.alerts) == 1


@pytest.mark.parametrize(
    ("key", "stranger"),
    [
        ("review/pending/s-1/1.jpg", "s-1"),
        ("review/ignored/s-1/sighting.json", "s-1"),
        ("review/pending/s-1/", "s-1"),
        ("review/named/s-1/1.jpg", "s-1"),
        ("review/elsewhere/s-1/1.jpg", None),
        ("review/pending/1.jpg", None),
        ("people/Zoë/1.jpg", None),
    ],
)
def test_a_key_says_whose_picture_it_is(key, stranger):
    assert stranger_of(key) == stranger
