"""Who was taken for a person and is not: pictures under `people-not/<person id>/<file>`.

Their faces are a collection of their own. The person's row has the labels of the faces, so that
who alerts for the person knows that there are some. As with photos, what S3 holds counts.

people-not   <person id>/<file>   the face of a picture
"""

from dataclasses import dataclass

from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

from whosthere import dynamodb
from whosthere.dynamodb import RowChangedError, Table
from whosthere.errors import TryAgainError
from whosthere.people import photo_keys, store
from whosthere.people.differences import MOST_OBJECTS
from whosthere.people.ownership import People
from whosthere.strangers.collection import index_face
from whosthere.strangers.review_queue import GONE, StrangerFiles

PREFIX = "people-not/"
ROWS = "people-not"
STRANGER = "stranger"  # in the metadata of a picture: who it is of, for the owner's command
ADDED, REMOVED, UNCHANGED, IGNORED = "added", "removed", "unchanged", "ignored"
ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class LookAlikes:
    """The look-alikes of a stack's people; `files` has the bucket and their collection."""

    table: Table
    files: StrangerFiles
    salt: str


def folder_of(person: str) -> str:
    """Return the prefix of the keys of pictures of whoever was taken for that person."""
    return f"{PREFIX}{person}/"


def person_of_key(key: str) -> str | None:
    """Return the person's id in the key of a look-alike's picture; None if it is no such key."""
    parts = key.split("/")
    is_one = len(parts) == 3 and f"{parts[0]}/" == PREFIX and parts[1] and parts[2]
    return parts[1] if is_one else None


def reconcile_look_alike(look_alikes: LookAlikes, key: str) -> str:
    """Make row, collection and the person's row agree with what S3 holds under a key."""
    if person_of_key(key) is None:
        return IGNORED
    done = UNCHANGED
    for _ in range(ATTEMPTS):
        try:
            step = _reconcile_once(look_alikes, key)
        except RowChangedError:
            continue
        if step == UNCHANGED:
            return done
        done = step
    raise TryAgainError("the picture keeps changing")


def _reconcile_once(look_alikes: LookAlikes, key: str) -> str:
    table, files = look_alikes.table, look_alikes.files
    person, row_key = key.split("/")[1], {"pk": ROWS, "sk": key.removeprefix(PREFIX)}
    label = photo_keys.face_label(person, key, look_alikes.salt)
    row = dynamodb.read(table, row_key)
    content, etag = _read(files, key)
    if row and row["etag"] == etag:
        if row["faceId"]:  # also for a person who has got photos again
            store.note_look_alike(table, person, label)
        return UNCHANGED
    if row:
        store.drop_look_alike(table, person, label)
        if row["faceId"]:
            files.rekognition.delete_faces(CollectionId=files.collection, FaceIds=[row["faceId"]])
        dynamodb.write(table, dynamodb.delete(row_key, int(row["version"])))
        return REMOVED
    if not etag:
        return UNCHANGED
    face_id = index_face(files, content, label)
    dynamodb.write(table, dynamodb.put(row_key | {"etag": etag, "faceId": face_id}, 0))
    return ADDED


def _read(files: StrangerFiles, key: str) -> tuple[bytes, str]:
    """Return a picture and its ETag; empty ones if there is none."""
    try:
        answer = files.s3.get_object(Bucket=files.bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in GONE:
            return b"", ""
        raise
    return answer["Body"].read(), answer["ETag"]


def find_changed(people: People) -> list[str]:
    """Return the keys of look-alikes' pictures that rows do not agree with, sorted."""
    pages = people.s3.get_paginator("list_objects_v2").paginate(
        Bucket=people.bucket, Prefix=PREFIX, PaginationConfig={"MaxItems": MOST_OBJECTS}
    )
    etags = {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", ())}
    listed = {key: etag for key, etag in etags.items() if person_of_key(key)}
    rows = {f"{PREFIX}{row['sk']}": row for row in dynamodb.query(people.table, Key("pk").eq(ROWS))}
    changed = {key for key, etag in listed.items() if rows.get(key, {}).get("etag") != etag}
    if pages.resume_token is None:
        changed |= rows.keys() - listed.keys()
    noted = {label for one in store.read_people(people.table) for label in one.look_alikes}
    for key in listed.keys() - changed:
        label = photo_keys.face_label(key.split("/")[1], key, people.salt)
        if rows[key]["faceId"] and label not in noted:
            changed.add(key)
    return sorted(changed)
