"""The one schema of a record: it takes what AWS documents, and strictly nothing else."""

import copy
import json
from pathlib import Path

import pytest

from tests.support.records.schema import complaints

DOCUMENTED = json.loads(
    (Path(__file__).parents[4] / "events" / "record.json").read_text()
)  # the developer guide's own example
OPTIONAL = {"ExternalImageId"}  # a face may be indexed without one


def walk(value, path=()):
    """Every place in a record, with its path."""
    yield path, value
    items = enumerate(value) if isinstance(value, list) else ()
    for key, one in value.items() if isinstance(value, dict) else items:
        yield from walk(one, (*path, key))


def at(record, path):
    for key in path:
        record = record[key]
    return record


PLACES = [path for path, _ in walk(DOCUMENTED) if path]
FIELDS = [path for path in PLACES if isinstance(path[-1], str)]
OBJECTS = [path for path, value in walk(DOCUMENTED) if isinstance(value, dict)]


def test_the_documented_example_is_a_record():
    assert complaints(DOCUMENTED) == []


def test_a_frame_without_faces_and_a_face_without_matches_are_records():
    assert complaints({**DOCUMENTED, "FaceSearchResponse": []}) == []
    changed = copy.deepcopy(DOCUMENTED)
    changed["FaceSearchResponse"][0]["MatchedFaces"] = []
    assert complaints(changed) == []


@pytest.mark.parametrize("path", FIELDS, ids=lambda path: ".".join(map(str, path)))
def test_each_documented_field_is_required_and_of_its_type(path):
    changed = copy.deepcopy(DOCUMENTED)
    del at(changed, path[:-1])[path[-1]]
    assert bool(complaints(changed)) == (path[-1] not in OPTIONAL)
    for wrong in (None, True, {"other": 1}, ["other"]):
        at(changed, path[:-1])[path[-1]] = wrong
        assert complaints(changed), wrong


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: ".".join(map(str, path)) or "record")
@pytest.mark.parametrize("name", ["UserId", "IndexFacesModelVersion", "AgeRange"])
def test_nothing_that_aws_does_not_document_is_in_a_record(path, name):
    changed = copy.deepcopy(DOCUMENTED)
    at(changed, path)[name] = "x"
    assert complaints(changed)
