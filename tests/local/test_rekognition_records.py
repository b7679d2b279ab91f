"""A running processor: live video in, records out, whatever goes wrong in between."""

import itertools
import json
import uuid

import pytest
from PIL import Image

from tests.local.laptop_parts import allow, error_code, make_role, set_policy
from tests.local.live_camera import LiveCamera, clip
from tests.local.rekognition_client import photo, portrait

SERVICE = "rekognition.amazonaws.com"
READ = ["kinesisvideo:GetDataEndpoint", "kinesisvideo:GetMedia"]


EMPTY = Image.new("RGB", (640, 480), "grey")


def visit(*names, size=(640, 480)):
    """A picture of people at the door."""
    picture = EMPTY.resize(size)
    for place, name in enumerate(names):
        picture.paste(portrait(name).resize((283, 360)), (20 + 300 * place, 60))
    return picture


class Scene:
    """One camera that sends its film, and whoever looks at its records."""

    def __init__(self, laptop):
        self.laptop = laptop
        self.name = f"cam-{uuid.uuid4().hex[:8]}"
        self.rekognition = laptop.client("rekognition")
        self.kinesis = laptop.client("kinesis")
        self.rekognition.create_collection(CollectionId=self.name)
        self.rekognition.index_faces(
            CollectionId=self.name, Image={"Bytes": photo("Zoë")}, ExternalImageId="zoe"
        )
        self.kinesis.create_stream(StreamName=self.name, ShardCount=1)
        described = self.kinesis.describe_stream(StreamName=self.name)
        self.data = described["StreamDescription"]["StreamARN"]
        video = laptop.client("kinesisvideo")
        self.video = video.create_stream(StreamName=self.name, DataRetentionInHours=1)["StreamARN"]
        self.role = make_role(laptop, SERVICE, allow(READ, self.video))

    def create(self, name, data):
        self.rekognition.create_stream_processor(
            Name=name,
            Input={"KinesisVideoStream": {"Arn": self.video}},
            Output={"KinesisDataStream": {"Arn": data}},
            RoleArn=self.role,
            Settings={"FaceSearch": {"CollectionId": self.name, "FaceMatchThreshold": 85.5}},
        )

    def described(self, name):
        found = self.rekognition.describe_stream_processor(Name=name)
        return found["Status"], found.get("StatusMessage")

    def records(self):
        """All records so far, oldest first."""
        shard = self.kinesis.list_shards(StreamName=self.name)["Shards"][0]["ShardId"]
        iterator = self.kinesis.get_shard_iterator(
            StreamName=self.name, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found = self.kinesis.get_records(ShardIterator=iterator)["Records"]
        return [json.loads(one["Data"]) for one in found]


@pytest.fixture(scope="module")
def clips():
    """What the camera can be made to see."""
    return {"nobody": clip(EMPTY), "Zoë": clip(visit("Zoë"))}


@pytest.fixture(scope="module")
def scene(laptop):
    return Scene(laptop)


@pytest.fixture(scope="module")
def camera(scene, clips):
    """The camera, sending until the tests of this module are over."""
    with LiveCamera(scene.laptop, scene.name, clips["nobody"]) as camera:
        yield camera


@pytest.fixture(scope="module")
def seen(scene, camera, clips, wait_until):
    """The records of some seconds, from a processor that failed, was mended and is stopped."""
    scene.create(scene.name, scene.data)
    scene.rekognition.start_stream_processor(Name=scene.name)
    denied = ("FAILED", "Access denied to Kinesis Data")
    wait_until(lambda: scene.described(scene.name) == denied, 40)
    assert scene.records() == []
    write = allow("kinesis:PutRecord", scene.data)
    set_policy(scene.laptop, scene.role, allow(READ, scene.video), write)
    scene.rekognition.start_stream_processor(Name=scene.name)
    wait_until(lambda: [] in [one["FaceSearchResponse"] for one in scene.records()], 40)
    camera.show(clips["Zoë"])

    def recognised():
        return [len(one["FaceSearchResponse"]) for one in scene.records()].count(1) > 5

    wait_until(recognised, 40)
    assert scene.described(scene.name) == ("RUNNING", None)
    stop = scene.rekognition.stop_stream_processor
    wait_until(lambda: error_code(stop, Name=scene.name) == "")
    wait_until(lambda: scene.described(scene.name) == ("STOPPED", None))
    records = scene.records()
    scene.rekognition.delete_stream_processor(Name=scene.name)
    return records


def place(record):
    kinesis_video = record["InputInformation"]["KinesisVideo"]
    return kinesis_video["FragmentNumber"], kinesis_video["FrameOffsetInSeconds"]


def test_every_record_says_which_frame_it_is_about(scene, seen):
    for record in seen:
        assert record["InputInformation"]["KinesisVideo"].keys() == {
            "StreamArn", "FragmentNumber", "ServerTimestamp", "ProducerTimestamp",
            "FrameOffsetInSeconds",
        }  # fmt: skip
        assert record["InputInformation"]["KinesisVideo"]["StreamArn"] == scene.video
        assert record["StreamProcessorInformation"] == {"Status": "RUNNING"}
        assert 0 <= place(record)[1] < 1


def test_records_come_in_the_order_of_their_frames_and_none_twice(seen):
    places = [(int(fragment), offset) for fragment, offset in map(place, seen)]
    assert places == sorted(set(places))


def test_a_known_face_is_matched_with_its_enrolled_photo(seen):
    faces = list(itertools.chain.from_iterable(one["FaceSearchResponse"] for one in seen))
    for face in faces:
        assert face["DetectedFace"].keys() == {
            "BoundingBox", "Confidence", "Landmarks", "Pose", "Quality",
        }  # fmt: skip
        [match] = face["MatchedFaces"]
        assert match["Similarity"] > 95
        assert match["Face"].keys() == {
            "BoundingBox", "FaceId", "Confidence", "ImageId", "ExternalImageId",
        }  # fmt: skip
        assert match["Face"]["ExternalImageId"] == "zoe"


def test_a_data_stream_that_is_not_there_is_named(scene, seen, wait_until):
    name = f"{scene.name}-nowhere"
    scene.create(name, f"arn:aws:kinesis:us-east-1:000000000000:stream/{name}")
    nowhere = allow("kinesis:PutRecord", f"arn:aws:kinesis:us-east-1:000000000000:stream/{name}")
    set_policy(scene.laptop, scene.role, allow(READ, scene.video), nowhere)
    scene.rekognition.start_stream_processor(Name=name)
    missing = ("FAILED", f"Stream {name} under account 000000000000 not found")
    wait_until(lambda: scene.described(name) == missing, 40)
    scene.rekognition.delete_stream_processor(Name=name)
