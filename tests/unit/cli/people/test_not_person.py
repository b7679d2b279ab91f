"""`./whosthere visits --not`: a wrong match is taken back, undone, and says what it needs."""

import json
from dataclasses import replace

import pytest

from cli.aws.people import not_person
from cli.commands import people, review, visits
from cli.errors import InputError
from cli.review.queries import StackPage
from tests.support.records.alert_harness import LEFT, RIGHT, START
from tests.support.records.drawn_faces import BLUE, RED, colours, draw
from tests.support.records.review_harness import ReviewHarness
from tests.support.records.stranger_harness import ALICE, alice
from tests.support.stack.moto_target import BUCKET
from whosthere.faces.match import Sighting
from whosthere.ingest.sqs import ObjectEvent
from whosthere.people import store
from whosthere.strangers.look_alikes import find_changed
from whosthere.visits.record_sightings import record_sightings

DAY = ("--day", "2027-01-15")
VISIT = f"{ALICE}-{START}"


class Home(ReviewHarness):
    """A stack that took the red man for Alice; its video shows Alice beside him."""

    def __init__(self, target, **settings):
        super().__init__(target.table(), target.session.client("s3"), **settings)
        self.files = replace(self.files, bucket=BUCKET)
        alike = self.review.look_alikes
        alike = replace(alike, salt=target.id, files=replace(alike.files, bucket=BUCKET))
        self.review = replace(self.review, look_alikes=alike)
        self.name(ALICE, "Alice")
        self.is_kept = True

    def visit(self, *seconds, who=ALICE):
        frames = [alice(second) for second in seconds]
        seen = [Sighting(frame, frame.faces[0], (who,), 99.0) for frame in frames]
        list(record_sightings(self.worker(), self.session, who, seen, alerts=False))

    def image_at(self, _frame):
        return draw((LEFT, RED), (RIGHT, BLUE)) if self.is_kept else None

    def detect_faces(self, *, Image):
        return {"FaceDetails": [detail(LEFT), detail(RIGHT)]}

    def search_faces_by_image(self, *, CollectionId, Image, **given):
        if CollectionId == "whosthere-strangers":
            return self.rekognition.search_faces_by_image(Image=Image, **given)
        assert CollectionId == "whosthere-people"
        is_he = colours(Image["Bytes"]).most_common(1)[0][0] == RED
        found = {"FaceId": "f0", "ExternalImageId": ALICE if is_he else "p-beth"}
        return {"FaceMatches": [{"Similarity": 97.0, "Face": found}]}

    def index_faces(self, **given):
        return self.rekognition.index_faces(**given)

    @property
    def decisions_made(self):
        found = keys(self, "decisions/")
        return [
            json.loads(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in found
        ]

    def settle(self, target):
        for key in find_changed(target.people()):
            self.deliver_one(ObjectEvent(key, "", ""))


def detail(box):
    left, top, width, height = box
    return {
        "BoundingBox": {"Left": left, "Top": top, "Width": width, "Height": height},
        "Confidence": 99.9,
        "Pose": {"Yaw": 1.0},
        "Quality": {"Sharpness": 80.0, "Brightness": 60.0},
    }


@pytest.fixture
def home(target, monkeypatch):
    made = Home(target)
    real = not_person.WrongMatches.__init__

    def connected(self, *given):
        real(self, *given)
        self._rekognition, self._video = made, made

    monkeypatch.setattr(not_person.WrongMatches, "__init__", connected)
    made.visit(0, 1, 2, 30)
    return made


@pytest.fixture
def say(verb):
    return lambda *words: verb(visits, *words)


def listed(say):
    return json.loads(say(*DAY, "--json")[1])["visits"]


def keys(home, prefix):
    found = home.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())
    return [item["Key"] for item in found]


def test_a_wrong_match_becomes_a_strangers_visit(home, say):
    code, text = say("--not", VISIT)[:2]
    (stranger,) = [item["pk"][9:] for item in home.strangers]
    assert code == 0
    assert f"not Alice: 3 pictures; it was {stranger}. Undo: " in text
    pictures = keys(home, "people-not/")
    assert pictures == [f"people-not/{ALICE}/{VISIT}-{START + ms}.jpg" for ms in (0, 2000, 30000)]
    content = home.s3.get_object(Bucket=BUCKET, Key=pictures[0])["Body"].read()
    assert colours(content).most_common(1)[0][0] == RED
    (visit,) = listed(say)
    assert (visit["who"], visit["sightings"]) == (stranger, 4)
    assert len(keys(home, "review/pending/")) == 2  # a picture and the facts
    assert home.subscriber.alerts == []
    (decision,) = home.decisions_made
    assert (decision["visit"], decision["decision"]) == (VISIT, "not-person")
    assert (decision["person"], decision["stranger"]) == (ALICE, stranger)


def test_it_is_listed_with_the_person_and_undone(home, say, verb, target):
    say("--not", VISIT)
    home.settle(target)
    assert "not Alice: 3 pictures" in verb(people)[1]
    code, text = say("--undo-not", VISIT)[:2]
    assert code == 0 and text.startswith("Alice again; ")
    home.settle(target)
    assert keys(home, "people-not/") == []
    assert not store.read_person(home.table, ALICE).look_alikes
    assert [(one["names"], one["sightings"]) for one in listed(say)] == [(["Alice"], 4)]
    with pytest.raises(InputError, match="no visit .* was taken back"):
        say("--undo-not", VISIT)


def test_review_takes_it_back_too_and_the_page_undoes_it(home, say, verb, target):
    code, out = verb(review, "--not", VISIT)
    assert code == 0 and "not Alice: 3 pictures" in out
    say("--undo-not", VISIT)
    home.settle(target)
    page = StackPage(target)
    done = page.decide("not", {"visit": VISIT})
    assert done["text"] == "Not Alice: a stranger, who waits under Review"
    home.settle(target)
    assert [one["names"] for one in listed(say)] == [[]]
    assert page.decide("undo", {"undo": done["undo"]})["text"] == "Alice again"
    home.settle(target)
    assert [one["names"] for one in listed(say)] == [["Alice"]]


def test_without_the_video_it_says_what_to_do_and_changes_nothing(home, say):
    home.is_kept = False
    with pytest.raises(InputError, match=f"A picture of your own .*people-not/{ALICE}/"):
        say("--not", VISIT)
    assert [one["who"] for one in listed(say)] == [ALICE]
    assert home.strangers == []


def test_a_strangers_visit_is_refused(home, say):
    home.visit(600, 601, who="s-0a1b2c3d4e5f")
    with pytest.raises(InputError, match="is a stranger's visit"):
        say("--not", f"s-0a1b2c3d4e5f-{START + 600_000}")
