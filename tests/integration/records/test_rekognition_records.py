"""The records of a running processor: live video in, exactly what AWS documents out."""

import itertools
import json

import pytest

from local.tests.support.laptop.parts import allow, set_policy
from local.tests.support.media.live_camera import LiveCamera, clip
from local.tests.support.media.live_scene import EMPTY, READ, WRITE, Scene, place, visit
from local.tests.support.media.portraits import encoded
from tests.support.records.schema import complaints
from whosthere import settings
from whosthere.ingest import image as images


@pytest.fixture(scope="module")
def scene(laptop):
    return Scene(laptop)


@pytest.fixture(scope="module")
def camera(scene):
    """The camera, sending until the tests of this module are over."""
    with LiveCamera(scene.laptop, scene.name, clip(EMPTY)) as camera:
        yield camera


@pytest.fixture(scope="module")
def seen(scene, camera, wait_until):
    """The records of some seconds, from a processor that failed, was mended and is stopped."""
    scene.create()
    scene.start()
    wait_until(lambda: scene.described() == ("FAILED", "Access denied to Kinesis Data"), 60)
    assert scene.records() == []
    set_policy(scene.laptop, scene.role, *scene.rights, allow(WRITE, scene.data))
    scene.start()
    wait_until(lambda: [] in [one["FaceSearchResponse"] for one in scene.records()], 60)
    camera.show(clip(visit("Zoë", "Ravi")))

    def recognised():
        return [len(one["FaceSearchResponse"]) for one in scene.records()].count(2) > 2

    wait_until(recognised, 60)
    assert scene.described() == ("RUNNING", None)
    scene.stop(wait_until)
    return scene.records()


def test_every_record_is_what_aws_documents_and_nothing_else(scene, seen):
    for record in seen:
        assert complaints(record) == []
        assert record["InputInformation"]["KinesisVideo"]["StreamArn"] == scene.video
        assert record["StreamProcessorInformation"] == {"Status": "RUNNING"}
        assert 0 <= place(record)[1] < 1


def test_records_come_in_the_order_of_their_frames_and_none_twice(seen):
    places = [place(one) for one in seen]
    assert places == sorted(set(places))


def test_a_known_face_is_matched_with_its_enrolled_photo_and_a_stranger_with_none(seen):
    both = [one["FaceSearchResponse"] for one in seen if len(one["FaceSearchResponse"]) == 2]
    for faces in both:
        [match] = itertools.chain.from_iterable(face["MatchedFaces"] for face in faces)
        assert match["Similarity"] > 95
        assert match["Face"]["ExternalImageId"] == "zoe"
        known, stranger = sorted(faces, key=lambda face: -len(face["MatchedFaces"]))
        assert stranger["MatchedFaces"] == []
        left, right = (one["DetectedFace"]["BoundingBox"]["Left"] for one in (known, stranger))
        assert left < 0.5 < right  # each match stands beside the face it belongs to


def test_a_data_stream_that_is_not_there_is_named(scene, seen, wait_until):
    name = f"{scene.name}-nowhere"
    arn = f"arn:aws:kinesis:us-east-1:000000000000:stream/{name}"
    scene.create(name, arn)
    set_policy(scene.laptop, scene.role, allow(READ, scene.video), allow(WRITE, arn))
    scene.start(name)
    missing = ("FAILED", f"Stream {name} under account 000000000000 not found")
    wait_until(lambda: scene.described(name) == missing, 60)
    scene.stop(wait_until, name)


def test_image_search_makes_the_same_record_of_an_image(scene, seen):
    content = encoded(visit("Zoë", "Ravi"))
    image = images.CameraImage(content, 480, "91343852333181", 1_800_000_000_123, 1_800_000_000_456)
    quality = settings.from_values(settings.defaults()).quality
    faces = images.search_faces(scene.rekognition, scene.name, image, quality)
    record = json.loads(json.dumps(images.build_record(scene.video, image, faces)))
    assert complaints(record) == []
    assert [len(face["MatchedFaces"]) for face in faces] in ([0, 1], [1, 0])
    assert record.keys() == seen[-1].keys()
