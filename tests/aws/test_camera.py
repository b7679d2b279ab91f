"""What a camera's video and images are like once they are on AWS; a camera has to send."""

import io
import statistics
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import av
import pytest
from av.video.frame import PictureType

from cli.aws.target import Target
from whosthere.ingest.camera_faces import TAG as FACES
from whosthere.ingest.camera_faces import camera_faces
from whosthere.ingest.image import PRODUCER
from whosthere.names import images_prefix, stream_name
from whosthere.session.health.first_image import EDGE, TAG

RECENT = timedelta(minutes=5)
MOST_READ = 30  # fragments that are read whole
SENDS_NOTHING = "the camera has sent nothing for five minutes: start it and run this again"
NO_IMAGE = "there is no image of the last day: run a session with Engine=image-search"


def _archive(target: Target, camera: str, call: str) -> Any:
    stream = stream_name(target.stack, camera)
    video = target.session.client("kinesisvideo")
    endpoint = video.get_data_endpoint(StreamName=stream, APIName=call)["DataEndpoint"]
    return target.session.client("kinesis-video-archived-media", endpoint_url=endpoint)


@pytest.fixture
def fragments(target: Target, camera: str) -> list[dict[str, Any]]:
    """The fragments that the camera sent lately, oldest first."""
    now = datetime.now(UTC)
    recent = {"StartTimestamp": now - RECENT, "EndTimestamp": now}
    found = _archive(target, camera, "LIST_FRAGMENTS").list_fragments(
        StreamName=stream_name(target.stack, camera),
        FragmentSelector={"FragmentSelectorType": "SERVER_TIMESTAMP", "TimestampRange": recent},
    )["Fragments"]
    if not found:
        pytest.skip(SENDS_NOTHING)
    return sorted(found, key=lambda fragment: fragment["ServerTimestamp"])


def _media(target: Target, camera: str, fragment: dict[str, Any]) -> bytes:
    media: bytes = (
        _archive(target, camera, "GET_MEDIA_FOR_FRAGMENT_LIST")
        .get_media_for_fragment_list(
            StreamName=stream_name(target.stack, camera), Fragments=[fragment["FragmentNumber"]]
        )["Payload"]
        .read()
    )
    return media


def test_fragments_arrive_soon(
    fragments: list[dict[str, Any]], answer: Callable[[str], None]
) -> None:
    """How long after its capture does Kinesis Video Streams receive a fragment?"""
    late = [
        (fragment["ServerTimestamp"] - fragment["ProducerTimestamp"]).total_seconds()
        for fragment in fragments
    ]
    length = statistics.median(one["FragmentLengthInMilliseconds"] for one in fragments) / 1000
    median = statistics.median(late)
    answer(
        f"{len(late)} fragments of {length:.1f} s: median {median:.1f} s, at most {max(late):.1f} s"
    )
    assert median < length + 5


def test_images_are_made_of_b_frames(
    target: Target, camera: str, fragments: list[dict[str, Any]], answer: Callable[[str], None]
) -> None:
    """Does Kinesis Video Streams make images of video with B-frames?"""
    newest = fragments[-1]
    with av.open(io.BytesIO(_media(target, camera, newest))) as container:
        kinds = [frame.pict_type for frame in container.decode(video=0)]
    if PictureType.B not in kinds:
        pytest.skip("the camera sends no B-frames: only one with --passthrough always may")
    start, length = newest["ProducerTimestamp"], newest["FragmentLengthInMilliseconds"]
    images = _archive(target, camera, "GET_IMAGES").get_images(
        StreamName=stream_name(target.stack, camera),
        ImageSelectorType="PRODUCER_TIMESTAMP",
        StartTimestamp=start,
        EndTimestamp=start + timedelta(milliseconds=length),
        SamplingInterval=200,
        Format="JPEG",
    )["Images"]
    errors = [image["Error"] for image in images if image.get("Error")]
    count = kinds.count(PictureType.B)
    answer(f"{count} of {len(kinds)} frames are B-frames; {len(images)} images, errors: {errors}")
    assert images and not errors


def test_a_fragment_keeps_its_tags_and_its_writer(
    target: Target, camera: str, fragments: list[dict[str, Any]], answer: Callable[[str], None]
) -> None:
    """Does GetMediaForFragmentList return the tags of a fragment, and the name of its producer?"""
    seen = [_media(target, camera, one) for one in fragments[-MOST_READ:]]
    tagged, named = sum(TAG in media for media in seen), sum(EDGE in media for media in seen)
    answer(f"of {len(seen)} fragments {tagged} have the tag, {named} the edge's name")
    if not tagged:
        pytest.skip("nothing moved: walk past the camera and run this again")
    assert named == len(seen)


@pytest.fixture
def images(target: Target, camera: str) -> list[str]:
    """The keys of the camera's images of the last day, without their prefix."""
    prefix = images_prefix(target.stack, camera)
    listed = target.session.client("s3").list_objects_v2(
        Bucket=target.output("BucketName"), Prefix=prefix
    )
    if not (keys := [found["Key"] for found in listed.get("Contents", ())]):
        pytest.skip(NO_IMAGE)
    return [key.removeprefix(prefix) for key in keys]


def test_a_camera_may_write_its_images(images: list[str], answer: Callable[[str], None]) -> None:
    """Does IAM fill in `${credentials-iot:ThingName}` for S3, so that a camera's images arrive?"""
    answer(f"{len(images)} images lie in the camera's folder")
    assert images


def test_an_image_has_the_faces_of_its_fragments_tag(
    target: Target, camera: str, images: list[str], answer: Callable[[str], None]
) -> None:
    """Do images have their fragment's tags as metadata, with `--tag face` where faces are?"""
    s3, bucket = target.session.client("s3"), target.output("BucketName")
    prefix = images_prefix(target.stack, camera)
    told = [s3.head_object(Bucket=bucket, Key=prefix + key)["Metadata"] for key in images[-20:]]
    tagged = [one for one in told if FACES in one]
    answer(f"of {len(told)} images {len(tagged)} say where the camera saw faces")
    if not tagged:
        pytest.skip("no image says so: run the edge with --tag face, and this again")
    read = [camera_faces(one, int(one[PRODUCER])) for one in tagged]
    answer(f"{len(read) - read.count(None)} of them of the image's time")
    assert len(read) > 2 * read.count(None)


def test_the_key_of_an_image_has_one_slash(
    images: list[str], answer: Callable[[str], None]
) -> None:
    """Does one slash stand between the destination's folder and the image's name?"""
    doubled = [key for key in images if key.startswith("/")]
    answer(f"{len(images) - len(doubled)} keys with one slash, {len(doubled)} with two")
    assert not doubled
