"""What a stream is told beside its media: tags, tiers, image generation."""

import uuid

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def control(laptop):
    return laptop.client("kinesisvideo")


@pytest.fixture
def stream(control):
    name = f"stream-{uuid.uuid4().hex[:8]}"
    arn = control.create_stream(StreamName=name, DataRetentionInHours=24)["StreamARN"]
    yield name
    control.delete_stream(StreamARN=arn)


def error_of(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_tags_come_and_go(control, stream):
    control.tag_stream(StreamName=stream, Tags={"where": "door", "floor": "Erdgeschoß"})
    control.tag_stream(StreamName=stream, Tags={"where": "yard"})
    found = control.list_tags_for_stream(StreamName=stream)["Tags"]
    assert found == {"where": "yard", "floor": "Erdgeschoß"}
    control.untag_stream(StreamName=stream, TagKeyList=["floor"])
    assert control.list_tags_for_stream(StreamName=stream)["Tags"] == {"where": "yard"}
    more = {f"tag{number}": "" for number in range(50)}
    found = error_of(control.tag_stream, StreamName=stream, Tags=more)
    assert found[0] == "TagsPerResourceExceededLimitException"


def images(**changes):
    return {
        "Status": "ENABLED",
        "ImageSelectorType": "PRODUCER_TIMESTAMP",
        "DestinationConfig": {"Uri": "s3://pictures/frames", "DestinationRegion": "us-east-1"},
        "SamplingInterval": 1000,
        "Format": "JPEG",
        **changes,
    }


def test_image_generation_is_described_as_it_was_asked_for(control, stream):
    describe = control.describe_image_generation_configuration
    assert "ImageGenerationConfiguration" not in describe(StreamName=stream)
    asked = images(FormatConfig={"JPEGQuality": "70"}, WidthPixels=320, HeightPixels=240)
    update = control.update_image_generation_configuration
    update(StreamName=stream, ImageGenerationConfiguration=asked)
    assert describe(StreamName=stream)["ImageGenerationConfiguration"] == asked
    update(StreamName=stream)
    assert "ImageGenerationConfiguration" not in describe(StreamName=stream)


@pytest.mark.parametrize(
    "wrong",
    [
        {"SamplingInterval": 199},
        {"DestinationConfig": {"Uri": "https://a", "DestinationRegion": "us-east-1"}},
        {"DestinationConfig": {"Uri": "s3://a", "DestinationRegion": "eu-west-1"}},
        {"FormatConfig": {"JPEGQuality": "0"}},
        {"WidthPixels": 3841},
    ],
)
def test_image_generation_that_cannot_be_is_refused(control, stream, wrong):
    asked = {"StreamName": stream, "ImageGenerationConfiguration": images(**wrong)}
    found = error_of(control.update_image_generation_configuration, **asked)
    assert found == ("InvalidArgumentException", 400)


def test_image_generation_needs_retention(control):
    name = f"stream-{uuid.uuid4().hex[:8]}"
    arn = control.create_stream(StreamName=name)["StreamARN"]
    asked = {"StreamName": name, "ImageGenerationConfiguration": images()}
    found = error_of(control.update_image_generation_configuration, **asked)
    assert found == ("NoDataRetentionException", 400)
    control.delete_stream(StreamARN=arn)


def test_a_tier_is_noted_under_the_stream_s_version(control, stream):
    describe = control.describe_stream_storage_configuration
    before = describe(StreamName=stream)
    assert before["StreamStorageConfiguration"] == {"DefaultStorageTier": "HOT"}
    warm = {"StreamStorageConfiguration": {"DefaultStorageTier": "WARM"}}
    version = control.describe_stream(StreamName=stream)["StreamInfo"]["Version"]
    update = control.update_stream_storage_configuration
    update(StreamName=stream, CurrentVersion=version, **warm)
    after = describe(StreamARN=before["StreamARN"])
    assert after["StreamStorageConfiguration"] == {"DefaultStorageTier": "WARM"}
    late = error_of(update, StreamName=stream, CurrentVersion=version, **warm)
    assert late == ("VersionMismatchException", 400)
