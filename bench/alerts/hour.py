"""A realistic hour of records: five a second, three visits of a minute by three persons."""

import json
from collections.abc import Iterator
from typing import Any

RATE = 5
SECONDS = 3600
VISIT_SECONDS = 60
# The last visit ends with the hour, so that its last frame is the last record of all.
VISITS = {600: "p-alice", 1800: "p-beth", SECONDS - VISIT_SECONDS: "p-alice"}
STREAM = "arn:aws:kinesisvideo:us-east-1:000000000000:stream/whosthere-front-door/1586555054989"
FRAGMENT = "91343852333181432392682062607743920146264094720"


def records(begun_ms: int) -> Iterator[bytes]:
    """Yield the hour's records in order, as Rekognition writes them."""
    for number in range(RATE * SECONDS):
        second, moment_ms = number / RATE, begun_ms + 1000 * number // RATE
        persons = [who for begin, who in VISITS.items() if 0 <= second - begin < VISIT_SECONDS]
        yield json.dumps(record(moment_ms, persons)).encode()


def record(moment_ms: int, persons: list[str]) -> dict[str, Any]:
    """Return the record of a frame that shows these persons."""
    video = {
        "StreamArn": STREAM,
        "FragmentNumber": FRAGMENT,
        "ServerTimestamp": moment_ms / 1000,
        "ProducerTimestamp": moment_ms / 1000,
        "FrameOffsetInSeconds": 0.0,
    }
    return {
        "InputInformation": {"KinesisVideo": video},
        "StreamProcessorInformation": {"Status": "RUNNING"},
        "FaceSearchResponse": [_face(person) for person in persons],
    }


def _face(person: str) -> dict[str, Any]:
    places = ("eyeLeft", "eyeRight", "nose", "mouthLeft", "mouthRight")
    enrolled = {
        "BoundingBox": {"Height": 0.5, "Width": 0.4, "Left": 0.3, "Top": 0.2},
        "FaceId": "0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f",
        "Confidence": 99.99,
        "ImageId": "7c6d5e4f-3a2b-4c1d-8e9f-0a1b2c3d4e5f",
        "ExternalImageId": person,
    }
    return {
        "DetectedFace": {
            "BoundingBox": {"Height": 0.25, "Width": 0.14, "Left": 0.4, "Top": 0.3},
            "Confidence": 99.97,
            "Landmarks": [{"X": 0.45, "Y": 0.4, "Type": place} for place in places],
            "Pose": {"Pitch": 2.97, "Roll": -3.89, "Yaw": 8.84},
            "Quality": {"Brightness": 60.59, "Sharpness": 86.1},
        },
        "MatchedFaces": [{"Similarity": 98.86, "Face": enrolled}],
    }
