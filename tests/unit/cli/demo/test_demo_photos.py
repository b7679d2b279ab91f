"""The demo's photos: what `--person` takes, and the check before anything is deployed."""

from pathlib import Path

import boto3
import pytest

from cli.demo.enroll import check_photos
from cli.demo.photos import parse_people, without
from cli.errors import InputError
from tests.support.records.drawn_faces import RED, draw
from tests.support.records.photo_rekognition import PhotoRekognition, face_detail

FACE = (0.4, 0.2, 0.2, 0.3)


class Laptop:
    """A laptop AWS with nothing deployed."""

    def __init__(self):
        self.s3 = boto3.client("s3")
        self.rekognition = PhotoRekognition(self.s3)

    def client(self, service):
        return {"s3": self.s3, "rekognition": self.rekognition}[service]


@pytest.fixture
def laptop(aws):
    return Laptop()


@pytest.fixture
def photo(tmp_path):
    """Write a photo and give its path."""

    def write(name="zoe.jpg", content=None):
        path: Path = tmp_path / name
        path.write_bytes(draw((FACE, RED)) if content is None else content)
        return path

    return write


def test_a_good_photo_is_not_refused_and_leaves_nothing(laptop, photo):
    people = parse_people([f"Zoë={photo()}"])
    assert check_photos(laptop, people) == []
    assert laptop.s3.list_buckets()["Buckets"] == []


@pytest.mark.parametrize(
    ("detail", "reason"),
    [
        ([], "No face was found"),
        ([face_detail(), face_detail(left=0.1)], "2 faces were found"),
        ([face_detail(height=0.1)], "too small: 48 pixels high, at least 50"),
        ([face_detail(confidence=40)], "No face was found"),
    ],
)
def test_a_bad_photo_ends_the_demo_with_the_words_of_the_function(laptop, photo, detail, reason):
    laptop.rekognition.detail["1.jpg"] = detail
    people = parse_people([f"Zoë={photo()}"])
    with pytest.raises(InputError, match=reason) as refused:
        check_photos(laptop, people)
    assert "zoe.jpg: " in str(refused.value) and "No photo of Zoë" in str(refused.value)
    assert laptop.s3.list_buckets()["Buckets"] == []


def test_a_face_in_the_background_is_no_second_one(laptop, photo):
    laptop.rekognition.detail["1.jpg"] = [face_detail(), face_detail(height=0.1, left=0.1)]
    assert check_photos(laptop, parse_people([f"Zoë={photo()}"])) == []


def test_a_photo_that_the_index_does_not_take_is_refused_before_the_deployment(laptop, photo):
    laptop.rekognition.poor = ["LOW_SHARPNESS"]
    with pytest.raises(InputError, match="the face is blurred"):
        check_photos(laptop, parse_people([f"Zoë={photo()}"]))


def test_a_bad_photo_beside_a_good_one_is_left_out(laptop, photo):
    laptop.rekognition.detail["2.jpg"] = []
    people = parse_people([f"Zoë={photo()}", f"Zoë={photo('wall.jpg')}"])
    refused = check_photos(laptop, people)
    assert [one.photo.path.name for one in refused] == ["wall.jpg"]
    assert [one.path.name for one in without(people, refused)["Zoë"]] == ["zoe.jpg"]


def test_the_content_makes_a_picture_and_not_the_name(photo):
    assert parse_people([f"Zoë={photo('zoe.jfif')}"])["Zoë"][0].key == "1.jfif"
    with pytest.raises(InputError, match="not a JPEG or PNG"):
        parse_people([f"Zoë={photo('notes.jpg', b'no picture')}"])


def test_an_empty_file_beside_a_good_photo_is_left_out(laptop, photo):
    people = parse_people([f"Zoë={photo()}", f"Zoë={photo('empty.jpg', b'')}"])
    assert [one.photo.path.name for one in check_photos(laptop, people)] == ["empty.jpg"]
