"""What the owner's page gets to know of a stack: by few queries, under ids that say nothing."""

import functools
import io
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from threading import Event

import boto3
import pytest
from boto3.dynamodb.conditions import Key
from PIL import Image

from cli.aws import connect
from cli.aws.cameras.camera_status import read_camera_status
from cli.commands import review
from cli.commands.review import bind_server
from cli.errors import InputError
from cli.review import queries, steering
from cli.review.pictures import PictureShelf
from cli.review.queries import StackPage
from cli.review.watched import unwatched_gaps
from tests.support.stack.moto_target import BUCKET, MINUTE_MS, running_session
from whosthere import dynamodb, metrics
from whosthere import session_store as sessions
from whosthere.clock import now_ms
from whosthere.geometry import Box
from whosthere.people import photo_keys, photo_store
from whosthere.people import store as people
from whosthere.session import lock as locks
from whosthere.session.health.records import HealthState
from whosthere.strangers import store
from whosthere.strangers.review_queue import folder_of
from whosthere.strangers.stranger import IGNORED, PENDING, Picture, Stranger
from whosthere.visits.store import VisitLocation, read_current, save_visit
from whosthere.visits.visit import UnsureSightings, Visit

HOUR_MS = 60 * MINUTE_MS


def jpeg(size=(400, 300), colour="red", **saved):
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG", **saved)
    return out.getvalue()


def keep_stranger(table, number, status=PENDING, pictures=1):
    """Keep a stranger with pictures, as `queue_stranger` does."""
    id, seen = f"s-{number:04}", now_ms() - number * HOUR_MS
    kept = tuple(
        Picture(f"{number:032}{one:032}", "etag", seen, "front-door", 1.0 / (1 + one), f"{one}.jpg")
        for one in range(pictures)
    )
    stranger = Stranger(id, ("front-door",), seen, seen, 3, 1, status, kept)
    store.save_stranger(table, None, stranger)
    return stranger


@pytest.fixture
def page(target):
    return StackPage(target)


@functools.cache
def s3():
    return boto3.client("s3")


def test_strangers_come_newest_first_with_pictures_that_are_served(page, table):
    keep_stranger(table, 2)
    keep_stranger(table, 1, pictures=2)
    keep_stranger(table, 3, IGNORED)
    s3().put_object(Bucket=BUCKET, Key=f"{folder_of(PENDING, 's-0001')}0.jpg", Body=jpeg())
    found = page.strangers(PENDING)["strangers"]
    assert [one["id"] for one in found] == ["s-0001", "s-0002"]
    assert [one["id"] for one in page.strangers(IGNORED)["strangers"]] == ["s-0003"]
    assert len(found[0]["pictures"]) == 2 and not found[0]["recurring"]
    served = page.picture(found[0]["pictures"][0])
    assert Image.open(io.BytesIO(served)).size == (400, 300)
    with pytest.raises(InputError, match="no such picture"):
        page.picture(found[1]["pictures"][0])
    assert page.overview()["waiting"] == 2


def test_a_picture_is_found_where_a_decision_has_moved_it(page, table):
    keep_stranger(table, 1)
    (id,) = page.strangers(PENDING)["strangers"][0]["pictures"]
    keys = [f"{folder_of(status, 's-0001')}0.jpg" for status in (PENDING, IGNORED)]
    s3().put_object(Bucket=BUCKET, Key=keys[0], Body=jpeg())
    done = page.decide("ignore", {"strangers": ["s-0001"]})
    assert "no further alert" in done["text"] and page.picture(id)
    assert s3().head_object(Bucket=BUCKET, Key=keys[1])
    assert page.decide("undo", {"undo": done["undo"]})["undo"] is None
    assert s3().head_object(Bucket=BUCKET, Key=keys[0]) and page.picture(id)


def test_a_picture_of_somebody_else_becomes_another_stranger(page, table):
    keep_stranger(table, 1, pictures=2)
    ids = page.strangers(PENDING)["strangers"][0]["pictures"]
    for number in range(2):
        key = f"{folder_of(PENDING, 's-0001')}{number}.jpg"
        s3().put_object(Bucket=BUCKET, Key=key, Body=jpeg())
    done = page.decide("split", {"strangers": ["s-0001"], "pictures": ids[1:]})
    assert done["text"] == "What it shows is another stranger from now on"
    listed = s3().list_objects_v2(Bucket=BUCKET, Prefix="review/")["Contents"]
    folders = {item["Key"].rsplit("/", 1)[1]: item["Key"].split("/")[-2] for item in listed}
    assert folders["0.jpg"] == "s-0001" != folders["1.jpg"]
    page.decide("undo", {"undo": done["undo"]})
    assert s3().head_object(Bucket=BUCKET, Key=key)
    with pytest.raises(InputError, match="no such picture"):
        page.decide("split", {"strangers": ["s-0001"], "pictures": ["guess"]})


@pytest.mark.parametrize(
    ("act", "content", "told"),
    [
        ("ignore", {}, "a list of ids"),
        ("ignore", {"strangers": [1]}, "a list of ids"),
        ("ignore", {"strangers": ["s-none"]}, "no stranger s-none"),
        ("name", {"strangers": ["s-none"]}, "name has to be a text"),
        ("undo", {"undo": "guess"}, "undone already"),
        ("__init__", {"strangers": []}, "no act"),
    ],
)
def test_a_decision_that_cannot_be_is_refused_in_words(page, act, content, told):
    with pytest.raises(InputError, match=told):
        page.decide(act, content)


@pytest.mark.parametrize("status", ["", "named", "pending/../people"])
def test_only_who_waits_or_is_ignored_is_listed(page, status):
    with pytest.raises(InputError):
        page.strangers(status)


def test_ids_of_pictures_tell_no_name_and_are_of_one_run(table, target):
    shelves = [PictureShelf(s3(), BUCKET) for _ in range(2)]
    ids = [shelf.id_of("people/Zoë/1.jpg") for shelf in shelves]
    assert ids[0] != ids[1] and all(id.isalnum() and len(id) == 32 for id in ids)
    for guess in (ids[1], "people/Zoë/1.jpg", "../x", ""):
        with pytest.raises(InputError, match="no such picture"):
            shelves[0].read(guess)


def test_a_photo_is_shown_small_upright_and_without_its_metadata(target):
    shelf = PictureShelf(s3(), BUCKET)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "the owner's telephone"
    s3().put_object(Bucket=BUCKET, Key="people/Zoë/1.jpg", Body=jpeg((3000, 2000), exif=exif))
    shown = Image.open(io.BytesIO(shelf.read(shelf.id_of("people/Zoë/1.jpg"))))
    assert shown.size == (427, 640) and not shown.getexif()


@pytest.mark.parametrize("body", [b"", b"<script>", jpeg()[:300]])
def test_what_is_no_picture_is_not_given(target, body):
    shelf = PictureShelf(s3(), BUCKET)
    s3().put_object(Bucket=BUCKET, Key="people/Zoë/1.jpg", Body=body)
    with pytest.raises(InputError, match="cannot be shown"):
        shelf.read(shelf.id_of("people/Zoë/1.jpg"))


def keep_photo(table, person, key, reason=""):
    """Keep a photo as `reconcile_object` does once it has judged it."""
    etag = s3().put_object(Bucket=BUCKET, Key=key, Body=b"photo")["ETag"]
    status = "refused" if reason else "enrolled"
    row = photo_store.PhotoRow(key, etag, key, "", status, reason, (), 0)
    photo_store.write_photo(table, person, photo_keys.parse_photo_key(key), row)


def test_people_come_with_their_good_photos_first_and_why_others_are_refused(page, table, target):
    zoe = photo_keys.person_id("Zoë", target.id)
    for number, reason in ((1, "Two faces."), (2, "")):
        keep_photo(table, zoe, f"people/Zoë/{number}.jpg", reason)
        s3().put_object(Bucket=BUCKET, Key=f"people/Zoë/{number}.jpg", Body=jpeg())
    (found,) = page.people()["people"]
    assert found["name"] == "Zoë"
    assert [one["reason"] for one in found["photos"]] == ["", "Two faces."]
    assert page.picture(found["photos"][0]["picture"])


def test_a_time_without_a_session_is_a_gap_with_its_reason(table):
    now = now_ms()
    ended = running_session(table, session_id="past")
    sessions.end_session(table, ended, "silence", now - MINUTE_MS // 2)
    locks.unlock(table, ended)

    def gaps_of(from_ms):
        found = unwatched_gaps(table, ["front-door", "back-door"], from_ms, now + HOUR_MS, now)
        return found.values()

    gaps, others = gaps_of(now - HOUR_MS)
    assert [(gap.from_ms, gap.to_ms, gap.why) for gap in gaps] == [
        (now - HOUR_MS, ended.started_ms, "no session ran"),
        (now - MINUTE_MS // 2, now, "the session had ended: the camera's video stopped"),
    ]
    running_session(table, session_id="present")
    assert [len(gaps) for gaps in gaps_of(now - HOUR_MS)] == [1, 1]
    assert list(gaps_of(now)) == [[], []]
    # An earlier version did not list sessions: the one that runs is known by its camera's lock.
    begun = dynamodb.query(table, Key("pk").eq(sessions.SESSIONS))
    assert {row["session"] for row in begun} == {"past", "present"}
    for row in begun:
        table.delete_item(Key={"pk": row["pk"], "sk": row["sk"]})
    assert [gap.why for gap in next(iter(gaps_of(now - HOUR_MS)))] == ["no session ran"]


def keep_visit(table, who, minutes_ago, minutes=2, persons=(), camera="front-door"):
    """Keep a visit that is over, as the functions do."""
    first = now_ms() - minutes_ago * MINUTE_MS
    visit = Visit(
        camera=camera,
        who=who,
        session="one" if camera == "front-door" else camera,
        opened_ms=first,
        first_ms=first,
        last_ms=first + minutes * MINUTE_MS,
        times=(first,),
        sightings=5,
        similarity=97.5 if persons else 0.0,
        unsure=UnsureSightings((), 3, 88.0) if persons else UnsureSightings(),
        persons=persons,
        box=Box(0.1, 0.1, 0.2, 0.2),
        box_ms=first,
        alert="sent",
    )
    save_visit(table, VisitLocation(read_current(table, camera, who), None), visit)


def test_the_visits_of_a_day_say_who_it_was(page, table, monkeypatch):
    table.put_item(Item=people.person_key("p-1") | {"name": "Zoë", "version": 1})
    stranger = keep_stranger(table, 0)
    keep_visit(table, "p-1", 0, persons=("p-1",))
    keep_visit(table, stranger.id, 0)
    found = page.visits("", "")
    assert [camera["camera"] for camera in found["cameras"]] == ["front-door", "back-door"]
    visits = {one["kind"]: one for one in found["visits"]}
    assert visits["person"]["names"] == ["Zoë"] and visits["person"]["similarity"] == 97.5
    assert visits["person"]["stranger"] is None and not visits["person"]["probably"]
    assert visits["person"]["unsure"] == 3
    assert visits["stranger"]["stranger"] == stranger.id and visits["stranger"]["picture"]
    own = page.visits("", "p-1")
    assert own["isAll"]
    monkeypatch.setattr(queries, "NEWEST", 1)
    assert not page.visits("", "p-1")["isAll"]
    assert (own["name"], len(own["visits"]), own["day"]) == ("Zoë", 1, None)
    with pytest.raises(InputError, match="no day"):
        page.visits("someday", "")


def test_a_view_takes_few_queries_and_no_scan_however_many_cameras_there_are(target, table):
    cameras = tuple(f"camera-{number}" for number in range(20))
    for camera in cameras:
        running_session(table, camera, session_id=camera)
        keep_visit(table, "p-1", 0, persons=("p-1",), camera=camera)
    for number in range(60):
        keep_stranger(table, number, pictures=0)
        keep_photo(table, f"p-{number}", f"people/Person {number}/1.jpg")
    calls, session = Counter(), target.session
    session.events.register("before-call.dynamodb.*", lambda model, **_: calls.update([model.name]))
    page = StackPage(replace(target, cameras=cameras))
    views = (
        *(page.overview, page.cameras, page.people, lambda: page.strangers(PENDING)),
        *(lambda: page.visits("today", ""), lambda: page.visits("", "p-1")),
    )
    for view in views:
        calls.clear()
        view()
        assert 1 <= calls.total() <= 15 and calls["Query"] <= 10 and not calls["Scan"]
    assert len(page.people()["people"]) == 60
    assert [one["visits"] for one in page.cameras()["cameras"]] == [1] * 20


def test_who_had_a_name_before_and_who_has_another_now_keep_their_own_photos(page, table):
    keep_photo(table, "p-1", "people/Zoë/1.jpg")
    keep_photo(table, "p-2", "people/ZOË/2.jpg", "Two faces.")  # the second Zoë
    keep_photo(table, "p-1", "people/Zoe Jones/1.jpg")
    found = {
        one["id"]: [each["reason"] for each in one["photos"]] for one in page.people()["people"]
    }
    assert found == {"p-1": ["", ""], "p-2": ["Two faces."]}


def test_the_cameras_say_what_status_says(page, table, target):
    running_session(table)
    for who, minutes_ago, persons in (
        *(("p-1", 30, ("p-1",)), ("p-1", 0, ("p-1",))),  # the first one is closed by the second
        *(("s-1", 0, ()), ("s-2", 0, ())),
    ):
        keep_visit(table, who, minutes_ago, persons=persons)
    front, back = page.cameras()["cameras"]
    status = read_camera_status(target.table(), "front-door", now_ms())
    assert (front["visits"], front["strangers"]) == (status.visits, status.strangers) == (2, 2)
    assert (front["state"], front["session"]) == ("waiting for video", "one")
    assert (back["state"], back["session"], back["since"]) == ("free", None, None)


def test_what_the_quality_gate_drops_is_told_with_its_reasons(page, table):
    assert page.cameras()["cameras"][0]["notKept"] == {"faces": 0, "why": ""}
    ended = running_session(table)
    metrics.add_counts(table, "one", {"records": 9, "dropped_yaw": 4, "dropped_height": 8})
    wanted = {"faces": 12, "why": "8 too small, 4 turned away"}
    assert page.cameras()["cameras"][0]["notKept"] == wanted
    sessions.end_session(table, ended, "stop", now_ms())
    locks.unlock(table, ended)
    assert page.cameras()["cameras"][0]["notKept"] == wanted


def test_the_page_says_why_no_image_came(page, table):
    running_session(table)
    key = sessions.session_key("one")
    watch = asdict(HealthState(looked=1, problem="No right.", note="Nothing moved."))
    row = table.get_item(Key=key)["Item"] | {"engine": "image-search", "runningAt": now_ms()}
    table.put_item(Item=row | {"watch": watch})
    front = page.cameras()["cameras"][0]
    told = (front["engine"], front["state"], front["problem"], front["note"])
    assert told == ("image-search", "warming up", "No right.", "Nothing moved.")


def test_a_session_is_planned_paused_and_stopped_from_the_page(page, table):
    assert "at most $7.34" in page.plan("back-door", 60)["text"]
    with pytest.raises(InputError, match="no camera cellar"):
        page.plan("cellar", 60)
    with pytest.raises(InputError, match="no session runs"):
        page.steer("stop", "front-door", 0)
    running_session(table)
    with pytest.raises(InputError, match="is busy"):
        page.steer("start", "front-door", 60)
    assert "is paused until" in page.steer("pause", "front-door", 30)["text"]
    assert page.steer("resume", "front-door", 0)["text"] == "front-door goes on."
    assert page.steer("stop", "front-door", 0)["text"].startswith("front-door stops")
    with pytest.raises(InputError, match="no act"):
        page.steer("explode", "front-door", 0)


def test_a_port_that_is_taken_is_told_and_a_free_one_is_found(page):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} is taken; leave --port out"):
            bind_server(page, port)


@pytest.mark.parametrize("port", ["70000", "-1"])
def test_a_port_that_is_none_is_refused_before_aws_is_asked(verb, monkeypatch, port):
    monkeypatch.setattr(connect, "find_stack", lambda _stack: pytest.fail("AWS was asked"))
    with pytest.raises(InputError, match="leave --port out"):
        verb(review, "--port", port)


def test_a_camera_that_takes_long_to_start_holds_up_no_other(page, monkeypatch):
    begun, may_end = Event(), Event()
    monkeypatch.setattr(steering, "start_session", lambda *_: begun.set() or may_end.wait(60))
    with ThreadPoolExecutor(2) as pool:
        started = pool.submit(page.steer, "start", "front-door", 60)
        try:
            assert begun.wait(30)
            assert "at most $7.34" in pool.submit(page.plan, "back-door", 60).result(30)["text"]
        finally:
            may_end.set()
        assert started.result(30)["text"].startswith("Started: front-door")


def test_threads_share_the_client_of_a_service(target):
    with ThreadPoolExecutor(8) as pool:
        clients = list(pool.map(lambda _: target.session.client("sqs"), range(16)))
    assert len(set(map(id, clients))) == 1
    assert target.session.client("sqs", region_name="eu-west-2") is not clients[0]
    assert target.table() is not target.table()


@pytest.mark.parametrize("span", [(2, 1), (0, 10 * HOUR_MS)])
def test_a_clip_is_bounded(page, span):
    with pytest.raises(InputError, match="at most five minutes"):
        page.clip("front-door", *span)
