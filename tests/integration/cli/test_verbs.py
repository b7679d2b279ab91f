"""The verbs on a deployed stack as its owner types them: a session from start to report."""

import json
import os
import re
import signal
import time
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from threading import Thread
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from cli.__main__ import main
from cli.commands import forget
from cli.interrupts import Interrupts
from cli.review.laptop_page import serve_page
from local.laptop import ROOT
from local.tests.support.laptop.parts import unique
from tests.support.page.client import Client
from tests.support.stack.camera import streaming
from tests.support.stack.command import called, in_shell, shell_process
from whosthere.clock import now_ms
from whosthere.geometry import Box
from whosthere.strangers.collection import index_face
from whosthere.strangers.review_queue import StrangerFiles, folder_of
from whosthere.strangers.store import read_stranger, save_stranger
from whosthere.strangers.stranger import IGNORED, PENDING, Picture, Stranger
from whosthere.visits.store import VisitLocation, read_current, save_visit
from whosthere.visits.visit import Visit

LIMIT_S = 180
PEOPLE = ("Zoë", "Ravi")  # whose photos the demo has
QUICK = ["--set", "healthCheckSeconds=2", "--set", "mediaWaitSeconds=60", "--set", 'tell=["end"]']


@pytest.fixture(scope="module")
def verb(laptop, stack):
    """Run a verb with what `./whosthere up` prints; standard output, or error if it fails."""
    return partial(output, laptop.environment(), partial(called, main))


@pytest.fixture(scope="module")
def shell(laptop, stack):
    """Run a verb in a shell that has what `./whosthere up` prints."""
    return partial(output, laptop.environment(), in_shell)


def output(environment, run, *arguments, fails=False):
    done = run(arguments, ROOT, environment)
    assert done.returncode == int(fails), done.stderr
    assert done.stderr.startswith("laptop\n")
    return done.stderr if fails else done.stdout


@pytest.fixture(scope="module")
def answer(verb):
    """What a verb answers in JSON."""
    return lambda *arguments: json.loads(verb(*arguments, "--json"))


@pytest.fixture(scope="module")
def camera(laptop, stack, tmp_path_factory):
    """The camera is on for all tests of this file."""
    with streaming(laptop, tmp_path_factory.mktemp("camera")):
        yield


@pytest.fixture
def started(answer, product, camera):
    """A session that was started by the verb; stopped afterwards, whatever the test did."""
    yield answer("start", "--minutes", "120", *QUICK)
    product.stop()
    door_is_free = time.monotonic() + LIMIT_S
    while not product.nothing_is_left():
        assert time.monotonic() < door_is_free, "the session does not end"
        time.sleep(0.2)


def front_door(answer):
    (found,) = answer("status")["cameras"]
    return found


def test_a_session_from_its_start_to_its_report(started, verb, shell, answer, product, wait_until):
    assert (started["camera"], "at most $14.80" in started["cost"]) == ("front-door", True)
    length = datetime.fromisoformat(started["until"]) - datetime.fromisoformat(started["started"])
    assert length == timedelta(hours=2)

    busy = verb("start", "--minutes", "5", fails=True)
    assert f"front-door is busy: session {started['session']} runs until " in busy
    wait_until(lambda: front_door(answer)["state"] == "searching", 90)
    seen = front_door(answer)
    assert (seen["session"], seen["until"]) == (started["session"], started["until"])
    assert "front-door: searching since " in shell("status")
    listed = answer("sessions", "--last", "1")["sessions"]
    assert [(one["session"], one["endedBy"]) for one in listed] == [(started["session"], None)]

    assert answer("stop", "--no-wait")["session"] == started["session"]
    wait_until(lambda: not product.processors(), 30)
    wait_until(product.is_free, 60)
    assert front_door(answer)["state"] == "free"
    (listed,) = answer("sessions", "--last", "1")["sessions"]
    assert (listed["endedBy"], listed["camera"]) == ("stop", "front-door")

    report = answer("sessions", started["session"])
    assert report["deadline"] == started["until"]
    assert report["minutes"]["planned"] == 120 and 0 < report["minutes"]["real"] < 30
    calls = report["calls"]
    assert calls["rekognition:CreateStreamProcessor"] == 1
    assert calls["rekognition:StopStreamProcessor"] >= 1
    assert calls["states:Transition"] > 10
    assert verb("stop") == "front-door: no session runs\n"

    bill = answer("bill", "--session", started["session"])
    lines = {line["id"]: line["quantity"] for line in bill["lines"]}
    assert lines["face-search"] == pytest.approx(report["cost"]["engineMinutes"])
    assert 0 < lines["face-search"] <= report["minutes"]["real"] + 0.05  # rounded
    assert lines["transitions"] == calls["states:Transition"]
    assert lines["video-in"] > 0 and lines["shard"] > 0
    day = answer("bill", "--day", started["started"][:10], "--camera", "front-door")
    assert started["session"] in [one["session"] for one in day["sessions"]]


def test_a_pause_is_seen_in_the_status_and_ends(started, verb, answer, product, wait_until):
    wait_until(lambda: front_door(answer)["state"] == "searching", 90)
    assert "front-door: paused until " in verb("pause", "1h")
    assert front_door(answer)["state"] == "paused"
    wait_until(lambda: not product.processors(), 60)
    verb("pause", "--off")
    wait_until(lambda: product.processors() and front_door(answer)["state"] == "searching", 90)
    assert answer("stop")["endedBy"] == "stop"


def test_a_bad_session_is_refused_with_each_field(shell):
    refused = shell("start", "--minutes", "2000", "--set", "strangers=maybe", fails=True)
    assert "1440" in refused and "settings.strangers" in refused


def test_a_setting_is_changed_and_holds_for_the_next_session(started, verb, answer, product):
    assert answer("settings", "matchThreshold")["settings"][0]["from"] == "default"
    try:
        changed = answer("settings", "front-door", "matchThreshold", "95")
        assert (changed["holds"], changed["running"]) == ("next session", [started["session"]])
        assert "did you mean matchThreshold" in verb("settings", "matchTreshold", "9", fails=True)
        assert "is greater than" in verb("settings", "matchThreshold", "101", fails=True)
        (found,) = answer("settings", "front-door", "matchThreshold")["settings"]
        assert (found["value"], found["running"]) == (95, 90)
        assert answer("stop")["endedBy"] == "stop"
        again = answer("start", "--minutes", "5", *QUICK)
        row = product.row(f"any:{again['session']}")
        assert row["settings"]["matchThreshold"] == 95
        verb("settings", "front-door", "matchThreshold", "--remove")
        previous = product.client("s3").get_object(
            Bucket=product.stack.bucket, Key="settings.previous.json"
        )
        assert json.loads(previous["Body"].read())["cameras"]["front-door"] == {
            "matchThreshold": 95
        }
    finally:
        product.stop()
        for key in ("settings.json", "settings.previous.json"):
            product.client("s3").delete_object(Bucket=product.stack.bucket, Key=key)


def forget_failures(product):
    """Those that other tests left."""
    bucket = product.laptop.session().resource("s3", endpoint_url=product.laptop.endpoint)
    for prefix in ("failures/", "aws/lambda/"):
        bucket.Bucket(product.stack.bucket).objects.filter(Prefix=prefix).delete()


def test_schedules_mutes_and_subscribers(verb, answer, product):
    assert "every day, UTC" in verb("schedule", "front-door", "22:00-06:00")
    assert "comes too close" in verb("schedule", "05:00-07:00", fails=True)
    (listed,) = answer("schedule")["schedules"]
    assert (listed["span"], len(listed["days"]), listed["timeZone"]) == ("22:00-06:00", 7, "UTC")
    verb("schedule", "22:00-06:00", "--remove")
    assert verb("schedule") == "nothing is scheduled\n"

    assert "strangers: muted until " in verb("mute", "strangers", "2h")
    assert "nobody is enrolled as 'Nobody'" in verb("mute", "Nobody", "2h", fails=True)
    assert verb("mute", "strangers", "--off") == "nobody is muted\n"

    # Those of other tests whose e-mail was never confirmed may be there beside this one.
    assert "a test alert went to 1 of " in verb("alert", "--try")
    (message,) = product.messages()
    assert message["kind"] == "test" and message["subject"].startswith("TEST")
    forget_failures(product)
    assert verb("replay") == "nothing has failed\n"


def a_visit(table, who, minutes_ago):
    """A confirmed visit of a minute; those of one person one after the other."""
    began = now_ms() - 60_000 * minutes_ago
    face = {"box": Box(0.4, 0.3, 0.1, 0.2), "box_ms": began, "similarity": 97.0, "persons": (who,)}
    visit = Visit(
        *("front-door", who, "one", began, began, began + 60_000, (began, began + 60_000)),
        **{"sightings": 2, "alert": "quiet", **face},
    )
    save_visit(table, VisitLocation(read_current(table, "front-door", who), None), visit)
    return visit


def test_visits_are_listed_written_and_deleted(verb, answer, product):
    table, who = product.table, "p-of-this-test"
    visits = [a_visit(table, who, minutes) for minutes in (90, 60, 30)]

    def listed():
        found = answer("visits", "--days", "2")["visits"]
        return [one["visit"] for one in found if one["who"] == who]

    assert listed() == [one.id for one in reversed(visits)]
    assert who in verb("visits", "--days", "2", "--csv", "-")
    for one in visits[0], visits[2]:  # a closed one, and the current one
        assert verb("visits", "--delete", one.id) == "1 visit deleted\n"
    assert listed() == [visits[1].id]
    assert verb("visits", "--delete", visits[1].id) == "1 visit deleted\n"
    assert listed() == []


def test_the_page_is_served_until_ctrl_c_and_its_decisions_count(
    laptop, stack, product, wait_until
):
    """Pictures of a stranger lie in S3, where the page moves them."""
    id, content = unique("s"), b"a picture"
    table, s3 = product.table, product.client("s3")
    picture = Picture(sha256(content).hexdigest(), "", 0, "front-door", 1.0, "0.jpg")
    seen = now_ms()
    stranger = Stranger(id, ("front-door",), seen, seen, 3, 1, PENDING, (picture,))
    save_stranger(table, None, stranger, new_picture=picture.sha256)
    s3.put_object(Bucket=stack.bucket, Key=f"{folder_of(PENDING, id)}0.jpg", Body=content)
    with shell_process(["review", "--json"], ROOT, laptop.environment()) as process:
        owner = Client(json.loads(process.stdout.readline())["link"])
        owner.enter()
        status, found = owner.json("/api/strangers?status=pending")
        assert status == 200 and id in [one["id"] for one in found["strangers"]]
        done = owner.json("/acts", {"act": "ignore", "strangers": [id]})[1]
        wait_until(lambda: read_stranger(table, id).status == IGNORED, 60)
        assert owner.json("/acts", {"act": "undo", "undo": done["undo"]})[0] == 200
        wait_until(lambda: read_stranger(table, id).status == PENDING, 60)
        owner.json("/acts", {"act": "discard", "strangers": [id]})
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0 and process.stderr.read() == "laptop\n"


def test_a_demo_that_is_kept_goes_on_to_the_page_of_its_stack(
    laptop, stack, wait_until, monkeypatch
):
    """In this process; before and after it no AWS client of it reaches anything."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    printed, interrupts = [], Interrupts()
    progress = SimpleNamespace(print=printed.append)
    serving = Thread(target=serve_page, args=(laptop, stack, progress, interrupts))
    serving.start()
    try:
        wait_until(lambda: printed or not serving.is_alive(), 30)
        owner = Client(re.search(r"http://\S+", printed[0])[0])
        owner.enter()
        status, found = owner.json("/api/overview")
        assert (status, found["stack"]) == (200, "laptop")
        assert "AWS_ENDPOINT_URL" in os.environ
    finally:
        interrupts.asked = True  # as Ctrl-C does
        serving.join(20)
    assert not serving.is_alive() and "AWS_ENDPOINT_URL" not in os.environ


@pytest.mark.long  # waits for the next minute of the clock
def test_a_schedule_starts_a_session_on_the_clock_of_its_time_zone(
    verb, answer, product, stack, camera, wait_until
):
    """It waits for the next minute, in a zone that is no whole hour away from UTC."""
    zone = "Asia/Kathmandu"
    s3 = product.client("s3")
    body = json.dumps({"timeZone": zone, "healthCheckSeconds": 2}).encode()
    s3.put_object(Bucket=stack.bucket, Key="settings.json", Body=body)
    begin = datetime.now(ZoneInfo(zone)) + timedelta(seconds=90)
    end = begin + timedelta(minutes=30)
    span = f"{begin:%H:%M}-{end:%H:%M}"
    try:
        assert zone in verb("schedule", span, "--days", f"{begin:%a}")
        wait_until(lambda: front_door(answer)["state"] != "free", 180)
        until = datetime.fromisoformat(front_door(answer)["until"]).astimezone(ZoneInfo(zone))
        assert f"{until:%H:%M}" == f"{end:%H:%M}"
        assert answer("stop")["endedBy"] == "stop"
    finally:
        verb("schedule", span, "--remove")
        s3.delete_object(Bucket=stack.bucket, Key="settings.json")


def test_people_are_enrolled_renamed_and_told_by_real_faces(
    verb, answer, product, tmp_path, wait_until
):
    """With the rights of the deployed roles: each call of Rekognition is one that they allow."""
    marked = unique("Zoë")
    photos = [tmp_path / f"{number}.jpg" for number in range(2)]
    for photo, name in zip(photos, ("Zoë", "Ravi"), strict=True):
        drawn = ROOT / "demo" / "people" / name / "1.jpg"
        # Behind the picture's end: nobody else of this stack has a photo of that content.
        photo.write_bytes(drawn.read_bytes() + marked.encode())
    zoe, ravi = f"Zoë {marked}", f"Ravi {marked}"
    (tmp_path / "damaged.jpg").write_bytes(b"no picture")
    done = answer("enroll", zoe, str(photos[0]), str(tmp_path / "damaged.jpg"))
    assert {photo["status"] for photo in done["photos"]} == {"enrolled", "refused"}
    assert answer("enroll", ravi, str(photos[1]))["good"] == 1

    (face,) = answer("who", str(photos[0]))["faces"]
    likest = {one["name"]: one["similarity"] for one in face["likest"]}
    assert likest[zoe] > 99
    assert likest.get(ravi, 0) < 80

    twin = tmp_path / "twin.jpg"
    twin.write_bytes(photos[0].read_bytes() + b"twin")
    (photo,) = answer("enroll", f"Twin {marked}", str(twin))["photos"]
    assert photo["looksLike"]["similarity"] > 99

    (before,) = answer("people", zoe)["people"]
    renamed = answer("people", "--rename", zoe, f"{zoe} again")
    assert (renamed["done"], renamed["photos"]) == (True, 1)
    (after,) = answer("people", f"{zoe} again")["people"]
    assert (after["id"], after["good"]) == (before["id"], 1)
    (face,) = answer("who", str(photos[0]))["faces"]
    assert f"{zoe} again" in {one["name"] for one in face["likest"]}
    assert answer("people", "--reconcile")["sent"] == []

    collection = f"{product.stack.name}-people"
    rekognition = product.client("rekognition")
    labels = rekognition.list_faces(CollectionId=collection)["Faces"]
    own = [one["FaceId"] for one in labels if one["ExternalImageId"].startswith(before["id"])]
    rekognition.delete_faces(CollectionId=collection, FaceIds=own)
    rebuilt = answer("rebuild", "--yes")
    assert (rebuilt["missing"], rebuilt["done"]) == (1, True)
    (face,) = answer("who", str(photos[0]))["faces"]
    assert f"{zoe} again" in {one["name"] for one in face["likest"]}
    for name in (f"{zoe} again/0", f"{ravi}/1", f"Twin {marked}/twin"):
        product.client("s3").delete_object(Bucket=product.stack.bucket, Key=f"people/{name}.jpg")
    wait_until(lambda: marked not in verb("people"), 60)  # or the next test meets these faces


def a_stranger(product, photo):
    """One who waits in the queue with a picture and a face."""
    stack, now = product.stack, now_ms()
    rekognition = product.client("rekognition")
    files = StrangerFiles(
        product.client("s3"), rekognition, stack.bucket, f"{stack.name}-strangers"
    )
    stranger = f"s-{now:012x}"[:14]
    face = index_face(files, photo, stranger)
    waits = Stranger(stranger, ("front-door",), now, now, 0, 0, PENDING, face_id=face)
    save_stranger(product.table, None, waits)
    key = f"{folder_of(PENDING, stranger)}{now}.jpg"
    files.s3.put_object(Bucket=stack.bucket, Key=key, Body=photo)
    return stranger


def test_people_and_strangers_are_forgotten_by_name_and_by_real_faces(
    verb, answer, product, tmp_path, monkeypatch
):
    monkeypatch.setattr(forget, "STEP_SECONDS", 1)  # held by test_forget.py
    name = unique("Zoë")
    photos = {one: (ROOT / "demo" / "people" / one / "1.jpg").read_bytes() for one in PEOPLE}
    for one, content in photos.items():
        (tmp_path / f"{one}.jpg").write_bytes(content + name.encode())
    assert answer("enroll", name, str(tmp_path / "Zoë.jpg"))["good"] == 1
    (zoe,) = answer("people", name)["people"]
    stranger = a_stranger(product, photos["Ravi"])

    def faces(collection):
        listed = product.client("rekognition").list_faces(
            CollectionId=f"{product.stack.name}-{collection}"
        )
        return {face["ExternalImageId"].partition(":")[0] for face in listed["Faces"]}

    def left(*words):
        rows = [row for row in product.table.scan()["Items"] if words[0] in str(row)]
        listed = product.client("s3").list_objects_v2(Bucket=product.stack.bucket)
        keys = [one["Key"] for one in listed.get("Contents", ())]
        return rows + [key for key in keys for word in words if f"/{word}/" in key]

    assert stranger in faces("strangers") and left(stranger)
    told = [verb("forget", "--face", str(tmp_path / f"{one}.jpg")) for one in PEOPLE]
    assert told[0].splitlines()[0] == told[1].splitlines()[0]
    assert stranger not in faces("strangers") and left(stranger) == []
    assert zoe["id"] in faces("people") and left(zoe["id"], name)

    removed = answer("forget", name.lower())["removed"]
    assert (removed["facesOfPeople"], removed["photos"]) == (1, 1)
    time.sleep(3)  # the functions have seen the photo go
    assert zoe["id"] not in faces("people") and left(zoe["id"], name) == []
    assert answer("forget", name)["removed"] == {}
