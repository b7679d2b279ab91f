"""One scene at the door through both engines: a stream processor's records, and images."""

import io
from dataclasses import replace
from functools import cache

import numpy as np
from PIL import Image

from tests.support.records.alert_harness import LEFT, RIGHT, START, face, match, record
from tests.support.records.drawn_faces import BLUE, GREEN, RED, Rekognition, Urls, draw
from tests.support.records.odd_batches import LettersBucket, silent
from tests.support.records.stranger_harness import ALICE, BUCKET, StrangerHarness, new_harness
from whosthere.image_search import ImageSearch, search_image
from whosthere.ingest import image as images
from whosthere.ingest.dead_letter import DeadLetters
from whosthere.ingest.record import read_frame
from whosthere.metrics import ApiCallCounter
from whosthere.strangers.process import queue_strangers
from whosthere.visits.persons import alert_persons
from whosthere.visits.queries import visits_of

FRAGMENT = "91343852333181432392682062607743920"
ARN = "arn:aws:kinesisvideo:us-east-1:111122223333:stream/"
CENTRE = (0.4, 0.3, 0.1, 0.2)
# Who is at the door at which second: Alice, then a stranger beside her, then another one alone,
# and after the gap Alice and the first stranger again. Somebody who is seen once is no visit.
SCENE = {
    **{second: [(LEFT, RED)] for second in range(0, 4)},
    **{second: [(LEFT, RED), (RIGHT, BLUE)] for second in range(4, 8)},
    **{second: [] for second in range(8, 12)},
    **{second: [(CENTRE, GREEN)] for second in range(12, 16)},
    **{second: [(CENTRE, RED)] for second in range(100, 103)},
    **{second: [(RIGHT, BLUE)] for second in range(110, 114)},
    200: [(LEFT, GREEN)],
}
PERSONS = {RED: ALICE}


class SceneRekognition(Rekognition):
    """Finds each ellipse of a drawn frame, and knows the people by their colour."""

    def detect_faces(self, *, Image, **_given):
        self.calls["detect"] += 1
        found = [face(box=box)["DetectedFace"] for box, _ in ellipses(Image["Bytes"])]
        return {"FaceDetails": found}

    def search_faces_by_image(self, *, CollectionId, Image, **given):
        if CollectionId != "people":
            return super().search_faces_by_image(Image=Image, **given)
        colour = self._face(Image, "SearchFacesByImage")
        return {"FaceMatches": matches(colour)}


@cache
def ellipses(content):
    """The boxes and colours of a drawn frame, found by its pixels."""
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    height, width, _ = pixels.shape
    found = []
    for colour in (RED, BLUE, GREEN):
        rows, columns = np.nonzero(np.abs(pixels - colour).max(axis=2) < 40)
        if len(rows):
            top, left = int(rows.min()), int(columns.min())
            size = (int(columns.max()) + 1 - left) / width, (int(rows.max()) + 1 - top) / height
            found.append(((left / width, top / height, *size), colour))
    return found


def matches(colour):
    return [match(PERSONS[colour])] if colour in PERSONS else []


@cache
def frame_of(second):
    """The picture at that second; no two frames of a camera are the same."""
    return draw(*SCENE[second], light=second % 59)


class Engine:
    """A session of one engine at the scene; `deliver` gives it the frames of these seconds."""

    def __init__(self, shared):
        self.harness: StrangerHarness = new_harness(shared, gapSeconds=60, timeZone="UTC")
        self.harness.name(ALICE, "Alice")
        for second, faces in SCENE.items():
            self.harness.video.shows(START + 1000 * second, *faces)

    def outcome(self):
        """What the owner gets of it, without what is of the moment of its processing."""
        harness = self.harness
        names = {one["pk"][9:]: f"stranger {n}" for n, one in enumerate(harness.strangers, 1)}
        visits = [
            (
                names.get(visit.who.removeprefix("stranger#"), visit.who),
                (visit.first_ms - START, visit.last_ms - START),
                visit.sightings,
                visit.similarity,
                visit.alert,
            )
            for visit in visits_of(harness.table, "one", "front-door")
            if visit.alert != "none"
        ]
        strangers = [
            (int(one["lastSeen"]) - START, int(one["sightings"]), one["status"])
            for one in harness.strangers
        ]
        return {
            "visits": sorted(visits),
            "strangers": strangers,
            "first seen": [int(one["firstSeen"]) - START for one in harness.strangers],
            "pictures": [bool(one["pictureKey"]) for one in harness.strangers],
            "alerts": sorted(harness.subscriber.subjects),
        }


class ProcessorEngine(Engine):
    """A stream processor's records, three of them in a batch, to the two functions."""

    def deliver(self, seconds):
        frames = [self._frame(second) for second in seconds]
        for at in range(0, len(frames), 3):
            batch, harness = frames[at : at + 3], self.harness
            done = [
                alert_persons(harness.worker(), harness.session, batch),
                queue_strangers(harness.worker(), harness.context(), harness.session, batch),
            ]
            assert not any(outcome.failed for outcome in done)

    def _frame(self, second):
        faces = [face(*matches(colour), box=box) for box, colour in ellipses(frame_of(second))]
        made = record(second, *faces, fragment=FRAGMENT)
        return read_frame(made, "whosthere", id=f"at-{second}", recognised_ms=START)


class ImagesEngine(Engine):
    """Images in S3, one after the other, to the function of image-search."""

    def __init__(self, shared):
        super().__init__(shared)
        rekognition = SceneRekognition()
        rekognition.faces = self.harness.rekognition.faces
        self.harness.files = replace(self.harness.files, rekognition=rekognition)
        letters = DeadLetters(LettersBucket(), BUCKET, silent, silent)
        self.search = ImageSearch(
            "whosthere",
            self.harness.files,
            Urls(),
            "people",
            ApiCallCounter(),
            letters,
            "alike",
        )

    def deliver(self, seconds):
        for second in seconds:
            at = START + 1000 * second
            key = f"frames/whosthere-front-door/{at}.jpg"
            told = {images.PRODUCER: str(at), images.SERVER: str(at + 400)}
            self.harness.s3.put_object(
                Bucket=BUCKET,
                Key=key,
                Body=frame_of(second),
                Metadata=told | {images.FRAGMENT: FRAGMENT},
            )
            assert search_image(self.search, self.harness.worker(), key, ARN) == "searched"


def outcome_of(engine, shared, seconds):
    """What the owner gets if the engine analyses the frames of these seconds, in that order."""
    run = engine(shared)
    run.deliver(seconds)
    return run.outcome()


def mixed(chance):
    """The seconds of the scene, some of them twice, each up to ten seconds late."""
    seconds = [*SCENE, *chance.sample(list(SCENE), 8)]
    return sorted(seconds, key=lambda second: second + chance.uniform(0, 10))


def differences(wanted, found):
    """In what the owner gets something else, if frames come in another order.

    A sighting that comes late, alone and after those next to it may be left out, so a stranger's
    visit may begin or end two seconds apart.
    """
    unequal = [name for name in ("pictures", "alerts") if found[name] != wanted[name]]
    visits = wanted["visits"], found["visits"]
    is_equal = len(visits[0]) == len(visits[1]) and all(map(is_same, *visits))
    return unequal if is_equal else [*unequal, "visits"]


def is_same(one, other):
    if not one[0].startswith("stranger"):
        return one == other
    (who, times, _, _, alert), (its_who, its_times, _, _, its_alert) = one, other
    apart = max(abs(mine - its) for mine, its in zip(times, its_times, strict=True))
    return (who, alert) == (its_who, its_alert) and apart <= 2000
