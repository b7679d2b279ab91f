"""The owner decides by the AWS CLI, with engine stream-processor: what follows everywhere."""

import json
import time
import uuid

import pytest

from tests.support.page.seeded import pictures
from tests.support.records.alert_harness import face, match
from tests.support.records.data_stream import a_session, enrolled, frame, put, put_still, visit
from tests.support.records.waiting_strangers import aws_s3, put_stranger
from whosthere.clock import now_ms
from whosthere.people.store import read_person
from whosthere.strangers.store import read_stranger


@pytest.fixture(autouse=True)
def _no_stranger_is_known(product):
    """Other tests show the same drawn people."""
    rekognition, collection = product.client("rekognition"), f"{product.stack.name}-strangers"
    found = rekognition.list_faces(CollectionId=collection)["Faces"]
    if known := [one["FaceId"] for one in found]:
        rekognition.delete_faces(CollectionId=collection, FaceIds=known)


@pytest.fixture
def waiting(product):
    """A stranger who waits in the queue, with a face in the strangers' collection."""
    stranger, s3 = f"s-{uuid.uuid4().hex[:12]}", product.client("s3")
    picture = pictures()["s-1"] + stranger.encode()
    indexed = product.client("rekognition").index_faces(
        CollectionId=f"{product.stack.name}-strangers",
        Image={"Bytes": picture},
        ExternalImageId=stranger,
    )
    face_id = indexed["FaceRecords"][0]["Face"]["FaceId"]
    bucket = product.stack.bucket
    key = put_stranger(product.table, s3, bucket, stranger, picture, face_id=face_id)
    return stranger, key


def labels(product, collection):
    """Whose faces are in a collection of the stack."""
    name = f"{product.stack.name}-{collection}"
    found = product.client("rekognition").list_faces(CollectionId=name)["Faces"]
    return [one["ExternalImageId"] for one in found]


def keys(product, prefix):
    found = product.client("s3").list_objects_v2(Bucket=product.stack.bucket, Prefix=prefix)
    return [one["Key"] for one in found.get("Contents", ())]


def decisions(product, stranger):
    """What `decisions/` says about a stranger."""
    bodies = [
        product.client("s3").get_object(Bucket=product.stack.bucket, Key=key)["Body"].read()
        for key in sorted(keys(product, f"decisions/{stranger}"))
    ]
    return [json.loads(body)["decision"] for body in bodies]


def test_a_name_reaches_row_collections_and_the_next_alert_and_is_taken_back(
    product, waiting, wait_until
):
    stranger, key = waiting
    name, bucket = f"Xenia {stranger[-6:]}", product.stack.bucket
    photo = f"people/{name}/1.jpg"
    # The picture is moved only after this delay; by then the name is taken back.
    with a_session(product.table, discardDelaySeconds=600) as session:
        aws_s3(product.laptop, "cp", f"s3://{bucket}/{key}", f"s3://{bucket}/{photo}")
        wait_until(lambda: read_stranger(product.table, stranger).status == "named", 30)
        person = read_stranger(product.table, stranger).person
        (label,) = [one for one in labels(product, "people") if one.startswith(person)]
        assert labels(product, "strangers").count(stranger) == 1
        moment_ms = now_ms()
        put(product.laptop, *visit(label, moment_ms, moment_ms + 400))
        told = []
        wait_until(lambda: told.extend(product.messages()) or told, 30)
        assert [(one["kind"], one["name"]) for one in told] == [("person", name)]
        assert told[0]["session"] == session.id
    aws_s3(product.laptop, "rm", f"s3://{bucket}/{photo}")
    wait_until(lambda: read_stranger(product.table, stranger).status == "pending", 30)
    wait_until(lambda: label not in labels(product, "people"), 30)
    assert keys(product, f"review/pending/{stranger}/") == [key]
    assert decisions(product, stranger) == ["named", "pending"]


def come(product, folder, picture, *matches):
    """Let somebody be seen by camera and processor: a picture, and whom the face matches."""
    moment_ms = now_ms()
    put_still(product.laptop, folder, picture, moment_ms)
    found = product.client("rekognition").detect_faces(Image={"Bytes": picture})["FaceDetails"]
    box = tuple(found[0]["BoundingBox"][side] for side in ("Left", "Top", "Width", "Height"))
    seen = face(*matches, box=box)
    put(product.laptop, *(frame(moment_ms + after_ms, seen) for after_ms in (0, 400)))


def test_who_was_taken_for_her_is_a_stranger_and_she_again_once_that_is_undone(
    product, wait_until, tmp_path
):
    s3, bucket = product.client("s3"), product.stack.bucket
    person = enrolled(product.table, "Xenia")
    key, him = f"people-not/{person}/him.jpg", pictures()["s-1b"]

    def told():
        """The alert of his next visit, in which he is taken for her."""
        come(product, tmp_path, him, match(person, 91.0))
        alerts = []
        wait_until(lambda: alerts.extend(product.messages()) or alerts, 30)
        (alert,) = alerts
        return alert

    with a_session(product.table, gapSeconds=1):
        s3.put_object(Bucket=bucket, Key=key, Body=pictures()["s-1"])
        wait_until(lambda: read_person(product.table, person).look_alikes, 30)
        alert = told()
        assert alert["kind"] == "stranger"
        assert keys(product, f"review/pending/{alert['stranger']}/")
        assert alert["stranger"] in labels(product, "strangers")
        s3.delete_object(Bucket=bucket, Key=key)
        wait_until(lambda: not read_person(product.table, person).look_alikes, 30)
        time.sleep(1)  # the gap
        assert told()["name"] == "Xenia"


def test_a_folder_that_is_moved_and_then_deleted_is_ignored_and_then_forgotten(
    product, waiting, wait_until, tmp_path
):
    stranger, _ = waiting
    pending, ignored = (
        f"s3://{product.stack.bucket}/review/{status}/{stranger}/"
        for status in ("pending", "ignored")
    )
    with a_session(product.table, discardDelaySeconds=1):
        aws_s3(product.laptop, "mv", "--recursive", pending, ignored)
        wait_until(lambda: read_stranger(product.table, stranger).status == "ignored", 30)
        assert labels(product, "strangers").count(stranger) == 1
        come(product, tmp_path, pictures()["s-1b"])
        time.sleep(1.5)  # longer than a deletion takes to count
        wait_until(lambda: read_stranger(product.table, stranger).visits == 1, 30)
        assert read_stranger(product.table, stranger).status == "ignored"
        assert product.messages() == []
        aws_s3(product.laptop, "rm", "--recursive", ignored)
        wait_until(lambda: read_stranger(product.table, stranger) is None, 30)
    assert stranger not in labels(product, "strangers")
    assert keys(product, f"review/ignored/{stranger}/") == []
    assert decisions(product, stranger) == ["ignored", "discarded"]
