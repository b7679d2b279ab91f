"""What the operations of our services are tried on, and a good and a bad request for each."""

import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.laptop import LaptopAWS
from local.tests.support.kinesisvideo.client import Film, Producer
from local.tests.support.laptop.parts import make_role, unique
from local.tests.support.media.portraits import photo
from local.tests.support.models.checks import as_json, ask

Parameters = dict[str, Any]
NOBODY = str(uuid.UUID(int=0))
NOT_THERE = "ResourceNotFoundException"
TAKEN = "ResourceInUseException"
INVALID = "InvalidParameterException"
ARGUMENT = "InvalidArgumentException"
OUTDATED = "VersionMismatchException"


@dataclass(frozen=True, slots=True)
class World:
    """A collection with a face, a stream with a film, a role, and names that are free."""

    laptop: LaptopAWS
    name: str
    face: str
    role: str
    stream_arn: str
    fragment: str

    def do(self, service: str, operation: str, **parameters: Any) -> Any:
        """Send a request that must succeed; return the answer."""
        code, answer = ask(self.laptop, service, operation, parameters)
        assert not code, f"{operation}: {answer}"
        return answer

    def collection(self) -> str:
        """Create a collection; return its name."""
        name = unique("collection")
        self.do("rekognition", "CreateCollection", CollectionId=name)
        return name

    def stream(self) -> str:
        """Create a video stream; return its name."""
        name = unique("stream")
        self.do("kinesisvideo", "CreateStream", StreamName=name, DataRetentionInHours=2)
        return name

    def version(self, stream: str) -> str:
        """Return the version of a stream."""
        described = self.do("kinesisvideo", "DescribeStream", StreamName=stream)
        return str(described["StreamInfo"]["Version"])

    def request(self) -> Parameters:
        """What CreateStreamProcessor asks for."""
        name = unique("processor")
        return {
            "Name": name,
            "Input": {"KinesisVideoStream": {"Arn": f"{self.stream_arn[:-1]}{uuid.uuid4().int}"}},
            "Output": {
                "KinesisDataStream": {
                    "Arn": f"arn:aws:kinesis:us-east-1:000000000000:stream/{name}"
                }
            },
            "Settings": {"FaceSearch": {"CollectionId": self.name, "FaceMatchThreshold": 85.5}},
            "RoleArn": self.role,
        }

    def processor(self, **changes: Any) -> str:
        """Create a stream processor; return its name."""
        asked = self.request() | changes
        self.do("rekognition", "CreateStreamProcessor", **asked)
        return str(asked["Name"])

    def started(self) -> str:
        """Create and start a processor; return its name."""
        video = self.stream()
        arn = self.do("kinesisvideo", "DescribeStream", StreamName=video)["StreamInfo"]["StreamARN"]
        name = self.processor(Input={"KinesisVideoStream": {"Arn": arn}})
        self.do("rekognition", "StartStreamProcessor", Name=name)
        return name

    def lately(self) -> Parameters:
        """Return a time range that contains the film, within GetImages' limit."""
        now = time.time()
        return {"StartTimestamp": now - 290, "EndTimestamp": now}


def make_world(laptop: LaptopAWS, folder: Path) -> World:
    """Everything, once."""
    name = unique("world")
    world = World(laptop, name, "", "", "", "")
    world.do("rekognition", "CreateCollection", CollectionId=name)
    indexed = world.do("rekognition", "IndexFaces", CollectionId=name, Image=picture())
    made = world.do("kinesisvideo", "CreateStream", StreamName=name, DataRetentionInHours=1)
    film = Film(folder)
    with Producer(laptop, name) as producer:
        acks = producer.send(film.header, film.fragment(round(time.time() * 1000))).end()
    stored = next(ack for ack in acks if ack["EventType"] == "PERSISTED")
    read = {
        "Effect": "Allow",
        "Action": ["kinesisvideo:GetDataEndpoint", "kinesisvideo:GetMedia"],
        "Resource": "*",
    }
    return World(
        laptop,
        name,
        face=indexed["FaceRecords"][0]["Face"]["FaceId"],
        role=make_role(laptop, "rekognition.amazonaws.com", read),
        stream_arn=made["StreamARN"],
        fragment=stored["FragmentNumber"],
    )


def picture() -> Parameters:
    """Return a request's picture with one face."""
    return {"Bytes": as_json(photo("Zoë"))}


def collection_arn(world: World) -> str:
    """Return the ARN of the world's collection."""
    return f"arn:aws:rekognition:us-east-1:000000000000:collection/{world.name}"


def images(**changes: Any) -> Parameters:
    """How images are generated."""
    return {
        "Status": "ENABLED",
        "ImageSelectorType": "PRODUCER_TIMESTAMP",
        "DestinationConfig": {"Uri": "s3://pictures/frames", "DestinationRegion": "us-east-1"},
        "SamplingInterval": 1000,
        "Format": "JPEG",
        **changes,
    }


def notifications(uri: str) -> Parameters:
    """Where fragments are told of."""
    return {"Status": "ENABLED", "DestinationConfig": {"Uri": uri}}


TOPIC = "arn:aws:sns:us-east-1:000000000000:told"
