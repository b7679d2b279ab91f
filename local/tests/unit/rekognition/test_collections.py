"""Collections in memory: searched and pruned."""

import pytest

from local.rekognition.collections import MODEL_SETTING, Collections, Face, face_id, image_id

BOX = {"Left": 0.1, "Top": 0.2, "Width": 0.3, "Height": 0.4}


def enrolled(name, place):
    """A face whose vector lies at a place on a line."""
    return Face(f"face-{name}", "image", name, BOX, 99.0, (place, *[0.0] * 127))


@pytest.fixture
def collections():
    made = Collections("arn:aws:rekognition:us-east-1:000000000000")
    people = made.create("people", {"team": "door"})
    for number in range(5):
        people.add(enrolled(str(number), number / 10))
    return made


def test_the_most_alike_come_first_and_only_as_many_as_asked(collections):
    found = collections.get("people").search([0.0] * 128, threshold=80, most=3)
    assert [match.face.external_image_id for match in found] == ["0", "1", "2"]


def test_nothing_below_the_threshold_is_found(collections):
    found = collections.get("people").search([0.0] * 128, threshold=99, most=100)
    assert [match.face.external_image_id for match in found] == ["0", "1", "2", "3", "4"]
    assert collections.get("people").search([9.0] * 128, threshold=1) == []


def test_removed_faces_are_found_no_more(collections):
    people = collections.get("people")
    assert people.remove(["face-0", "face-9", "face-0"]) == ["face-0"]
    assert "face-0" not in [match.face.face_id for match in people.search([0.0] * 128, threshold=0)]


def test_a_collection_keeps_the_model_that_it_was_created_with(collections, monkeypatch, tmp_path):
    monkeypatch.setenv(MODEL_SETTING, str(tmp_path / "model"))
    collections.create("before", {})
    (tmp_path / "model").write_text("8.0\n")
    collections.create("after", {})
    models = [collections.get(name).model for name in ("people", "before", "after")]
    assert models == ["7.0", "7.0", "8.0"]


def test_a_face_id_depends_on_picture_place_external_id_and_collection_only():
    moved = {**BOX, "Left": 0.5}
    same = face_id("digest", BOX, "zoe")
    assert same == face_id("digest", dict(BOX), "zoe")
    others = {
        face_id("other", BOX, "zoe"),
        face_id("digest", moved, "zoe"),
        face_id("digest", BOX, None),
        face_id("digest", BOX, "zoe", "people"),
        image_id("digest"),
    }
    assert same not in others
    assert len(others) == 5
