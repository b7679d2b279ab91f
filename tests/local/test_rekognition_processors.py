"""Stream processors: their states, and what is wrong when they fail."""

import uuid

import pytest
from botocore.exceptions import ClientError

from tests.local.laptop_parts import allow, error_code, make_role
from tests.local.rekognition_client import answered, service_error

SERVICE = "rekognition.amazonaws.com"
SOURCE = {"StringLike": {"aws:SourceArn": "arn:aws:rekognition:*:*:streamprocessor/*"}}


class Door:
    """The requests to make and use one processor; `furnish` makes what it needs to run."""

    def __init__(self, laptop, rekognition):
        self.laptop, self.rekognition = laptop, rekognition
        self.name = f"door-{uuid.uuid4().hex[:8]}"
        self.data = f"arn:aws:kinesis:us-east-1:000000000000:stream/{self.name}"
        self.video = f"arn:aws:kinesisvideo:us-east-1:000000000000:stream/{self.name}/1"
        self.role = f"arn:aws:iam::000000000000:role/{self.name}"

    def furnish(self, **role):
        """A collection, a video stream and a role that may read it."""
        self.rekognition.create_collection(CollectionId=self.name)
        video = self.laptop.client("kinesisvideo")
        self.video = video.create_stream(StreamName=self.name)["StreamARN"]
        self.role = self.make_role(**role)
        return self

    def make_role(self, *, read=True, service=SERVICE, condition=SOURCE):
        actions = ["kinesisvideo:GetDataEndpoint", "kinesisvideo:GetMedia"]
        statements = [allow(actions, self.video)] if read else []
        return make_role(self.laptop, service, *statements, condition=condition)

    def request(self, **changes):
        asked = {
            "Name": self.name,
            "Input": {"KinesisVideoStream": {"Arn": self.video}},
            "Output": {"KinesisDataStream": {"Arn": self.data}},
            "RoleArn": self.role,
            "Settings": {"FaceSearch": {"CollectionId": self.name, "FaceMatchThreshold": 85.5}},
        }
        return {**asked, **changes}

    def create(self, **changes):
        return answered(self.laptop, "CreateStreamProcessor", **self.request(**changes))

    def describe(self):
        return answered(self.laptop, "DescribeStreamProcessor", Name=self.name)

    def status(self):
        return self.describe()["Status"]

    def start(self):
        self.rekognition.start_stream_processor(Name=self.name)

    def stop(self, wait_until):
        """Stop it, as often as the account's one stop per second asks for."""

        def accepted():
            code = error_code(self.rekognition.stop_stream_processor, Name=self.name)
            return code not in {"ThrottlingException"}

        wait_until(accepted)
        wait_until(lambda: self.status() in {"STOPPED", "FAILED"})

    def settle(self, wait_until):
        """Its status once it is no longer starting."""
        wait_until(lambda: self.status() != "STARTING", 30)
        described = self.describe()
        return described["Status"], described.get("StatusMessage")


@pytest.fixture(scope="module")
def rekognition(laptop):
    return laptop.client("rekognition")


@pytest.fixture
def door(laptop, rekognition, wait_until):
    """A door of its own for each test, with nothing left running."""
    door = Door(laptop, rekognition)
    yield door
    listed = rekognition.list_stream_processors()["StreamProcessors"]
    if door.name in [one["Name"] for one in listed]:
        if door.status() == "RUNNING":
            door.stop(wait_until)
        rekognition.delete_stream_processor(Name=door.name)


def test_a_processor_lives_from_stopped_to_running_to_stopped(door, wait_until):
    made = door.furnish().create()
    assert made["StreamProcessorArn"].endswith(f":streamprocessor/{door.name}")
    assert door.status() == "STOPPED"
    door.start()
    assert door.settle(wait_until) == ("RUNNING", None)
    assert error_code(door.rekognition.start_stream_processor, Name=door.name) == (
        "ResourceInUseException"
    )
    assert error_code(door.rekognition.delete_stream_processor, Name=door.name) == (
        "ResourceInUseException"
    )
    door.stop(wait_until)
    assert door.describe()["Status"] == "STOPPED"


def test_a_processor_is_described_as_it_was_made(door):
    door.create()
    described = door.describe()
    assert described["Settings"]["FaceSearch"] == {
        "CollectionId": door.name,
        "FaceMatchThreshold": 85.5,
    }
    assert described["Input"]["KinesisVideoStream"]["Arn"] == door.video
    assert described["Output"]["KinesisDataStream"]["Arn"] == door.data
    listed = answered(door.laptop, "ListStreamProcessors")["StreamProcessors"]
    assert {"Name": door.name, "Status": "STOPPED"} in listed


def test_a_threshold_below_80_counts_as_80(door):
    door.create(Settings={"FaceSearch": {"CollectionId": door.name, "FaceMatchThreshold": 50}})
    assert door.describe()["Settings"]["FaceSearch"]["FaceMatchThreshold"] == 80


def test_a_name_is_taken_and_stays_so_for_seconds_after_deletion(door, wait_until):
    door.create()
    taken = error_code(door.rekognition.create_stream_processor, **door.request())
    door.rekognition.delete_stream_processor(Name=door.name)
    reserved = error_code(door.rekognition.create_stream_processor, **door.request())
    assert (taken, reserved) == ("ResourceInUseException", "ResourceInUseException")
    create = door.rekognition.create_stream_processor
    wait_until(lambda: error_code(create, **door.request()) == "")


@pytest.mark.parametrize("shared", ["Input", "Output"])
def test_a_stream_belongs_to_one_processor_only(door, shared):
    door.create()
    other = Door(door.laptop, door.rekognition)
    request = other.request(**{shared: door.request()[shared]})
    assert error_code(door.rekognition.create_stream_processor, **request) == (
        "ResourceInUseException"
    )


@pytest.mark.parametrize("operation", ["describe", "start", "delete"])
def test_what_does_not_exist_is_not_found(door, operation):
    call = getattr(door.rekognition, f"{operation}_stream_processor")
    assert error_code(call, Name="no-such-processor") == "ResourceNotFoundException"


def test_a_second_stop_within_a_second_is_throttled_for_the_whole_account(door, wait_until):
    codes = []

    def throttled():
        codes.append(service_error(door.laptop, "StopStreamProcessor", Name="no-such-processor"))
        return codes[-1] == "ThrottlingException" and "ResourceNotFoundException" in codes

    wait_until(throttled)


@pytest.mark.parametrize(
    "change",
    [
        {"Name": "with space"},
        {"RoleArn": "arn:aws:iam::1:role/x"},
        {"Settings": {"FaceSearch": {"FaceMatchThreshold": 90}}},
        {"Settings": {"ConnectedHome": {"Labels": ["PERSON"]}}},
        {"Output": {"S3Destination": {"Bucket": "abc"}}},
    ],
)
def test_what_is_no_face_search_is_an_invalid_parameter(door, change):
    with pytest.raises(ClientError) as caught:
        door.rekognition.create_stream_processor(**door.request(**change))
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


def test_a_role_that_does_not_trust_rekognition_is_denied(door, wait_until):
    door.furnish(service="lambda.amazonaws.com").create()
    door.start()
    assert door.settle(wait_until) == ("FAILED", "Access denied to Role")


def test_a_role_that_trusts_other_processors_only_is_denied(door, wait_until):
    condition = {"StringLike": {"aws:SourceArn": "arn:aws:rekognition:*:*:streamprocessor/other"}}
    door.furnish(condition=condition).create()
    door.start()
    assert door.settle(wait_until) == ("FAILED", "Access denied to Role")


def test_a_role_that_may_not_read_the_video_is_denied(door, wait_until):
    door.furnish(read=False).create()
    door.start()
    assert door.settle(wait_until) == ("FAILED", "Access denied to Kinesis Video")


def test_a_video_stream_that_is_gone_is_named(door, wait_until):
    door.furnish().create()
    door.laptop.client("kinesisvideo").delete_stream(StreamARN=door.video)
    door.start()
    assert door.settle(wait_until) == ("FAILED", f"Stream {door.name} doesn't exist")


def test_a_collection_that_is_gone_is_not_found_until_it_is_back(door, wait_until):
    door.furnish().create()
    door.rekognition.delete_collection(CollectionId=door.name)
    door.start()
    assert door.settle(wait_until) == ("FAILED", "Collection not found")
    door.rekognition.create_collection(CollectionId=door.name)
    door.start()
    assert door.settle(wait_until) == ("RUNNING", None)
