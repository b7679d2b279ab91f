"""Stream processors: their states, and what is wrong when they fail."""

import json
import uuid
from functools import partial

import pytest
from botocore.exceptions import ClientError

from local.tests.support.kinesisvideo.users import users
from local.tests.support.laptop.parts import allow, error_code, make_role, set_policy
from local.tests.support.models.rekognition import answered

SERVICE = "rekognition.amazonaws.com"
PROCESSOR = "arn:aws:rekognition:us-east-1:000000000000:streamprocessor"
READ = ("kinesisvideo:GetDataEndpoint", "kinesisvideo:GetMedia")
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

    def make_role(self, *, read=READ, service=SERVICE, condition=SOURCE):
        statements = [allow(list(read), self.video)] if read else []
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
        wait_until(lambda: self.status() in {"STOPPED", "FAILED"}, 60)

    def settle(self, wait_until):
        """Its status once it is no longer starting."""
        wait_until(lambda: self.status() != "STARTING", 60)
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


def test_an_update_changes_what_aws_says_can_be_changed_and_nothing_else(door, wait_until):
    made = door.create(DataSharingPreference={"OptIn": True})
    assert door.describe()["DataSharingPreference"] == {"OptIn": True}
    created = door.describe()["LastUpdateTimestamp"]
    update = partial(door.rekognition.update_stream_processor, Name=door.name)
    labels = {"ConnectedHomeForUpdate": {"Labels": ["PERSON"]}}
    box = {"BoundingBox": {"Left": 0, "Top": 0, "Width": 1, "Height": 1}}
    for refused in (
        {},
        {"SettingsForUpdate": labels},
        {"RegionsOfInterestForUpdate": [box]},
        {"ParametersToDelete": ["RegionsOfInterest"]},
    ):
        assert error_code(update, **refused) == "InvalidParameterException"
    assert door.describe()["LastUpdateTimestamp"] == created
    answered(
        door.laptop, "UpdateStreamProcessor", Name=door.name,
        DataSharingPreferenceForUpdate={"OptIn": False},
    )  # fmt: skip
    assert door.status() == "UPDATING"
    assert error_code(door.rekognition.start_stream_processor, Name=door.name) == (
        "ResourceInUseException"
    )
    wait_until(lambda: door.status() == "STOPPED")
    described = door.describe()
    assert described["DataSharingPreference"] == {"OptIn": False}
    assert described["LastUpdateTimestamp"] > created
    assert described["StreamProcessorArn"] == made["StreamProcessorArn"]


def test_tags_are_kept_with_a_processor(door):
    arn = door.create(Tags={"camera": "front", "old": "1"})["StreamProcessorArn"]
    answered(
        door.laptop, "TagResource", ResourceArn=arn, Tags={"camera": "back", "new": "Gefühlt 2"}
    )
    answered(door.laptop, "UntagResource", ResourceArn=arn, TagKeys=["old", "never"])
    tags = answered(door.laptop, "ListTagsForResource", ResourceArn=arn)["Tags"]
    assert tags == {"camera": "back", "new": "Gefühlt 2"}
    assert error_code(door.rekognition.tag_resource, ResourceArn=arn, Tags={"aws:x": "1"}) == (
        "InvalidParameterException"
    )
    many = {f"key-{n}": "" for n in range(199)}
    assert error_code(door.rekognition.tag_resource, ResourceArn=arn, Tags=many) == (
        "ServiceQuotaExceededException"
    )
    gone = f"{arn}-gone"
    assert error_code(door.rekognition.list_tags_for_resource, ResourceArn=gone) == (
        "ResourceNotFoundException"
    )


def test_tagging_at_creation_takes_a_permission_of_its_own(door):
    with users(door.laptop) as allowed:
        keys = allowed(rekognition_CreateStreamProcessor="*", iam_PassRole="*")
        create = allowed.client("rekognition", keys).create_stream_processor
        tagged = door.request(Tags={"camera": "front"})
        assert error_code(create, **tagged) == "AccessDeniedException"
        arn = f"{PROCESSOR}/{door.name}"
        allowed.allow(
            keys[0],
            rekognition_CreateStreamProcessor="*",
            iam_PassRole="*",
            rekognition_TagResource=arn,
        )
        assert create(**tagged)["StreamProcessorArn"] == arn


def test_processors_are_listed_in_pages(door):
    others = [Door(door.laptop, door.rekognition) for _ in range(2)]
    names = sorted(one.create()["StreamProcessorArn"].rpartition("/")[2] for one in [door, *others])
    pages = door.rekognition.get_paginator("list_stream_processors").paginate(
        PaginationConfig={"PageSize": 1}
    )
    listed = [[one["Name"] for one in page["StreamProcessors"]] for page in pages]
    for other in others:
        door.rekognition.delete_stream_processor(Name=other.name)
    assert all(len(page) == 1 for page in listed)
    assert [name for [name] in listed if name in names] == names
    token = {"NextToken": "no token"}
    assert error_code(door.rekognition.list_stream_processors, **token) == (
        "InvalidPaginationTokenException"
    )


def test_a_processor_that_hangs_in_starting_can_be_deleted(door, wait_until):
    door.furnish().create()
    door.start()
    assert door.status() == "STARTING"
    door.rekognition.delete_stream_processor(Name=door.name)
    assert error_code(door.rekognition.describe_stream_processor, Name=door.name) == (
        "ResourceNotFoundException"
    )
    again = partial(door.rekognition.create_stream_processor, **door.request())
    wait_until(lambda: error_code(again) == "")
    door.start()
    assert door.settle(wait_until) == ("RUNNING", None)


@pytest.mark.parametrize("operation", ["describe", "start", "delete", "update"])
def test_what_does_not_exist_is_not_found(door, operation):
    call = getattr(door.rekognition, f"{operation}_stream_processor")
    assert error_code(call, Name="no-such-processor") == "ResourceNotFoundException"


@pytest.mark.parametrize(
    "change",
    [
        {"Settings": {"FaceSearch": {"FaceMatchThreshold": 90}}},
        {"Settings": {"ConnectedHome": {"Labels": ["PERSON"]}}},
        {"Output": {"S3Destination": {"Bucket": "abc"}}},
    ],
)
def test_what_is_no_face_search_is_an_invalid_parameter(door, change):
    with pytest.raises(ClientError) as caught:
        door.rekognition.create_stream_processor(**door.request(**change))
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


LONG = pytest.mark.long  # each waits until a processor runs or fails
TRUST = {
    "its account": ({"StringEquals": {"aws:SourceAccount": "000000000000"}}, "RUNNING"),
    "another account": ({"StringEquals": {"aws:SourceAccount": "111122223333"}}, "FAILED"),
    "all processors": ({"ArnLike": {"aws:SourceArn": f"{PROCESSOR}/*"}}, "RUNNING"),
    "other processors": ({"StringLike": {"aws:SourceArn": f"{PROCESSOR}/other"}}, "FAILED"),
}


@pytest.mark.parametrize(
    "trusted",
    [
        pytest.param(one, marks=() if one in ("its account", "another account") else LONG)
        for one in TRUST
    ],
)
def test_the_conditions_of_the_roles_trust_are_held_against_the_processor(
    door, wait_until, trusted
):
    condition, status = TRUST[trusted]
    door.furnish(condition=condition).create()
    door.start()
    message = "Access denied to Role" if status == "FAILED" else None
    assert door.settle(wait_until) == (status, message)


def test_a_role_that_does_not_trust_rekognition_is_denied(door, wait_until):
    door.furnish(service="lambda.amazonaws.com").create()
    door.start()
    assert door.settle(wait_until) == ("FAILED", "Access denied to Role")


def test_a_role_that_is_not_there_is_denied_until_it_is(door, wait_until):
    door.furnish()
    iam, name = door.laptop.client("iam"), f"missing-{door.name}"
    role = f"arn:aws:iam::000000000000:role/{name}"
    door.create(RoleArn=role)
    door.start()
    assert door.settle(wait_until) == ("FAILED", "Access denied to Role")
    trust = iam.get_role(RoleName=door.role.rsplit("/", 1)[-1])["Role"]["AssumeRolePolicyDocument"]
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    set_policy(door.laptop, role, allow(list(READ), door.video))
    door.start()
    assert door.settle(wait_until) == ("RUNNING", None)


@pytest.mark.parametrize("allowed", [(), READ[:1], READ[1:]])
def test_a_role_that_may_not_read_the_video_is_denied(door, wait_until, allowed):
    door.furnish(read=allowed).create()
    door.start()
    assert door.settle(wait_until) == ("FAILED", "Access denied to Kinesis Video")


def test_a_video_stream_that_never_was_is_named(door, wait_until):
    door.furnish()
    name = f"never-{door.name}"
    arn = f"arn:aws:kinesisvideo:us-east-1:000000000000:stream/{name}/1700000000000"
    set_policy(door.laptop, door.role, allow(list(READ), arn))
    door.create(Input={"KinesisVideoStream": {"Arn": arn}})
    door.start()
    assert door.settle(wait_until) == ("FAILED", f"Stream {name} doesn't exist")


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
