"""GetImages over HTTP: the right frames, in the form and the pages that were asked for."""

import base64
import io

import pytest
from PIL import Image

from local.tests.support.kinesisvideo.archive import GAP, START, error_of, images_of
from local.tests.support.media.films import brightness


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


def test_one_image_is_given_per_sampling_interval(archive, stored):
    answer = images_of(archive, stored, START + 1, START + 2)
    assert [offset_of(image) for image in answer["Images"]] == [1.0, 1.2, 1.4, 1.6, 1.8]
    assert [frame_number(image) for image in answer["Images"]] == [0, 2, 4, 6, 8]


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
