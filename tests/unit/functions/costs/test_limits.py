"""Limits on what is spent: images thin out and stop, sessions end, and nothing overshoots."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Lock

import boto3
import pytest
from moto.core.botocore_stubber import BotocoreStubber

from tests.support.records.alert_harness import LEFT, START, AlertHarness, face, match, open_session
from tests.support.records.drawn_faces import RED, Urls, draw
from tests.support.records.odd_batches import LettersBucket, silent
from whosthere.costs import limits
from whosthere.costs.month import add_to_month, month_end_ms, month_key, month_micros
from whosthere.costs.prices import PriceTable, home_prices
from whosthere.costs.usage import (
    READS_OF_IMAGE,
    UNITS_TO_READ_TRACKS,
    UNITS_TO_WRITE_TRACKS,
    WRITES_OF_IMAGE,
    usage_of_calls,
)
from whosthere.image_search import ImageSearch, search_image
from whosthere.imaging import thumbnail
from whosthere.ingest import image as images
from whosthere.ingest.dead_letter import DeadLetters
from whosthere.metrics import ApiCallCounter
from whosthere.session_store import session_key
from whosthere.strangers.review_queue import StrangerFiles

BUCKET = "whosthere-images"
ALICE = face(match("p-alice"))
ONE_IMAGE = 0.2001  # dollars: DetectFaces and a search, a hundred times as dear, and the rest


def dear(factor=100):
    """The price table with each price so many times as high."""
    prices = home_prices()
    tiers = {
        name: replace(
            one,
            dollars=one.dollars and one.dollars * factor,
            tiers=tuple((bound, dollars * factor) for bound, dollars in one.tiers),
        )
        for name, one in prices.prices.items()
    }
    return PriceTable(prices.region, tiers)


class Rekognition:
    """Finds Alice in each picture."""

    def __init__(self, calls):
        self.calls, self.detected = calls, 0

    def detect_faces(self, **_):
        self.detected += 1
        self.calls._calls["rekognition:DetectFaces"] += 1
        left, top, width, height = LEFT
        box = {"Left": left, "Top": top, "Width": width, "Height": height}
        looks = {"Pose": {"Yaw": 0.0}, "Quality": {"Brightness": 60.0, "Sharpness": 80.0}}
        return {"FaceDetails": [{"BoundingBox": box, "Confidence": 99.0, **looks}]}

    def search_faces_by_image(self, **_):
        self.calls._calls["rekognition:SearchFacesByImage"] += 1
        return {"FaceMatches": ALICE["MatchedFaces"]}


class Door:
    """A camera whose images are searched at a hundred times the price."""

    def __init__(self, table, monkeypatch, **settings):
        self.table = table
        # Each image is searched, whatever it shows.
        always = {"searchAgainSeconds": 0, "imageChangeLevels": 0}
        opened = open_session(table, **always | settings)
        table.update_item(
            Key=session_key("one"),
            UpdateExpression="SET engine = :engine",
            ExpressionAttributeValues={":engine": "image-search"},
        )
        self.harness = AlertHarness(table, replace(opened, engine="image-search"))
        self.harness.name("p-alice", "Alice")
        self.s3 = boto3.client("s3", region_name="us-east-1")
        self.s3.create_bucket(Bucket=BUCKET)
        self.calls = ApiCallCounter()
        self.rekognition = Rekognition(self.calls)
        monkeypatch.setattr("whosthere.image_search.now_ms", lambda: START)

    def search(self, second, prices=None):
        key = f"frames/whosthere-front-door/{second}.jpg"
        told = dict.fromkeys((images.PRODUCER, images.SERVER), str(START + 1000 * second))
        body = draw([LEFT, RED])
        self.s3.put_object(
            Bucket=BUCKET, Key=key, Body=body, Metadata={**told, images.FRAGMENT: "1"}
        )
        letters = DeadLetters(LettersBucket(), BUCKET, silent, silent)
        files = StrangerFiles(self.s3, self.rekognition, BUCKET, "strangers")
        known = "whosthere", files, Urls(), "people", self.calls, letters, "alike"
        search = ImageSearch(*known, prices or dear())
        return search_image(search, self.harness.worker(), key, "arn:stream/")

    @property
    def row(self):
        return self.table.get_item(Key=session_key("one"))["Item"]

    @property
    def spent(self):
        return limits.session_micros("image-search", self.row, dear()) / limits.MICROS


@pytest.fixture
def door(table, monkeypatch):
    return lambda **settings: Door(table, monkeypatch, **settings)


@pytest.mark.parametrize(
    ("share", "every"), [(0, 1), (0.79, 1), (0.8, 2), (0.9, 4), (0.95, 8), (1.0, 0), (7, 0)]
)
def test_near_the_limit_fewer_images_are_searched_and_at_it_none(share, every):
    assert limits.Budget(1, 1, share, 0, 0).keep_every == every


def test_images_thin_out_and_none_is_searched_above_the_limit(door):
    home = door(maxDollars=4)
    done = [home.search(second) for second in range(60)]
    searched = [second for second, what in enumerate(done) if what == "searched"]
    assert set(done) == {"searched", "over limit"}
    # 4 dollars are 20 images: 80 % after 16, then every second, fourth and eighth pair of images.
    assert searched[:20] == [*range(16), 16, 17, 24, 32]
    assert 4 - ONE_IMAGE < home.spent <= 4 + ONE_IMAGE
    assert home.row["counts"]["images_over_limit"] == 60 - len(searched)
    assert home.rekognition.detected == len(searched)


def test_images_that_are_searched_at_once_exceed_the_limit_by_themselves_alone(door, monkeypatch):
    one_call_at_a_time(monkeypatch)
    home = door(maxDollars=1)
    with ThreadPoolExecutor(5) as pool:  # MaximumConcurrency in template.yaml
        list(pool.map(home.search, range(40)))
    assert home.spent <= 1 + 5 * ONE_IMAGE


def one_call_at_a_time(monkeypatch):
    """Moto copies its tables while it writes to them: no other thread may do so meanwhile."""
    lock, answer = Lock(), BotocoreStubber.process_request

    def locked(*given):
        with lock:
            return answer(*given)

    monkeypatch.setattr(BotocoreStubber, "process_request", locked)


def test_without_a_limit_nothing_is_left_out_and_no_row_is_read_for_it(door, monkeypatch):
    home = door()
    monkeypatch.setattr(limits, "read_budget", lambda *_: pytest.fail("a limit was looked for"))
    assert {home.search(second) for second in range(10)} == {"searched"}


def test_a_month_is_spent_by_all_sessions_together(door, table):
    home = door(maxDollarsMonth=2)
    add_to_month(table, START, 1_500_000)
    done = [home.search(second) for second in range(20)]
    assert done.count("searched") < 4
    assert month_micros(table, START) / limits.MICROS <= 2 + ONE_IMAGE


def test_each_image_is_in_the_sum_of_its_month(door, table):
    home = door()
    for second in range(3):
        home.search(second)
    spent = month_micros(table, START)
    assert spent == pytest.approx(limits.MICROS * home.spent, abs=3)
    assert spent == home.row["spentMicros"]
    assert month_key(START) == {"pk": "bill#2027-01", "sk": "bill"}


def test_the_same_image_is_left_out_by_each_try(door):
    home = door(maxDollars=0.22)
    home.search(0)
    assert {home.search(2) for _ in range(3)} == {"over limit"}


def test_who_comes_near_the_limit_is_told_of(door, table):
    home = door(maxDollarsMonth=100)
    add_to_month(table, START, 96_000_000)  # one image of eight is searched
    done = [home.search(second, home_prices()) for second in range(32)]
    assert done.count("searched") == 4
    assert [alert.kind for alert in home.harness.subscriber.alerts] == ["person"]


def test_the_calls_of_an_image_to_the_table_are_as_many_as_the_plan_says(door, table):
    home = door()
    for second in range(3):
        home.search(second)
    home.calls.watch(table.meta.client)
    home.calls.take()
    home.search(3, home_prices())
    home.search(4, home_prices())  # the first one's last write is counted by the second
    counts = {name: int(number) for name, number in home.row["counts"].items() if ":" in name}
    used = usage_of_calls(counts)
    # A call is counted as one unit, also the one that reads or writes the row of tracks.
    assert used["table-reads"] <= (READS_OF_IMAGE - UNITS_TO_READ_TRACKS + 1) * 2
    assert used["table-writes"] <= (WRITES_OF_IMAGE - UNITS_TO_WRITE_TRACKS + 1) * 2


def test_the_row_of_tracks_has_as_many_units_as_the_plan_says(door, table):
    """DynamoDB bills 4 KB a read and 1 KB a write (Read and write capacity units)."""
    home = door(imageChangeLevels=6, searchAgainSeconds=5)
    for second in range(3):
        home.search(second)
    tracks = table.get_item(Key={"pk": "camera#front-door", "sk": "tracks"})["Item"]
    image = tracks["image"]
    image["thumbnail"] = thumbnail(draw(size=(1280, 720))).levels
    size = len(image["thumbnail"]) + len(str({**tracks, "image": {**image, "thumbnail": ""}}))
    assert 1024 * (UNITS_TO_WRITE_TRACKS - 2) < size <= 1024 * UNITS_TO_WRITE_TRACKS
    assert -(-UNITS_TO_WRITE_TRACKS // 4) == UNITS_TO_READ_TRACKS


def test_an_ended_session_adds_to_its_month_once(table):
    session = replace(open_session(table), ended_ms=START + 60_000)
    check = {"ran": True, "checked": START, "engine_ms": 60_000}
    table.update_item(
        Key=session_key("one"),
        UpdateExpression="SET #check = :check",
        ExpressionAttributeNames={"#check": "check"},
        ExpressionAttributeValues={":check": check},
    )
    for _ in range(2):
        limits.settle(table, session, home_prices(), START)
    assert month_micros(table, START) == 240_000  # two minutes of face search


def test_a_session_without_a_row_adds_nothing(table):
    session = replace(open_session(table), ended_ms=START)
    table.delete_item(Key=session_key("one"))
    limits.settle(table, session, home_prices(), START)
    assert month_micros(table, START) == 0


@pytest.mark.parametrize(
    ("now", "end"), [("2026-11-30T23:59:59", "2026-12-01"), ("2026-12-31T23:00:00", "2027-01-01")]
)
def test_a_month_ends_by_utc(now, end):
    from datetime import datetime

    def moment(text):
        return round(datetime.fromisoformat(f"{text}+00:00").timestamp() * 1000)

    assert month_end_ms(moment(now)) == moment(f"{end}T00:00:00")
