"""GetImages over HTTP: the right frames, in the form and the pages that were asked for."""

import base64
import io
import uuid

import av
import pytest
from PIL import Image

from local.tests.support import mkv_bytes as mkv
from local.tests.support.films import brightness, draw
from local.tests.support.kinesisvideo_archive import GAP, START, between, error_of, images_of
from local.tests.support.kinesisvideo_client import Producer

REORDERED = {"bf": "3", "b_strategy": "0", "sc_threshold": "0", "g": "10", "flags": "+cgop"}


def opened(image):
    return Image.open(io.BytesIO(base64.b64decode(image["ImageContent"])))


def frame_number(image, frames=10):
    """Which of the film's frames an image shows."""
    shown = opened(image).convert("L")
    level = shown.getpixel((shown.width // 2, shown.height // 2 + 4))
    return min(range(frames), key=lambda number: abs(brightness(number) - level))


def offset_of(image):
    return round(image["TimeStamp"].timestamp() - START, 3)


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


def test_every_frame_of_a_film_with_reordered_frames_is_found(laptop, archive, tmp_path):
    path = draw(tmp_path / "film.mkv", frames=30, options=REORDERED)
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        private = bytes(video.codec_context.extradata)
        packets = [(p.pts, p.is_keyframe, bytes(p)) for p in container.demux(video) if p.size]
    assert [at for at, _, _ in packets] != sorted(at for at, _, _ in packets)
    starts = [number for number, (_, is_key, _) in enumerate(packets) if is_key]
    assert len(starts) == 3
    parts = [mkv.header(mkv.track(private=private))]
    for first, end in zip(starts, [*starts[1:], len(packets)], strict=True):
        at = packets[first][0]
        blocks = [mkv.block(time - at, data) for time, _, data in packets[first:end]]
        parts.append(mkv.cluster(START * 1000 + at, *blocks))
    control, name = laptop.client("kinesisvideo"), f"frames-{uuid.uuid4().hex[:8]}"
    arn = control.create_stream(StreamName=name, DataRetentionInHours=1)["StreamARN"]
    with Producer(laptop, name) as producer:
        assert producer.send(*parts).end()[-1]["EventType"] == "PERSISTED"
    shown = {}
    for begin in (0, 0.1):
        for image in images_of(archive, name, START + begin, START + 3)["Images"]:
            shown[offset_of(image)] = frame_number(image, 30)
    assert shown == {number / 10: number for number in range(30)}
    control.delete_stream(StreamARN=arn)


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


def test_a_lower_quality_makes_a_smaller_image(archive, stored):
    sizes = [
        len(
            images_of(
                archive, stored, START, START,
                Format="JPEG", FormatConfig={"JPEGQuality": quality}, **large,
            )["Images"][0]["ImageContent"]
        )
        for large in [{"WidthPixels": 640, "HeightPixels": 480}]
        for quality in ("1", "80", "100")
    ]  # fmt: skip
    assert sizes[0] < sizes[1] < sizes[2]


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
