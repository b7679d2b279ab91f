"""Strangers: followed, confirmed, recognised again, queued and told, on moto's table and bucket."""

import io
import itertools
import json
from functools import partial

import pytest
from PIL import Image

from tests.support.door import (
    LEFT,
    RIGHT,
    START,
    FlakyTable,
    Killed,
    Turnstile,
    face,
    match,
    open_session,
    received,
    refusal,
)
from tests.support.gallery import BLUE, RED, Video, colours
from tests.support.porch import BUCKET, a_porch, a_table_and_a_bucket, alice, somebody
from whosthere.errors import TryAgainError
from whosthere.session import lock as locks
from whosthere.strangers.review_queue import StrangerFiles, forget_if_gone, stranger_of
from whosthere.visits.store import visits_of


@pytest.fixture(scope="module")
def shared():
    with a_table_and_a_bucket() as both:
        yield both


@pytest.fixture
def make(shared):
    return partial(a_porch, shared)


@pytest.fixture
def porch(make):
    return make()


def test_a_stranger_is_queued_once_with_one_picture_and_one_alert(porch):
    porch.sees(*(somebody(second) for second in range(5)))
    (stranger,) = porch.strangers
    (picture,) = porch.pictures
    assert picture.startswith(f"review/pending/{stranger['pk'][9:]}/18000000")
    assert stranger["pictureKey"] == picture
    assert (stranger["status"], stranger["sightings"]) == ("pending", 5)
    assert (stranger["firstSeen"], stranger["lastSeen"]) == (START, START + 4000)
    assert porch.owner.subjects == ["Stranger at front-door 08:00"]


def test_the_alert_carries_a_link_and_says_until_when_it_works(porch):
    porch.sees(somebody(0), somebody(1))
    (alert,) = porch.owner.alerts
    who = alert.facts["stranger"]
    assert alert.text.splitlines() == [
        "A stranger was seen at front-door at 08:00:01.",
        f"Picture (until 09:00): https://pictures/{porch.pictures[0]}",
        f"It waits in the review queue: review/pending/{who}/ in the bucket.",
    ]
    assert alert.facts["name"] == alert.facts["stranger"] == porch.strangers[0]["pk"][9:]
    assert alert.facts["pictureUntil"] == "2027-01-15T09:00:02.000Z"  # two seconds were waited for


def test_a_queued_sighting_has_no_vector(porch):
    porch.sees(somebody(0), somebody(1, sharpness=95.0))
    key = next(key for key in porch.keys if key.endswith("sighting.json"))
    told = json.loads(porch.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert told["captured"] == "2027-01-15T08:00:01.000Z"  # the sharper one
    assert told["picture"] == f"{START + 1000}.jpg"
    assert told["box"] == {"left": 0.2, "top": 0.3, "width": 0.1, "height": 0.2}
    assert told["quality"]["sharpness"] == 95.0
    assert (told["camera"], told["session"]) == ("front-door", "one")


def test_the_picture_shows_head_and_shoulders_and_nobody_else(porch):
    near = (0.35, 0.2, 0.2, 0.4)  # somebody larger, right beside
    for second in (0, 1):
        porch.video.shows(START + 1000 * second, (LEFT, RED), (near, BLUE))
    porch.sees(*(received(second, face(), face(match("p-alice"), box=near)) for second in (0, 1)))
    content = porch.s3.get_object(Bucket=BUCKET, Key=porch.pictures[0])["Body"].read()
    assert set(colours(content)) == {RED}
    picture = Image.open(io.BytesIO(content))
    assert picture.height > 2.5 * 120  # the face enlarged to 120, room for the shoulders
    assert [colour for _, colour in porch.rekognition.faces.values()] == [RED]


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
def test_a_situation_makes_so_many_strangers_and_alerts(porch, situation):
    batches, queued, told = SITUATIONS[situation]
    if situation == "a stranger beside a known person":
        for second in range(3):
            porch.video.shows(START + 1000 * second, (LEFT, BLUE), (RIGHT, RED))
    for batch in batches:
        assert not porch.sees(*batch).failed
    assert len(porch.strangers) == queued
    assert len(porch.owner.alerts) == told
    assert len(porch.pictures) == told  # one for each visit


def test_two_strangers_at_once_are_two(porch):
    for second in (0, 1):
        porch.video.shows(START + 1000 * second, (LEFT, RED), (RIGHT, BLUE))
    porch.sees(*(received(second, face(), face(box=RIGHT)) for second in (0, 1)))
    assert len(porch.strangers) == len(porch.pictures) == len(porch.owner.alerts) == 2


def test_another_stranger_after_the_first_is_another(porch):
    porch.sees(somebody(0), somebody(1))
    for second in (10, 11):
        porch.video.shows(START + 1000 * second, (LEFT, BLUE))
    porch.sees(somebody(10), somebody(11))
    assert len(porch.strangers) == len(porch.owner.alerts) == 2


def test_the_same_stranger_later_gets_another_picture_and_an_alert_as_seen_before(porch):
    porch.sees(somebody(0), somebody(1))
    outcome = porch.sees(somebody(90), somebody(91))
    assert outcome.counts == {"strangers_again": 1}
    assert len(porch.strangers) == 1
    assert len(porch.pictures) == 2
    assert porch.strangers[0]["sightings"] == 4
    assert "A stranger seen before was seen" in porch.owner.alerts[1].text
    assert len(porch.rekognition.faces) == 1


def test_later_sightings_of_a_stranger_belong_to_the_visit(porch):
    for second in range(12):
        porch.sees(somebody(second))
    (stranger,) = porch.strangers
    (visit,) = visits_of(porch.table, "one", "front-door")
    assert stranger["sightings"] == visit.sightings == 12
    assert stranger["lastSeen"] == visit.last_ms == START + 11_000
    assert porch.video.calls == 1


@pytest.mark.parametrize("status", ["ignored", "named"])
def test_who_is_ignored_or_named_makes_no_alert_and_no_new_item(porch, status):
    porch.sees(somebody(0), somebody(1))
    porch.table.update_item(
        Key={"pk": porch.strangers[0]["pk"], "sk": "stranger"},
        UpdateExpression="SET #status = :status",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":status": status},
    )
    before = porch.keys
    outcome = porch.sees(somebody(90), somebody(91))
    porch.sees(somebody(92), somebody(93))
    assert outcome.counts == {"ignored": 1}
    assert porch.keys == before
    assert len(porch.owner.alerts) == 1
    assert porch.strangers[0]["lastSeen"] == START + 93_000


def test_off_keeps_nothing(make):
    porch = make(strangers="off")
    assert porch.sees(*(somebody(second) for second in range(5))).counts == {}
    assert porch.keys == [] and porch.strangers == []
    assert not porch.rekognition.calls
    kept = {item["sk"].partition("#")[0] for item in porch.table.scan()["Items"]}
    assert kept == {"lock", "session"}


def test_of_two_shards_one_may_be_seconds_behind_and_it_is_one_stranger(porch):
    """Nobody can tell by a picture: the video is gone."""
    porch.video.reason = "no video is kept"
    porch.sees(*(somebody(second) for second in (3, 4.5, 6, 7.5)))
    porch.sees(*(somebody(second) for second in (1.2, 2.2, 3.7, 5.2)))
    assert len(porch.strangers) == len(porch.owner.alerts) == 1


def test_somebody_known_and_turned_away_is_no_stranger_to_a_shard_that_is_behind(porch):
    porch.sees(alice(3), *(somebody(second) for second in (4.5, 6, 7.5)))
    porch.sees(*(somebody(second) for second in (3.7, 4.2, 5.2, 5.9)))
    assert not porch.strangers and not porch.owner.alerts


def test_strangers_queue_queues_without_an_alert(make):
    porch = make(strangers="queue")
    porch.sees(somebody(0), somebody(1))
    porch.sees(somebody(2), somebody(90), somebody(91))
    assert len(porch.strangers) == 1
    assert len(porch.pictures) == 2
    assert not porch.owner.alerts


def test_a_session_that_starts_within_a_strangers_visit_makes_no_second_alert(porch):
    porch.sees(somebody(0), somebody(1))
    locks.unlock(porch.table, porch.session)
    porch.session = open_session(porch.table, "two", started=10)
    porch.sees(somebody(20), somebody(21), somebody(22))
    assert len(porch.strangers) == len(porch.pictures) == len(porch.owner.alerts) == 1


def test_in_quiet_hours_a_stranger_is_queued_and_counted_without_an_alert(make):
    porch = make(quietHours=["08:00-09:00"])
    assert porch.sees(somebody(0), somebody(1)).counts == {"strangers": 1, "quiet": 1}
    porch.sees(somebody(2))
    assert len(porch.pictures) == 1
    assert not porch.owner.alerts


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
def test_the_quality_gate_counts_what_it_drops_with_the_reason(porch, name, looks):
    outcome = porch.sees(*(received(second, face(**looks)) for second in range(4)))
    assert outcome.counts == {f"dropped_{name}": 4}
    assert porch.keys == [] and porch.strangers == []
    assert porch.sees(*(received(second, face(**looks)) for second in range(4))).counts == {}


def test_frames_from_before_the_session_make_no_stranger(make):
    porch = make()
    porch.session = open_later(porch)
    porch.sees(somebody(0), somebody(1))
    assert porch.strangers == []


def open_later(porch):
    from dataclasses import replace

    return replace(porch.session, started_ms=START + 60_000)


def test_without_a_picture_the_reason_is_in_the_queue(porch):
    porch.video.reason = "the fragment is not kept any more"
    porch.sees(somebody(0), somebody(1))
    assert porch.pictures == []
    (key,) = porch.keys
    told = json.loads(porch.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert told["picture"] is None
    assert told["reason"] == "the fragment is not kept any more"
    assert "There is no picture" in porch.owner.alerts[0].text
    assert not porch.rekognition.calls


def test_a_picture_that_is_not_there_yet_is_waited_for(porch):
    class Slow(Video):
        def image(self, sighting):
            self.calls += 1
            if self.calls < 3:
                raise TryAgainError("the fragment is not stored yet")
            return Video.image(self, sighting)

    context = porch.context(video=Slow())
    batch = [somebody(0), somebody(1)]
    assert set(porch.sees(*batch, context=context).failed) == {"at-0", "at-1"}
    assert porch.sees(*batch, context=context).failed
    assert not porch.sees(*batch, context=context).failed
    assert len(porch.strangers) == len(porch.owner.alerts) == 1


def test_a_picture_in_which_no_face_is_found_is_kept_all_the_same(porch):
    for second in (0, 1):
        porch.video.shows(START + 1000 * second)

    def nothing(**_given):
        return {"FaceRecords": []}

    porch.rekognition.index_faces = nothing
    porch.sees(somebody(0), somebody(1))
    assert len(porch.pictures) == len(porch.owner.alerts) == 1


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
def test_a_crash_at_any_call_makes_one_stranger_one_picture_one_alert(porch, what, after):
    """Each call fails in turn, before or after it took effect; then the batch is redelivered."""
    batch = [somebody(0), somebody(1), somebody(2)]
    crashes = 0
    for at in itertools.count(1):
        porch.clear()
        counter = [at]
        table, context = porch.table, porch.context()
        if what == "table":
            table = FlakyTable(table, at, Killed(), after=after)
        else:
            files = StrangerFiles(
                FlakyClient(porch.s3, counter, Killed(), after=after),
                FlakyClient(porch.rekognition, counter, Killed(), after=after),
                BUCKET,
                "strangers",
            )
            context = porch.context(files=files)
        worker = porch.worker(table)
        marked = False
        try:
            porch.sees(*batch, worker=worker, context=context)
        except Killed:
            marked = any(
                visit.alert == "sent" for visit in visits_of(porch.table, "one", "front-door")
            )
        else:
            break
        crashes += 1
        window = bool(porch.owner.alerts) and not marked
        porch.clock.forward(66)
        again = porch.sees(*batch)
        if again.failed:  # the track was taken over, the visit's lease ran a little longer
            porch.clock.forward(66)
            assert not porch.sees(*batch).failed, at
        assert len(porch.strangers) == 1, at
        assert len(porch.pictures) == 1, at
        assert len(porch.rekognition.faces) == 1, at
        assert len(porch.owner.alerts) == (2 if window else 1), at
    assert crashes >= (10 if what == "table" else 4)


def test_a_refused_call_is_retried_at_once(porch):
    porch.owner.refusals = [refusal("Publish")]
    batch = [somebody(0), somebody(1)]
    assert porch.sees(*batch).failed
    assert not porch.sees(*batch).failed
    assert len(porch.owner.alerts) == len(porch.strangers) == 1


@pytest.mark.parametrize("at", range(1, 8))
@pytest.mark.parametrize("same", [True, False], ids=["same records", "other records"])
def test_two_workers_on_one_stranger_make_one(porch, at, same):
    mine = [somebody(0), somebody(1), somebody(2)]
    theirs = mine if same else [somebody(0.4), somebody(1.4), somebody(2.4)]
    failed = []
    table = Turnstile(porch.table, at, lambda: failed.append(porch.sees(*theirs).failed))
    outcome = porch.sees(*mine, worker=porch.worker(table))
    if outcome.failed or any(failed):
        porch.clock.forward(66)
        assert not porch.sees(*mine).failed
        assert not porch.sees(*theirs).failed
    assert len(porch.strangers) == len(porch.pictures) == 1
    assert len(porch.rekognition.faces) == 1
    assert len(porch.owner.alerts) == 1


def test_a_stranger_whose_last_picture_went_is_forgotten(porch):
    porch.sees(somebody(0), somebody(1))
    stranger = porch.strangers[0]["pk"][9:]
    files = porch.files
    assert forget_if_gone(porch.table, files, stranger) == "kept"
    porch.s3.delete_object(Bucket=BUCKET, Key=porch.pictures[0])
    assert forget_if_gone(porch.table, files, stranger) == "forgotten"
    assert forget_if_gone(porch.table, files, stranger) == "unknown"
    assert porch.strangers == [] and porch.keys == [] and porch.rekognition.faces == {}


def test_a_stranger_moved_to_ignored_is_kept_even_when_the_picture_expires(porch):
    porch.sees(somebody(0), somebody(1))
    stranger = porch.strangers[0]["pk"][9:]
    (picture,) = porch.pictures
    moved = picture.replace("pending", "ignored")
    porch.s3.copy_object(Bucket=BUCKET, Key=moved, CopySource={"Bucket": BUCKET, "Key": picture})
    porch.s3.delete_object(Bucket=BUCKET, Key=picture)
    assert forget_if_gone(porch.table, porch.files, stranger) == "kept"
    porch.table.update_item(
        Key={"pk": f"stranger#{stranger}", "sk": "stranger"},
        UpdateExpression="SET #status = :status",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":status": "ignored"},
    )
    porch.s3.delete_object(Bucket=BUCKET, Key=moved)
    assert forget_if_gone(porch.table, porch.files, stranger) == "kept"
    assert len(porch.rekognition.faces) == 1


@pytest.mark.parametrize(
    ("key", "stranger"),
    [
        ("review/pending/s-1/1.jpg", "s-1"),
        ("review/ignored/s-1/sighting.json", "s-1"),
        ("review/pending/s-1/", "s-1"),
        ("review/named/s-1/1.jpg", None),
        ("review/pending/1.jpg", None),
        ("people/Zoë/1.jpg", None),
    ],
)
def test_a_key_says_whose_picture_it_is(key, stranger):
    assert stranger_of(key) == stranger
