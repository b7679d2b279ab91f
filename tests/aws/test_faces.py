"""How similar Rekognition finds the enrolled photos, and how fast it answers."""

import statistics
import time
from collections.abc import Callable

import pytest

from cli.aws.target import Target
from whosthere.names import PHOTO_MARK
from whosthere.people import photo_store, store
from whosthere.people.collections import read_collections

MOST_SEARCHES = 5


def test_photos_of_a_person_resemble_each_other(
    target: Target, answer: Callable[[str], None]
) -> None:
    """How similar are photos of one person and of two, and how long does a search take?"""
    table = target.table()
    number = read_collections(table).in_use  # `rebuild` leaves the ids of an older one in the rows
    photos = {
        person.id: [
            face
            for photo in photo_store.read_photos(table, person.id)
            if (face := photo.faces.get(number, ""))
        ]
        for person in store.read_people(table)
    }
    asked = [(person, faces[0]) for person, faces in photos.items() if len(faces) > 1]
    if not asked:
        pytest.skip("nobody is enrolled with two photos")
    own, others, seconds = [], [], []
    for person, face in asked[:MOST_SEARCHES]:
        began = time.monotonic()
        for label, similarity in _search(target, face):
            (own if label.partition(PHOTO_MARK)[0] == person else others).append(similarity)
        seconds.append(time.monotonic() - began)
    lowest, highest = min(own, default=0.0), max(others, default=0.0)
    answer(
        f"of one person at least {lowest:.1f} %, of two at most {highest:.1f} %; "
        f"a search took {statistics.median(seconds) * 1000:.0f} ms ({len(seconds)} searches)"
    )
    assert lowest > highest


def _search(target: Target, face: str) -> list[tuple[str, float]]:
    """Return labels and similarities of all other faces, as far as Rekognition lists them."""
    matches = target.session.client("rekognition").search_faces(
        CollectionId=target.people_collection(),
        FaceId=face,
        FaceMatchThreshold=0,
        MaxFaces=100,
    )["FaceMatches"]
    return [(match["Face"].get("ExternalImageId", ""), match["Similarity"]) for match in matches]
