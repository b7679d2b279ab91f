"""Requests and answers of every implemented operation, held against AWS's own models."""

import json
import time
import uuid

import pytest
from botocore.validate import ParamValidator

from tests.local.kinesisvideo_client import Film, Producer
from tests.local.kinesisvideo_raw import breaches, operations, send

MODELS = {name: (path, model, port) for name, path, model, port in operations()}
NOON = 1_800_000_000
RANGE = {"StartTimestamp": NOON, "EndTimestamp": NOON + 10}
IMAGES = {
    "Status": "ENABLED",
    "ImageSelectorType": "SERVER_TIMESTAMP",
    "DestinationConfig": {"Uri": "s3://bucket/folder", "DestinationRegion": "us-east-1"},
    "SamplingInterval": 3000,
    "Format": "JPEG",
    "FormatConfig": {"JPEGQuality": "90"},
    "WidthPixels": 320,
    "HeightPixels": 240,
}
TOPIC = {"Uri": "arn:aws:sns:us-east-1:000000000000:topic"}


@pytest.fixture(scope="module")
def call(laptop):
    """One operation, its request and its answer checked; streams of media have no shape."""

    def checked(name, **asked):
        path, model, port = MODELS[name]
        report = ParamValidator().validate(asked, model.input_shape)
        assert not report.has_errors(), report.generate_report()
        answer = send(laptop, port, path, json.dumps(asked).encode())
        assert answer.status == 200, answer.body
        if model.has_streaming_output:
            assert answer.headers["content-type"].startswith("video/")
            return answer.body
        assert list(breaches(model.output_shape, answer.document)) == []
        return answer.document

    return checked


@pytest.fixture(scope="module")
def stream(laptop, call, tmp_path_factory):
    """A stream with all that can be said of one, and three fragments, one not a film."""
    name = f"model-{uuid.uuid4().hex[:8]}"
    asked = {"DeviceName": "camera", "MediaType": "video/h264,audio/aac", "KmsKeyId": "alias/x"}
    asked |= {"DataRetentionInHours": 2, "Tags": {"where": "door"}}
    storage = {"DefaultStorageTier": "WARM"}
    arn = call("CreateStream", StreamName=name, StreamStorageConfiguration=storage, **asked)
    film = Film(tmp_path_factory.mktemp("film"))
    with Producer(laptop, name) as producer:
        parts = [film.fragment((NOON + second) * 1000) for second in range(3)]
        assert producer.send(film.header, *parts).end()[-1]["EventType"] == "PERSISTED"
    yield name
    call("DeleteStream", StreamARN=arn["StreamARN"])


def test_a_stream_is_described_with_all_that_was_said_of_it(call, stream):
    found = call("DescribeStream", StreamName=stream)["StreamInfo"]
    [listed] = [
        one
        for one in call("ListStreams", MaxResults=1000)["StreamInfoList"]
        if one["StreamName"] == stream
    ]
    assert found == listed
    assert {name: found[name] for name in ("DeviceName", "MediaType", "KmsKeyId", "Status")} == {
        "DeviceName": "camera",
        "MediaType": "video/h264,audio/aac",
        "KmsKeyId": "alias/x",
        "Status": "ACTIVE",
    }
    assert found["DataRetentionInHours"] == 2
    assert abs(found["CreationTime"] - time.time()) < 600
    assert call("ListTagsForStream", StreamName=stream)["Tags"] == {"where": "door"}


def test_the_operations_on_a_stream_answer_as_modelled(call, stream):
    def version():
        return call("DescribeStream", StreamName=stream)["StreamInfo"]["Version"]

    seen = [version()]
    call("UpdateStream", StreamName=stream, CurrentVersion=seen[-1], DeviceName="other")
    seen.append(version())
    change = {"Operation": "INCREASE_DATA_RETENTION", "DataRetentionChangeInHours": 1}
    call("UpdateDataRetention", StreamName=stream, CurrentVersion=seen[-1], **change)
    seen.append(version())
    storage = {"DefaultStorageTier": "HOT"}
    described = call("DescribeStreamStorageConfiguration", StreamName=stream)
    assert described["StreamStorageConfiguration"] == {"DefaultStorageTier": "WARM"}
    call(
        "UpdateStreamStorageConfiguration",
        StreamName=stream, CurrentVersion=seen[-1], StreamStorageConfiguration=storage,
    )  # fmt: skip
    described = call("DescribeStreamStorageConfiguration", StreamARN=described["StreamARN"])
    assert described["StreamStorageConfiguration"] == storage
    seen.append(version())
    assert len(set(seen)) == 4
    call("TagStream", StreamName=stream, Tags={"floor": "1"})
    call("UntagStream", StreamName=stream, TagKeyList=["floor", "nothing"])


def test_configurations_are_described_as_they_were_asked_for(call, stream):
    for kind, asked in (
        ("ImageGeneration", IMAGES),
        ("Notification", {"Status": "DISABLED", "DestinationConfig": TOPIC}),
    ):
        name = f"{kind}Configuration"
        assert call(f"Describe{name}", StreamName=stream) == {}
        call(f"Update{name}", StreamName=stream, **{name: asked})
        assert call(f"Describe{name}", StreamName=stream) == {name: asked}
        call(f"Update{name}", StreamName=stream)
        assert call(f"Describe{name}", StreamName=stream) == {}


def test_every_kind_of_endpoint_is_the_media_plane(laptop, call, stream):
    for name in MODELS["GetDataEndpoint"][1].input_shape.members["APIName"].enum:
        found = call("GetDataEndpoint", StreamName=stream, APIName=name)["DataEndpoint"]
        assert found == laptop.facts["media_endpoint"]


def test_the_archive_answers_as_modelled(call, stream):
    selector = {"FragmentSelectorType": "PRODUCER_TIMESTAMP", "TimestampRange": RANGE}
    page = call("ListFragments", StreamName=stream, FragmentSelector=selector, MaxResults=2)
    rest = call("ListFragments", StreamName=stream, NextToken=page["NextToken"])
    found = [*page["Fragments"], *rest["Fragments"]]
    assert len(found) == 3
    for one in found:
        assert set(one) == set(
            MODELS["ListFragments"][1].output_shape.members["Fragments"].member.members
        )
        assert one["FragmentLengthInMilliseconds"] == 1000
    numbers = [one["FragmentNumber"] for one in found]
    media = call("GetMediaForFragmentList", StreamName=stream, Fragments=numbers)
    assert len(media) >= sum(one["FragmentSizeInBytes"] for one in found)
    clip = call("GetClip", StreamName=stream, ClipFragmentSelector=selector)
    assert clip[4:8] == b"ftyp"
    asked = {"ImageSelectorType": "PRODUCER_TIMESTAMP", "Format": "JPEG", **RANGE}
    images = call("GetImages", StreamName=stream, SamplingInterval=1000, MaxResults=4, **asked)
    assert [image.get("Error") for image in images["Images"]] == [None, None, None, "NO_MEDIA"]
    assert images["NextToken"]
