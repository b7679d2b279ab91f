"""Scenes of images for the engine image-search, and a Rekognition that knows who they show."""

import io
import json
import re
from bisect import bisect
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import av
from botocore.exceptions import ClientError
from PIL import Image, ImageChops, ImageStat

from tests.support.records.alert_harness import LEFT, START, match
from tests.support.records.drawn_faces import Urls, draw
from tests.support.records.stranger_harness import BUCKET, StrangerHarness
from tests.support.stack.demo_film import DEMO
from whosthere.geometry import Box
from whosthere.image_search import ImageSearch, search_image
from whosthere.imaging import crop, to_jpeg
from whosthere.ingest import image as images
from whosthere.metrics import ApiCallCounter
from whosthere.session_store import session_key
from whosthere.visits.queries import visits_of

ARN_PREFIX = "arn:aws:kinesisvideo:us-east-1:111122223333:stream/"
PEOPLE, STRANGERS = "people", "strangers"
DATE = re.compile(r"\d{13}")  # in milliseconds since 1970
ALWAYS = {"searchAgainSeconds": 0, "imageChangeLevels": 0}


@dataclass(frozen=True)
class SceneFace:
    """A face of an image, and how alike it is to the photos of whoever it shows; 0: no match."""

    who: str
    box: tuple = LEFT
    similarity: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    confidence: float = 99.9
    sharpness: float = 80.0
    brightness: float = 60.0

    @property
    def detail(self):
        return {
            "BoundingBox": dict(zip(("Left", "Top", "Width", "Height"), self.box, strict=True)),
            "Confidence": self.confidence,
            "Landmarks": [],
            "Pose": {"Pitch": self.pitch, "Roll": 0.0, "Yaw": self.yaw},
            "Quality": {"Brightness": self.brightness, "Sharpness": self.sharpness},
        }


@dataclass(frozen=True)
class Scene:
    """One image, captured so many seconds after the start, its faces and its fragment's tags."""

    second: float
    faces: tuple
    content: bytes
    tags: dict = field(default_factory=dict)

    @property
    def key(self):
        return f"frames/whosthere-front-door/{round(1000 * self.second)}.jpg"


def drawn(second, *faces, light=None):
    """A scene whose faces are ellipses; each image has its own light unless one is given."""
    shade = round(7 * second) % 59 if light is None else light
    shades = {one.who: (60 * n % 250, 90 * n % 250, 120) for n, one in enumerate(faces, 1)}
    content = draw(*((one.box, shades[one.who]) for one in faces), light=shade)
    return Scene(second, faces, content)


def film_scenes():
    """The demo's film at one image a second, with the faces that the laptop AWS found in it."""
    analysed = json.loads((Path(__file__).parent / "film_faces.json").read_text())
    faces = {
        one["second"]: tuple(
            SceneFace(**{**face, "box": tuple(face["box"])}) for face in one["faces"]
        )
        for one in analysed
    }
    with av.open(str(DEMO / "film.mp4")) as film:
        return [
            Scene(frame.time, faces[frame.time], to_jpeg(frame.to_image()))
            for frame in film.decode(video=0)
            if frame.time in faces
        ]


def tagged(scenes, fragments):
    """The scenes of the fragments that are tagged, with their tags dated as the scenes are.

    Fragments are the times at which they begin, and their tags; None: without.
    """
    begun = [at_ms for at_ms, _ in fragments]
    found = []
    for scene in scenes:
        _, tags = fragments[bisect(begun, begun[0] + 1000 * scene.second + 1) - 1]
        if tags is not None:
            dated = {name: DATE.sub(partial(_later, START - begun[0]), tags[name]) for name in tags}
            found.append(replace(scene, tags=dated))
    return found


def _later(later_ms, date):
    return str(int(date[0]) + later_ms)


class SceneRekognition:
    """Knows the faces of the scene that is searched; tells them apart by their crops."""

    def __init__(self):
        self.scene, self.strangers, self.calls = None, {}, Counter()

    def detect_faces(self, *, Image):
        self.calls["detect"] += 1
        return {"FaceDetails": [face.detail for face in self.scene.faces]}

    def search_faces_by_image(self, *, CollectionId, Image, **_given):
        self.calls[CollectionId] += 1
        shown = self._face(Image["Bytes"])
        if CollectionId == PEOPLE:
            return {"FaceMatches": [match(shown.who, shown.similarity)] * (shown.similarity >= 80)}
        found = [id for id, (_, who) in self.strangers.items() if who == shown.who]
        return {
            "FaceMatches": [match(self.strangers[id][0], 99.5, id) for id in found]
            if CollectionId == STRANGERS
            else []
        }

    def index_faces(self, *, Image, ExternalImageId, **_given):
        id = f"face-{len(self.strangers) + 1}"
        self.strangers[id] = (ExternalImageId, self._face(Image["Bytes"]).who)
        return {"FaceRecords": [{"Face": {"FaceId": id}}]}

    def delete_faces(self, *, FaceIds, **_given):
        for id in FaceIds:
            self.strangers.pop(id, None)
        return {"DeletedFaces": FaceIds}

    def _face(self, cropped):
        """Return whose crop of the scene is most like this one."""
        boxes = [Box(*face.box) for face in self.scene.faces]
        if not boxes:
            error = {"Code": "InvalidParameterException", "Message": "no faces in the image"}
            raise ClientError({"Error": error}, "SearchFacesByImage")
        if len(boxes) == 1:
            return self.scene.faces[0]
        small = _small(cropped)

        def difference(place):
            others = [box for other, box in enumerate(boxes) if other != place]
            own = _small(crop(self.scene.content, boxes[place], others).face)
            return sum(ImageStat.Stat(ImageChops.difference(small, own)).sum)

        return self.scene.faces[min(range(len(boxes)), key=difference)]


def _small(content):
    return Image.open(io.BytesIO(content)).convert("RGB").resize((32, 32))


class ImageHarness(StrangerHarness):
    """A session of the engine image-search."""

    def __init__(self, patch, table, s3, rekognition=None, **settings):
        super().__init__(table, s3, **settings)
        patch.setattr("whosthere.clock.time", self)  # no test waits in real time
        self.rekognition = rekognition or SceneRekognition()
        self.files = replace(self.files, rekognition=self.rekognition)
        self.images = ImageSearch(
            "whosthere", self.files, Urls(), PEOPLE, ApiCallCounter(), SimpleNamespace(), "alike"
        )

    def time_ns(self):
        return self.clock.moment_ms * 1_000_000

    def sleep(self, seconds):
        self.clock.forward(seconds)

    def searches(self, *scenes, worker=None):
        """Search images in this order."""
        return [self.search(scene, worker) for scene in scenes]

    def search(self, scene, worker=None):
        told = dict.fromkeys(
            (images.PRODUCER, images.SERVER), str(START + round(1000 * scene.second))
        )
        told |= {images.FRAGMENT: "1", **scene.tags}
        self.s3.put_object(Bucket=BUCKET, Key=scene.key, Body=scene.content, Metadata=told)
        self.clock.moment_ms = max(self.clock.moment_ms, int(told[images.SERVER]) + 500)
        self.rekognition.scene = scene
        return search_image(self.images, worker or self.worker(), scene.key, ARN_PREFIX)

    @property
    def number_of_searches(self):
        return self.rekognition.calls[PEOPLE] + self.rekognition.calls[STRANGERS]

    @property
    def counts(self):
        row = self.table.get_item(Key=session_key(self.session.id))["Item"]["counts"]
        return {name: int(number) for name, number in row.items()}

    @property
    def summary(self):
        """Persons' visits, strangers' visits in order, and how many alerts of each kind."""
        persons, strangers = [], []
        for visit in visits_of(self.table, self.session.id, "front-door"):
            shown = (visit.first_ms, visit.last_ms, visit.alert)
            if visit.who.startswith("s-"):
                strangers.append(shown)
            else:
                persons.append((visit.who, visit.persons, *shown))
        kinds = Counter(alert.kind for alert in self.subscriber.alerts)
        return persons, strangers, len(self.strangers), kinds
