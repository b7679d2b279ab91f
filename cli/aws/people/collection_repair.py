"""Make the collection of people agree with the photos' rows, face by face, while it serves."""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import batched
from typing import TYPE_CHECKING

from cli.aws.target import Target
from whosthere.dynamodb import RowChangedError, Table
from whosthere.people import photo_keys, photo_store, store
from whosthere.people.collections import collection_name, read_collections
from whosthere.people.differences import find_differences, send_keys
from whosthere.people.photo_store import PhotoRow

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient

# A face is added before its row is written: what has no row for longer than an invocation of
# `reconcile_object` may last is nobody's.
GRACE_SECONDS = 90
POLL_SECONDS = 1
GIVE_UP_SECONDS = 600
MOST_DELETED = 4096  # Rekognition, DeleteFaces: FaceIds


@dataclass(frozen=True, slots=True)
class CollectionCheck:
    """What differs: photos whose face is missing, and faces that belong to no photo."""

    model: str
    faces: int
    lost: list[tuple[str, PhotoRow]]
    strays: frozenset[str]


def check_collection(target: Target) -> CollectionCheck:
    """Compare the collection with the rows of all photos."""
    rekognition = target.session.client("rekognition")
    number = read_collections(target.table()).in_use
    collection = collection_name(target.output("PeopleCollectionId"), number)
    faces = _faces(rekognition, collection)  # before the rows: a newer face has a row
    rows = list(photo_rows(target.table()))
    known = {face for _, row in rows for face in row.all_faces}
    found = rekognition.describe_collection(CollectionId=collection)
    return CollectionCheck(
        model=found["FaceModelVersion"],
        faces=len(faces),
        lost=[
            (person, row)
            for person, row in rows
            if row.face_id and row.faces.get(number) not in faces
        ],
        strays=frozenset(faces - known),
    )


def add_lost_faces(target: Target, check: CollectionCheck) -> int:
    """Have the photos whose face is missing enrolled again; return how many were sent.

    The photos that differ from their rows are sent too.
    """
    for person, row in check.lost:
        photo = photo_keys.parse_photo_key(row.key)
        try:
            if photo:
                photo_store.write_photo(target.table(), person, photo, replace(row, etag=""))
        except RowChangedError:
            continue  # it is enrolled again right now
    keys = find_differences(target.people())
    send_keys(target.session.client("sqs"), target.output("ObjectsQueueUrl"), keys)
    return len(keys)


def wait_for_faces(target: Target) -> bool:
    """Wait until every photo has been enrolled or refused; return whether that came about."""
    until = time.monotonic() + GIVE_UP_SECONDS
    while find_differences(target.people()):
        if time.monotonic() > until:
            return False
        time.sleep(POLL_SECONDS)
    return True


def delete_strays(target: Target, check: CollectionCheck) -> int:
    """Delete the faces that still belong to no photo after a while; return how many."""
    if not check.strays:
        return 0
    time.sleep(GRACE_SECONDS)
    strays: Collection[str] = check.strays & check_collection(target).strays
    rekognition = target.session.client("rekognition")
    for part in batched(sorted(strays), MOST_DELETED, strict=False):
        rekognition.delete_faces(CollectionId=target.people_collection(), FaceIds=list(part))
    return len(strays)


def _faces(rekognition: "RekognitionClient", collection: str) -> set[str]:
    pages = rekognition.get_paginator("list_faces").paginate(CollectionId=collection)
    return {face["FaceId"] for page in pages for face in page["Faces"]}


def photo_rows(table: Table) -> Iterator[tuple[str, PhotoRow]]:
    """Yield the rows of all photos, each with its person."""
    for person in store.persons(table):
        yield from ((person, row) for row in photo_store.read_photos(table, person))
