"""The record of one analysed frame, as it goes into the data stream."""

import json

import pytest

from local.rekognition.collections import Collection, Face
from local.rekognition.processors.record import Frame, record
from tests.support.records.schema import complaints

STREAM = "arn:aws:kinesisvideo:us-east-1:000000000000:stream/door/1586555054989"
NUMBER = "91343852333289682796718532614445757584843717598"
FRAME = Frame(fragment=NUMBER, server=1510552593.455, producer=1510552593.193, offset=2.0)
BOX = {"Width": 0.1, "Height": 0.2, "Left": 0.3, "Top": 0.4}
ENROLLED_BOX = {"Width": 0.5, "Height": 0.6, "Left": 0.1, "Top": 0.2}


def seen(place):
    """A face in a frame whose vector lies at a place on a line."""
    detail = {
        "BoundingBox": BOX,
        "Confidence": 99.9,
        "Landmarks": [{"Type": "nose", "X": 0.3, "Y": 0.5}],
        "Pose": {"Pitch": 1.0, "Roll": 2.0, "Yaw": 3.0},
        "Quality": {"Brightness": 40.0, "Sharpness": 90.0},
    }
    return {"detail": detail, "vector": [place, *[0.0] * 127], "size": 90}


@pytest.fixture
def people():
    collection = Collection("people", "arn")
    for name, place in (("far", 0.5), ("near", 0.1), ("nobody", 3.0)):
        vector = (place, *[0.0] * 127)
        collection.add(Face(f"face-{name}", f"image-{name}", name, ENROLLED_BOX, 99.5, vector))
    return collection


def made(people, *faces):
    return record(STREAM, FRAME, faces, lambda vector: people.search(vector, threshold=80))


def test_a_frame_without_a_face_has_a_record_too(people):
    assert made(people)["FaceSearchResponse"] == []


def test_where_and_when_the_frame_was_taken_is_said(people):
    assert made(people)["InputInformation"]["KinesisVideo"] == {
        "StreamArn": STREAM,
        "FragmentNumber": NUMBER,
        "ServerTimestamp": 1510552593.455,
        "ProducerTimestamp": 1510552593.193,
        "FrameOffsetInSeconds": 2.0,
    }
    assert made(people)["StreamProcessorInformation"] == {"Status": "RUNNING"}


def test_matches_come_most_alike_first_and_none_below_the_threshold(people):
    [face] = made(people, seen(0.0))["FaceSearchResponse"]
    names = [match["Face"]["ExternalImageId"] for match in face["MatchedFaces"]]
    assert names == ["near", "far"]
    assert all(match["Similarity"] >= 80 for match in face["MatchedFaces"])


def test_a_match_shows_the_enrolled_photo_and_no_model_version(people):
    [face] = made(people, seen(0.1))["FaceSearchResponse"]
    assert face["MatchedFaces"][0]["Face"] == {
        "FaceId": "face-near",
        "ImageId": "image-near",
        "ExternalImageId": "near",
        "Confidence": 99.5,
        "BoundingBox": ENROLLED_BOX,
    }


def test_an_unknown_face_has_no_matches_and_keeps_its_details(people):
    [face] = made(people, seen(-9.0))["FaceSearchResponse"]
    assert face["MatchedFaces"] == []
    assert face["DetectedFace"] == seen(-9.0)["detail"]


def test_every_kind_of_record_keeps_to_the_schema_strictly(people):
    for faces in ((), (seen(0.0),), (seen(-9.0), seen(0.2))):
        assert complaints(json.loads(json.dumps(made(people, *faces)))) == []


def test_no_vector_leaves_with_the_record(people):
    assert "vector" not in json.dumps(made(people, seen(0.0), seen(0.2)))
