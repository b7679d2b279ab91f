"""`./whosthere rebuild` when Rekognition has a newer face model: a second collection takes over."""

import json
from functools import wraps

import boto3
import pytest

from cli.aws.people import collection_switch
from cli.commands import enroll, forget, rebuild, who
from cli.errors import InputError
from cli.forget import removal
from tests.support.records.drawn_faces import BLUE, GREEN
from tests.support.stack.moto_target import BUCKET, running_session
from whosthere.people import photo_store, store
from whosthere.people.collections import PeopleCollections, read_collections
from whosthere.session.lock import unlock
from whosthere.session_store import latest_session

FIRST, SECOND = "whosthere-people", "whosthere-people.2"


@pytest.fixture
def people(cloud, verb, photo):
    """Two enrolled persons, and a model that is newer than their collection."""
    verb(enroll, "Alice", photo("1.jpg"))
    verb(enroll, "Beth", photo("2.jpg", BLUE))
    cloud.rekognition.model = "8.0"
    return cloud


def colours(cloud, collection):
    return sorted(seen for _, seen in cloud.rekognition.labels_of(collection).values())


def names(table):
    return {person.name for person in store.read_people(table)}


def rows_of(table):
    return [row for one in store.persons(table) for row in photo_store.read_photos(table, one)]


def has_moved(cloud, table):
    """Whether the second collection alone has all faces, and each row knows its own."""
    faces, rows = cloud.rekognition.labels_of(SECOND), rows_of(table)
    return (
        read_collections(table).all == (2,)
        and colours(cloud, FIRST) == []
        and sorted(row.faces[2] for row in rows) == sorted(faces)
        and cloud.rekognition.models[SECOND] == "8.0"
    )


def test_all_faces_move_to_the_newer_model_and_are_found(people, verb, table, photo):
    before = colours(people, FIRST)
    done = json.loads(verb(rebuild, "--yes", "--json")[1])
    assert (done["modelBefore"], done["model"], done["switched"]) == ("7.0", "8.0", True)
    assert (done["done"], done["missing"], done["deleted"]) == (True, 0, 0)
    assert has_moved(people, table) and colours(people, SECOND) == before
    assert "Beth 100 %" in verb(who, photo("3.jpg", BLUE))[1]
    verb(enroll, "Carol", photo("4.jpg", GREEN))
    assert len(people.rekognition.labels_of(SECOND)) == 3 and not people.rekognition.labels


def test_the_same_model_needs_no_second_collection(people, verb, table):
    people.rekognition.model = "7.0"
    assert "2 faces (model 7.0): 0 were missing, 0 photos" in verb(rebuild)[1]
    assert people.rekognition.others == {} and read_collections(table) == PeopleCollections()


def test_nothing_is_made_again_without_leave(people, verb, table):
    with pytest.raises(InputError, match="model 8.0, .* has 7.0. Its 2 photos .*0.01"):
        verb(rebuild)
    assert read_collections(table) == PeopleCollections() and people.rekognition.others == {}
    assert json.loads(verb(rebuild, "--yes", "--json")[1])["switched"]


def test_photos_that_come_and_go_meanwhile_are_right_in_both(people, verb, table, photo):
    s3, waits = boto3.client("s3"), iter(range(100))
    reconcile = people.sleep

    def meanwhile(seconds):
        wait = next(waits)
        if wait == 0:  # while the second one is built
            s3.upload_file(photo("3.jpg", GREEN), BUCKET, "people/Carol/3.jpg")
        reconcile(seconds)
        if wait == 0:
            assert GREEN in {*colours(people, FIRST)} & {*colours(people, SECOND)}
            s3.delete_object(Bucket=BUCKET, Key="people/Beth/2.jpg")
            reconcile(0)
            assert BLUE not in {*colours(people, FIRST)} | {*colours(people, SECOND)}

    people.clock.sleep = meanwhile
    verb(rebuild, "--yes")
    assert has_moved(people, table)
    assert names(table) == {"Alice", "Carol"}


def test_a_session_keeps_the_old_collection_until_it_ends(people, verb, table, photo):
    running_session(table)
    out = verb(rebuild, "--yes")[1]
    assert "session one still uses the old collection" in out
    verb(enroll, "Carol", photo("3.jpg", GREEN))  # whom the session shall know too
    assert colours(people, FIRST) == colours(people, SECOND) and len(colours(people, FIRST)) == 3
    assert read_collections(table).in_use == 2
    unlock(table, latest_session(table, "front-door"))
    verb(rebuild)
    assert has_moved(people, table)


def test_who_is_forgotten_goes_from_both(people, verb, table, monkeypatch):
    running_session(table)
    verb(rebuild, "--yes")
    monkeypatch.setattr(removal, "time", people.clock)
    verb(forget, "Alice", "--yes")
    assert colours(people, FIRST) == colours(people, SECOND) == [BLUE]


def test_photos_that_cannot_be_enrolled_keep_the_old_collection_in_use(people, verb, table):
    people.is_up = False
    code, out = verb(rebuild, "--yes")
    assert code == 1 and "2 photos are not in the second collection yet" in out
    assert read_collections(table).in_use == 1 and len(colours(people, FIRST)) == 2
    people.is_up = True
    verb(rebuild, "--yes")
    assert has_moved(people, table)


def test_a_photo_that_the_newer_model_refuses_is_told(people, verb, table):
    people.rekognition.poor = ["LOW_SHARPNESS"]
    assert json.loads(verb(rebuild, "--yes", "--json")[1])["done"]
    rows = rows_of(table)
    assert {row.status for row in rows} == {"refused"} and all(row.reason for row in rows)
    assert people.rekognition.labels_of(SECOND) == {} and not people.rekognition.labels


def test_a_photo_that_only_the_newer_model_refuses_is_told_after_the_switch(
    people, verb, table, photo
):
    real, reconcile, fresh = people.rekognition.index_faces, people.sleep, photo("3.jpg", GREEN)

    def index(*, CollectionId, Image, **given):
        if CollectionId == SECOND and "Carol" in Image["S3Object"]["Name"]:
            return {"FaceRecords": [], "UnindexedFaces": [{"Reasons": ["LOW_SHARPNESS"]}]}
        return real(CollectionId=CollectionId, Image=Image, **given)

    def meanwhile(seconds):
        boto3.client("s3").upload_file(fresh, BUCKET, "people/Carol/3.jpg")
        reconcile(seconds)

    people.rekognition.index_faces, people.clock.sleep = index, meanwhile
    assert json.loads(verb(rebuild, "--yes", "--json")[1])["done"]
    refused = [row.key for row in rows_of(table) if row.status == "refused"]
    assert refused == ["people/Carol/3.jpg"] and len(people.rekognition.labels_of(SECOND)) == 2


class KilledError(BaseException):
    """The process is gone."""


def deadly(monkeypatch, owner, name, countdown):
    """Die before or after a call, once the countdown has come to its end."""
    real = getattr(owner, name)

    @wraps(real)
    def call(*given, **named):
        if next(countdown) == 0:
            raise KilledError
        answer = real(*given, **named)
        if next(countdown) == 0:
            raise KilledError
        return answer

    monkeypatch.setattr(owner, name, call)


@pytest.mark.parametrize("number", range(12))
def test_a_rebuild_that_is_killed_is_completed_by_the_next(
    people, verb, table, number, monkeypatch
):
    before = colours(people, FIRST)
    with monkeypatch.context() as patch:
        countdown = iter(range(number, -1000, -1))
        for name in ("create_collection", "delete_collection"):
            deadly(patch, people.rekognition, name, countdown)
        deadly(patch, collection_switch, "write_collections", countdown)
        deadly(patch, collection_switch, "send_keys", countdown)
        with pytest.raises(KilledError):
            verb(rebuild, "--yes")
    assert colours(people, FIRST) == before or colours(people, SECOND) == before
    verb(rebuild, "--yes")
    assert has_moved(people, table) and colours(people, SECOND) == before
