"""Images of the engine image-search: bounded, searched face by face, made into records."""

import base64
import io
import json
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from PIL import Image

from tests.support.records.alert_harness import LEFT, RIGHT, START, values
from tests.support.records.drawn_faces import BLUE, GREEN, RED, Rekognition, draw
from tests.support.records.schema import complaints
from whosthere import settings
from whosthere.errors import PictureError
from whosthere.ingest import image as images
from whosthere.ingest.record import read_frame

BUCKET = "whosthere-frames"
EVENTS = Path(__file__).parents[4] / "events"
ARN = "arn:aws:kinesisvideo:us-east-1:111122223333:stream/whosthere-front-door/0"
TOLD = {images.PRODUCER: str(START), images.SERVER: str(START + 400), images.FRAGMENT: "913438"}
QUALITY = settings.from_values(values()).quality


class Detector(Rekognition):
    """Finds the faces that a test says, and knows two people by colour."""

    def __init__(self, *boxes, confidence=99.0):
        super().__init__()
        self.faces = {"f1": ("p-red", RED), "f2": ("p-blue", BLUE)}
        self.boxes, self.confidence = boxes, confidence

    def detect_faces(self, *, Image):
        return {"FaceDetails": [self._detail(box) for box in self.boxes]}

    def _detail(self, box):
        return {
            "BoundingBox": dict(zip(("Left", "Top", "Width", "Height"), box, strict=True)),
            "Confidence": self.confidence,
            "Landmarks": [],
            "Pose": {"Pitch": 0.0, "Roll": 0.0, "Yaw": 1.0},
            "Quality": {"Brightness": 50.0, "Sharpness": 70.0},
        }


@pytest.fixture
def s3(aws):
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    return s3


def fetched(s3, content, metadata=None):
    given = TOLD if metadata is None else metadata
    s3.put_object(Bucket=BUCKET, Key="k.jpg", Body=content, Metadata=given)
    return images.fetch_image(s3, BUCKET, "k.jpg")


def searched(detector, *faces):
    image = images.CameraImage(draw(*faces), 480, "913438", START, START + 400)
    return image, images.search_faces(detector, "people", image, QUALITY)


def test_an_image_becomes_the_record_that_a_stream_processor_writes(s3):
    image = fetched(s3, draw((LEFT, RED), (RIGHT, GREEN)))
    faces = images.search_faces(Detector(LEFT, RIGHT), "people", image, QUALITY)
    made = json.loads(json.dumps(images.build_record(ARN, image, faces)))
    assert complaints(made) == []
    frame = read_frame(made, "whosthere", id="1", recognised_ms=START)
    assert (frame.camera, frame.fragment) == ("front-door", "913438")
    assert (frame.captured_ms, frame.server_ms) == (START, START + 400)
    assert [[match.person_id for match in face.matches] for face in frame.faces] == [["p-red"], []]


def test_each_face_is_searched_even_if_another_is_larger():
    large = (0.35, 0.1, 0.3, 0.6)
    small = (0.2, 0.3, 0.1, 0.2)
    _, faces = searched(Detector(large, small), (large, RED), (small, BLUE))
    persons = [face["MatchedFaces"][0]["Face"]["ExternalImageId"] for face in faces]
    assert persons == ["p-red", "p-blue"]


def test_a_face_too_small_or_unclear_to_compare_is_left_out():
    _, faces = searched(Detector((0.2, 0.3, 0.04, 0.06)), (LEFT, RED))
    assert faces == []  # 29 pixels
    _, faces = searched(Detector(LEFT, confidence=50.0), (LEFT, RED))
    assert faces == []


def test_a_cut_in_which_no_face_is_found_is_a_face_without_a_match():
    _, faces = searched(Detector(RIGHT), (LEFT, RED))
    assert [face["MatchedFaces"] for face in faces] == [[]]


@pytest.mark.parametrize(
    "code", ["InvalidImageFormatException", "InvalidParameterException", "ImageTooLargeException"]
)
def test_an_image_that_rekognition_can_never_use_is_refused(code):
    class Broken(Detector):
        def detect_faces(self, *, Image):
            error = {"Code": code, "Message": ""}
            raise ClientError({"Error": error}, "DetectFaces")

    with pytest.raises(PictureError):
        searched(Broken(), (LEFT, RED))


def test_an_image_that_ends_in_its_middle_is_refused():
    cut_off = images.CameraImage(draw((LEFT, RED))[:2000], 480, "913438", START, START + 400)
    with pytest.raises(PictureError, match="cannot be decoded"):
        images.search_faces(Detector(LEFT), "people", cut_off, QUALITY)


def enormous():
    out = io.BytesIO()
    Image.new("1", (3841, 2160)).save(out, "PNG")
    return out.getvalue()


UNUSABLE = {
    "no image": (b"hello", TOLD, "no JPEG or PNG"),
    "another format": (b"GIF89a" + bytes(100), TOLD, "no JPEG or PNG"),
    "too many pixels": (enormous(), TOLD, "more pixels"),
    "too many bytes": (draw() + bytes(images.MAX_BYTES), TOLD, "5 MB"),
    "somebody else's": (draw(), {}, "not made by"),
    "no times": (draw(), TOLD | {images.PRODUCER: "now"}, "not made by"),
    "no possible time": (draw(), TOLD | {images.PRODUCER: "9" * 400}, "impossible time"),
    "a time before 1970": (draw(), TOLD | {images.SERVER: "-1"}, "impossible time"),
    "no fragment": (draw(), TOLD | {images.FRAGMENT: ""}, "no fragment"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_what_is_no_image_of_a_camera_is_refused(s3, what):
    content, metadata, reason = UNUSABLE[what]
    with pytest.raises(PictureError, match=reason):
        fetched(s3, content, metadata)


def test_an_image_that_is_gone_is_refused(s3):
    with pytest.raises(PictureError, match="gone"):
        images.fetch_image(s3, BUCKET, "nothing.jpg")


@pytest.mark.parametrize(
    ("key", "camera"),
    [
        ("frames/whosthere-front-door/111122223333_s_1_a.jpg", "front-door"),
        ("frames/whosthere-front-door//111122223333_s_1_a.jpg", "front-door"),
        ("frames/whosthere-front-door/x.png", "front-door"),
        ("frames/whosthere-front-door/", None),
        ("frames/whosthere-front-door///x.jpg", None),
        ("frames/front-door/x.jpg", None),
        ("frames/other-front-door/x.jpg", None),
        ("frames/x.jpg", None),
        ("frames/whosthere-Front/x.jpg", None),
        ("frames/whosthere-front-door/x.jpg\n", None),
        ("frames/whosthere-front-door/../back/x.jpg", None),
        ("people/Zoë/x.jpg", None),
    ],
)
def test_the_camera_is_taken_from_the_prefix(key, camera):
    assert images.camera_of("whosthere", key) == camera


@pytest.mark.parametrize("name", ["alert_person", "queue_stranger"])
def test_the_records_of_the_sample_events_can_be_read(name):
    event = json.loads((EVENTS / f"{name}.json").read_text())
    found = [
        read_frame(
            json.loads(base64.b64decode(record["kinesis"]["data"])),
            "whosthere",
            id="1",
            recognised_ms=START,
        )
        for record in event["Records"]
    ]
    assert [frame.camera for frame in found] == ["front-door"] * 2
    assert found[1].captured_ms - found[0].captured_ms == 200


def test_the_sample_event_of_an_image_is_a_cameras():
    (message,) = json.loads((EVENTS / "search_frame.json").read_text())["Records"]
    event = json.loads(message["body"])
    assert images.camera_of("whosthere", event["detail"]["object"]["key"]) == "front-door"
