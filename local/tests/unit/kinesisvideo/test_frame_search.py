"""GetImages finds the very frame, whatever the film: reordered, uneven, broken, too large."""

import base64
import io
import json

import av
import pytest
from botocore.loaders import Loader
from PIL import Image

from local.kinesisvideo.errors import KinesisVideoError
from local.kinesisvideo.media import frame_search
from local.kinesisvideo.store import images
from local.tests.support.kinesisvideo.plane import START, Plane, film
from local.tests.support.media import mkv
from local.tests.support.media.films import brightness

REORDERED = {"bf": "3", "b_strategy": "0", "sc_threshold": "0"}
UNEVEN = [0, 33, 67, 100, 104, 133, 200, 450, 451, 999]


@pytest.fixture
def plane(tmp_path):
    made = Plane(tmp_path)
    yield made
    made.service.stop()


def number(image):
    """Which of the film's frames an image shows."""
    shown = Image.open(io.BytesIO(base64.b64decode(image["ImageContent"]))).convert("L")
    level = shown.getpixel((shown.width // 2, shown.height // 2 + 4))
    return round((level - brightness(0)) / (brightness(1) - brightness(0)))


def image_at(plane, milliseconds):
    (image,) = plane.images(milliseconds, milliseconds)["Images"]
    return image


@pytest.mark.parametrize(
    ("times", "options"),
    [
        ([at * 100 for at in range(10)], REORDERED),
        ([at * 33 for at in range(10)], REORDERED),
        (UNEVEN, None),
        (UNEVEN, REORDERED),
    ],
    ids=["reordered", "thirty a second", "uneven", "uneven and reordered"],
)
def test_every_frame_is_found_by_its_own_time(plane, tmp_path, times, options):
    plane.put(film(tmp_path, times_ms=times, options=options))
    for expected, at in enumerate(times):
        # A frame's time as a record gives it: the fragment's, and an offset in seconds.
        seconds = START / 1000 + round(at / 1000, 3)
        image = image_at(plane, seconds * 1000)
        assert (number(image), round(image["TimeStamp"] * 1000) - START) == (expected, at)


def test_frames_are_found_across_fragments_by_both_clocks(plane, tmp_path):
    one = film(tmp_path, options=REORDERED)
    for second in range(3):
        plane.put(one, start=START - 86_400_000 + second * 1000)
        plane.now += 1
    for kind, start in (("PRODUCER", START - 86_400_000), ("SERVER", START)):
        kind = {"ImageSelectorType": f"{kind}_TIMESTAMP"}
        found = plane.images(start, start + 3000, SamplingInterval=300, **kind)["Images"]
        assert [number(image) for image in found] == [0, 3, 6, 9, 2, 5, 8, 1, 4, 7]
        assert [round(image["TimeStamp"] * 1000) - start for image in found] == list(
            range(0, 3000, 300)
        )


def broken(one, *at):
    """A film whose frames at some places, in decoding order, are noise."""
    with av.open(io.BytesIO(one)) as container:
        video = container.streams.video[0]
        packets = [(int(p.pts), bytes(p)) for p in container.demux(video) if p.pts is not None]
        private = bytes(video.codec_context.extradata)
    noise = b"\x00\x00\x00\x10" + b"\xff" * 16
    blocks = [mkv.block(t, noise if n in at else data) for n, (t, data) in enumerate(packets)]
    return mkv.header(mkv.track(private=private)) + mkv.cluster(0, *blocks)


def test_a_fragment_that_is_no_video_is_a_media_error(plane, tmp_path):
    plane.put(broken(film(tmp_path), *range(10)))
    plane.now += 1
    plane.put(film(tmp_path))
    found = plane.images(START, START + 2000, SamplingInterval=500)["Images"]
    assert [image.get("Error") for image in found] == ["MEDIA_ERROR", "MEDIA_ERROR", None, None]


def test_a_broken_frame_leaves_those_before_it(plane, tmp_path):
    plane.put(broken(film(tmp_path), 9))
    found = plane.images(START, START + 1000, SamplingInterval=300)["Images"]
    assert [image.get("Error") for image in found][:3] == [None, None, None]
    assert found[3].get("Error") in (None, "MEDIA_ERROR")  # as the decoder conceals it


def test_a_hole_is_said_to_be_one(plane, tmp_path):
    plane.put(film(tmp_path))
    found = plane.images(START - 1000, START + 2000, SamplingInterval=500)["Images"]
    errors = [image.get("Error") for image in found]
    assert errors == ["NO_MEDIA", "NO_MEDIA", None, None, "NO_MEDIA", "NO_MEDIA"]
    assert [round(image["TimeStamp"] * 1000) - START for image in found] == list(
        range(-1000, 2000, 500)
    )


def test_an_image_too_large_for_an_answer_is_a_media_error(plane, tmp_path, monkeypatch):
    plane.put(film(tmp_path))
    size = len(image_at(plane, START)["ImageContent"])
    monkeypatch.setattr(frame_search, "MAX_IMAGE", size)
    assert len(image_at(plane, START)["ImageContent"]) == size
    monkeypatch.setattr(frame_search, "MAX_IMAGE", size - 4)
    assert image_at(plane, START)["Error"] == "MEDIA_ERROR"


def test_the_largest_image_is_that_of_aws_s_model():
    model = Loader().load_service_model("kinesis-video-archived-media", "service-2")
    assert model["shapes"]["ImageContent"]["max"] == frame_search.MAX_IMAGE


def test_an_answer_that_would_be_too_large_ends_early(plane, tmp_path, monkeypatch):
    plane.put(film(tmp_path))
    asked = {"SamplingInterval": 200, "Format": "JPEG"}
    whole = plane.images(START, START + 1000, **asked)["Images"]
    two = sum(len(json.dumps(image)) for image in whole[:2])
    monkeypatch.setattr(frame_search, "MAX_CALL", two)
    pages, token = [], {}
    while token is not None:
        page = plane.images(START, START + 1000, **asked, **token)
        pages.append(page["Images"])
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else None
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [image for page in pages for image in page] == whole


def test_a_frame_of_gigabytes_is_not_even_tried(plane, tmp_path, monkeypatch):
    plane.put(film(tmp_path))
    monkeypatch.setattr(images, "MAX_PIXELS", 64 * 48 - 1)
    assert image_at(plane, START)["Error"] == "MEDIA_ERROR"


def test_a_token_of_another_range_is_refused(plane, tmp_path):
    plane.put(film(tmp_path))
    page = plane.images(START, START + 10_000, SamplingInterval=200, MaxResults=20)
    with pytest.raises(KinesisVideoError) as caught:
        plane.images(START, START + 1000, SamplingInterval=200, NextToken=page["NextToken"])
    assert caught.value.code == "InvalidArgumentException"
