"""Stored media over HTTP: listed, fetched, as single frames and as one clip."""

import base64
import io
import uuid

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from tests.local.kinesisvideo_client import Film, Producer, frames_of, media_client, tags_of
from tests.unit.edge_films import brightness

START = 1_800_000_000
FRAGMENTS = 5
GAP = START + FRAGMENTS + 10


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return Film(tmp_path_factory.mktemp("film"))


@pytest.fixture(scope="module")
def stored(laptop, film):
    """A stream with five fragments of a second, and a sixth after a gap."""
    name = f"archive-{uuid.uuid4().hex[:8]}"
    control = laptop.client("kinesisvideo")
    arn = control.create_stream(StreamName=name, DataRetentionInHours=1)["StreamARN"]
    starts = [*range(START, START + FRAGMENTS), GAP]
    with Producer(laptop, name) as producer:
        parts = [film.fragment(start * 1000) for start in starts]
        acks = producer.send(film.header, *parts).end()
    assert acks[-1]["EventType"] == "PERSISTED"
    yield name
    control.delete_stream(StreamARN=arn)


@pytest.fixture(scope="module")
def archive(laptop):
    return media_client(laptop, "kinesis-video-archived-media")


def between(start, end, kind="PRODUCER_TIMESTAMP"):
    limits = {"StartTimestamp": start, "EndTimestamp": end}
    return {"FragmentSelectorType": kind, "TimestampRange": limits}


def starts_of(answer):
    return sorted(one["ProducerTimestamp"].timestamp() for one in answer["Fragments"])


def error_of(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def images_of(archive, stream, start, end, **more):
    asked = {
        "StreamName": stream,
        "ImageSelectorType": "PRODUCER_TIMESTAMP",
        "StartTimestamp": start,
        "EndTimestamp": end,
        "SamplingInterval": 200,
        "Format": "PNG",
        **more,
    }
    return archive.get_images(**asked)


def opened(image):
    return Image.open(io.BytesIO(base64.b64decode(image["ImageContent"])))


def frame_number(image):
    """Which of the film's frames an image shows."""
    shown = opened(image).convert("L")
    level = shown.getpixel((shown.width // 2, shown.height // 2 + 4))
    return min(range(10), key=lambda number: abs(brightness(number) - level))


def offset_of(image):
    return round(image["TimeStamp"].timestamp() - START, 3)


def test_a_fragment_is_listed_when_its_start_lies_in_the_range(archive, stored):
    found = archive.list_fragments(
        StreamName=stored, FragmentSelector=between(START + 1, START + 3)
    )
    assert starts_of(found) == [START + 1, START + 2, START + 3]
    assert {one["FragmentLengthInMilliseconds"] for one in found["Fragments"]} == {1000}
    narrow = between(START + 1.001, START + 1.999)
    assert starts_of(archive.list_fragments(StreamName=stored, FragmentSelector=narrow)) == []


def test_fragments_are_found_by_the_service_s_own_clock(archive, stored):
    nothing = archive.list_fragments(
        StreamName=stored, FragmentSelector=between(START, GAP, "SERVER_TIMESTAMP")
    )
    everything = archive.list_fragments(
        StreamName=stored, FragmentSelector=between(0, START - 1, "SERVER_TIMESTAMP")
    )
    assert (len(nothing["Fragments"]), len(everything["Fragments"])) == (0, 6)


def test_pages_hold_every_fragment_once(archive, stored):
    pages = archive.get_paginator("list_fragments").paginate(
        StreamName=stored,
        FragmentSelector=between(0, GAP),
        PaginationConfig={"PageSize": 2},
    )
    sizes, numbers = [], []
    for page in pages:
        sizes.append(len(page["Fragments"]))
        numbers += [one["FragmentNumber"] for one in page["Fragments"]]
    assert sizes == [2, 2, 2]
    assert len(set(numbers)) == 6


@pytest.mark.parametrize(
    "wrong",
    [{}, {"FragmentSelector": between(2, 1)}, {"NextToken": "bm90aGluZw=="}],
    ids=["no selector", "end before start", "a made-up token"],
)
def test_a_list_without_a_sensible_range_is_refused(archive, stored, wrong):
    found = error_of(archive.list_fragments, StreamName=stored, **wrong)
    assert found == ("InvalidArgumentException", 400)


def test_an_unknown_stream_has_nothing_to_list(archive):
    selector = between(0, 1)
    found = error_of(archive.list_fragments, StreamName="nothing", FragmentSelector=selector)
    assert found == ("ResourceNotFoundException", 404)


def test_named_fragments_come_in_the_order_asked_for(archive, stored):
    listed = archive.list_fragments(StreamName=stored, FragmentSelector=between(START, START + 1))
    numbers = [one["FragmentNumber"] for one in listed["Fragments"]][::-1]
    answer = archive.get_media_for_fragment_list(StreamName=stored, Fragments=[*numbers, "17"])
    ebml = bytes.fromhex("1a45dfa3")
    films = [ebml + part for part in answer["Payload"].read().split(ebml)[1:]]
    assert len(films) == 3
    tags = [tags_of(part) for part in films[:2]]
    assert [one["AWS_KINESISVIDEO_FRAGMENT_NUMBER"] for one in tags] == numbers
    assert {
        "AWS_KINESISVIDEO_SERVER_SIDE_TIMESTAMP",
        "AWS_KINESISVIDEO_PRODUCER_SIDE_TIMESTAMP",
    } <= (tags[0].keys())
    assert [len(frames_of(part)) for part in films[:2]] == [10, 10]
    assert b"AWS_KINESISVIDEO_EXCEPTION_ERROR_CODE" in films[2]


@pytest.mark.parametrize(
    ("asked", "frame", "shown"),
    [
        (0.3, 0.3, 3),
        (1.7, 1.7, 7),
        (2.3004, 2.3, 3),
        (2.2996, 2.3, 3),
        (3.34, 3.3, 3),
        (2.999, 3.0, 0),
    ],
)
def test_the_frame_nearest_to_the_start_is_given(archive, stored, asked, frame, shown):
    answer = images_of(archive, stored, START + asked, START + asked + 0.1)
    (image,) = answer["Images"]
    assert (offset_of(image), frame_number(image)) == (frame, shown)


def test_one_image_is_given_per_sampling_interval(archive, stored):
    answer = images_of(archive, stored, START + 1, START + 2)
    assert [offset_of(image) for image in answer["Images"]] == [1.0, 1.2, 1.4, 1.6, 1.8]
    assert [frame_number(image) for image in answer["Images"]] == [0, 2, 4, 6, 8]


def test_images_are_found_by_the_service_s_own_clock(archive, stored):
    selector = between(0, START - 1, "SERVER_TIMESTAMP")
    listed = archive.list_fragments(StreamName=stored, FragmentSelector=selector)["Fragments"]
    first = min(listed, key=lambda one: one["FragmentNumber"])["ServerTimestamp"].timestamp()
    kind = {"ImageSelectorType": "SERVER_TIMESTAMP"}
    image = images_of(archive, stored, first + 30, first + 31, **kind)["Images"][0]
    assert image["Error"] == "NO_MEDIA"
    image = images_of(archive, stored, first, first + 0.1, **kind)["Images"][0]
    assert image["TimeStamp"].timestamp() == pytest.approx(first, abs=0.005)


def test_where_there_is_no_media_the_image_says_so(archive, stored):
    answer = images_of(archive, stored, START + 4, GAP + 1, SamplingInterval=3000)
    found = [(offset_of(image), image.get("Error")) for image in answer["Images"]]
    assert found == [(4.0, None), (7.0, "NO_MEDIA"), (10.0, "NO_MEDIA"), (15.0, None)]


def test_an_image_has_the_size_asked_for(archive, stored):
    both = images_of(archive, stored, START, START, WidthPixels=20, HeightPixels=40)
    height = images_of(archive, stored, START, START, HeightPixels=96, Format="JPEG")
    assert opened(both["Images"][0]).size == (20, 40)
    assert opened(height["Images"][0]).size == (128, 96)
    assert opened(height["Images"][0]).format == "JPEG"


def test_images_come_in_pages_of_at_most_twenty_five(archive, stored):
    first = images_of(archive, stored, START, GAP, MaxResults=100)
    assert len(first["Images"]) == 25
    second = images_of(archive, stored, START, GAP, MaxResults=2, NextToken=first["NextToken"])
    assert [round(one["TimeStamp"].timestamp() - START, 1) for one in second["Images"]] == [
        5.0,
        5.2,
    ]


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"EndTimestamp": START + 300.1}, "InvalidArgumentException"),
        ({"EndTimestamp": START - 1}, "InvalidArgumentException"),
        ({"SamplingInterval": 199}, "InvalidArgumentException"),
        ({"FormatConfig": {"JPEGQuality": "101"}}, "InvalidArgumentException"),
        ({"WidthPixels": 100}, "ValidationException"),
        ({"NextToken": "AAAA"}, "InvalidArgumentException"),
    ],
)
def test_images_that_cannot_be_are_refused(archive, stored, wrong, name):
    limits = {"StartTimestamp": START, "EndTimestamp": START + 1}
    asked = {
        "StreamName": stored,
        "ImageSelectorType": "PRODUCER_TIMESTAMP",
        "Format": "JPEG",
        **limits,
        **wrong,
    }
    assert error_of(archive.get_images, **asked) == (name, 400)


def test_without_retention_there_are_no_images_and_no_clips(laptop, archive):
    control = laptop.client("kinesisvideo")
    name = f"archive-{uuid.uuid4().hex[:8]}"
    arn = control.create_stream(StreamName=name)["StreamARN"]
    with pytest.raises(archive.exceptions.NoDataRetentionException):
        images_of(archive, name, START, START + 1)
    with pytest.raises(archive.exceptions.NoDataRetentionException):
        archive.get_clip(StreamName=name, ClipFragmentSelector=between(START, START + 1))
    control.delete_stream(StreamARN=arn)


def test_a_clip_is_one_film_of_the_fragments_in_the_range(archive, stored):
    selector = between(START + 1, START + 2.5)
    answer = archive.get_clip(StreamName=stored, ClipFragmentSelector=selector)
    frames = frames_of(answer["Payload"].read())
    assert answer["ContentType"] == "video/mp4"
    assert [round(frame.time, 3) for frame in frames] == [number / 10 for number in range(20)]


def test_a_clip_of_nothing_is_not_found(archive, stored):
    selector = between(START - 100, START - 90)
    asked = {"StreamName": stored, "ClipFragmentSelector": selector}
    assert error_of(archive.get_clip, **asked) == ("ResourceNotFoundException", 404)
