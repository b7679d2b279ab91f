"""Looks at photos before anything is deployed: a bad one is found in a second, not a minute."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from cli.demo.enroll import Refusal, nobody_left
from cli.demo.scenario import Photo
from cli.errors import InputError
from local.laptop import LaptopAWS

# Rekognition, "Guidelines and quotas": image bytes in a request; larger ones go through S3.
LARGEST_BYTES = 5 * 1024 * 1024
SMALLEST_SHARE = 0.05  # of the photo's height; a smaller face gives a poor vector

NO_FACE = "no face was found in it; take a photo that shows the face from the front, in good light"
TWO_FACES = "there are {count} faces in it; cut the photo so that only one is left"
TOO_SMALL = "the face in it is too small; cut the photo closer, or take one from nearer by"
NO_PICTURE = "it is damaged, or no JPEG or PNG; save the photo as .jpg and try again"


def check(laptop: LaptopAWS, people: Mapping[str, tuple[Photo, ...]]) -> list[Refusal]:
    """The photos that cannot enrol anybody; InputError if a person has no other."""
    rekognition = laptop.client("rekognition")
    bad: list[Refusal] = []
    useless: list[str] = []
    for name, photos in people.items():
        refused = [
            Refusal(photo, reason)
            for photo in photos
            if (reason := _reason(rekognition, photo.path.read_bytes()))
        ]
        if len(refused) == len(photos):
            useless.append(nobody_left(name, refused))
        bad += refused
    if useless:
        raise InputError("\n".join(useless))
    return bad


def _reason(rekognition: Any, content: bytes) -> str:
    if len(content) > LARGEST_BYTES:
        return ""  # enroll_photo will see
    try:
        faces = rekognition.detect_faces(Image={"Bytes": content})["FaceDetails"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in (
            "InvalidImageFormatException",
            "ImageTooLargeException",
        ):
            raise
        return NO_PICTURE
    if not faces:
        return NO_FACE
    if len(faces) > 1:
        return TWO_FACES.format(count=len(faces))
    return TOO_SMALL if faces[0]["BoundingBox"]["Height"] < SMALLEST_SHARE else ""


def without(
    people: Mapping[str, tuple[Photo, ...]], refused: list[Refusal]
) -> dict[str, tuple[Photo, ...]]:
    """The people with the photos that are left."""
    bad = {refusal.photo for refusal in refused}
    return {
        name: tuple(photo for photo in photos if photo not in bad)
        for name, photos in people.items()
    }
