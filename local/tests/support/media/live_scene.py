"""A door with a camera: its collection, streams and role, and what is written about it."""

import json
import uuid

from PIL import Image

from local.tests.support.laptop.parts import allow, error_code, make_role
from local.tests.support.media.portraits import photo, portrait

SERVICE = "rekognition.amazonaws.com"
READ = ["kinesisvideo:GetDataEndpoint", "kinesisvideo:GetMedia"]
WRITE = "kinesis:PutRecord"
EMPTY = Image.new("RGB", (400, 300), "grey")


def visit(*names, size=(400, 300)):
    """Return a picture of people at the door, as small as faces can be told apart in."""
    picture = EMPTY.resize(size)
    for place, name in enumerate(names):
        picture.paste(portrait(name).resize((177, 225)), (12 + 188 * place, 38))
    return picture


class Scene:
    """One camera's stream, and whoever looks at its records."""

    def __init__(self, laptop, *, hours=1, write=False):
        self.laptop = laptop
        self.name = f"cam-{uuid.uuid4().hex[:8]}"
        self.rekognition = laptop.client("rekognition")
        self.kinesis = laptop.client("kinesis")
        self.video_client = laptop.client("kinesisvideo")
        self.enroll()
        self.make_data_stream()
        described = self.kinesis.describe_stream(StreamName=self.name)
        self.data = described["StreamDescription"]["StreamARN"]
        made = self.video_client.create_stream(StreamName=self.name, DataRetentionInHours=hours)
        self.video = made["StreamARN"]
        self.rights = [allow(READ, self.video), *([allow(WRITE, self.data)] if write else [])]
        self.role = make_role(laptop, SERVICE, *self.rights)

    def enroll(self):
        self.rekognition.create_collection(CollectionId=self.name)
        self.rekognition.index_faces(
            CollectionId=self.name, Image={"Bytes": photo("Zoë")}, ExternalImageId="zoe"
        )

    def make_data_stream(self):
        self.kinesis.create_stream(StreamName=self.name, ShardCount=1)

    def create(self, name="", data=""):
        """Create a stream processor, by default one that writes into the scene's data stream."""
        self.rekognition.create_stream_processor(
            Name=name or self.name,
            Input={"KinesisVideoStream": {"Arn": self.video}},
            Output={"KinesisDataStream": {"Arn": data or self.data}},
            RoleArn=self.role,
            Settings={"FaceSearch": {"CollectionId": self.name, "FaceMatchThreshold": 85.5}},
        )

    def start(self, name=""):
        self.rekognition.start_stream_processor(Name=name or self.name)

    def described(self, name=""):
        found = self.rekognition.describe_stream_processor(Name=name or self.name)
        return found["Status"], found.get("StatusMessage")

    def is_running(self):
        """Whether the processor has started; a start that failed says why, and at once."""
        status, message = self.described()
        assert status != "FAILED", message
        return status == "RUNNING"

    def stop(self, wait_until, name=""):
        """Stop a processor, if it runs, and delete it."""
        name = name or self.name
        if self.described(name)[0] == "RUNNING":
            stop = self.rekognition.stop_stream_processor
            wait_until(lambda: error_code(stop, Name=name) == "", 30)
            wait_until(lambda: self.described(name) == ("STOPPED", None), 30)
        self.rekognition.delete_stream_processor(Name=name)

    def records(self):
        """All records so far, oldest first."""
        return [json.loads(one["Data"]) for one in self.arrivals()]

    def arrivals(self):
        """Return the records of the data stream, with the time of arrival."""
        shard = self.kinesis.list_shards(StreamName=self.name)["Shards"][0]["ShardId"]
        iterator = self.kinesis.get_shard_iterator(
            StreamName=self.name, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found = []
        while True:
            page = self.kinesis.get_records(ShardIterator=iterator, Limit=10000)
            if not page["Records"]:
                return found
            found += page["Records"]
            iterator = page["NextShardIterator"]


def place(record):
    """Which frame a record is about."""
    video = record["InputInformation"]["KinesisVideo"]
    return int(video["FragmentNumber"]), video["FrameOffsetInSeconds"]


def names_in(record):
    """Whom a record knows."""
    return [
        match["Face"]["ExternalImageId"]
        for face in record["FaceSearchResponse"]
        for match in face["MatchedFaces"]
    ]
