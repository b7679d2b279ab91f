"""The strangers' own face collection: their faces are never in the people's."""

from collections.abc import Iterable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from whosthere.errors import is_permanent
from whosthere.strangers.review_queue import StrangerFiles

# A face as alike as this is the same picture's: a retry has found what it had indexed.
SAME = 99.9


@dataclass(frozen=True, slots=True)
class FaceSearchResult:
    """The stranger a face is: the id, the face in the collection, and how alike they are."""

    stranger: str
    face_id: str
    similarity: float = 100.0


def search_or_index(
    files: StrangerFiles, face: bytes, stranger: str, threshold: float
) -> FaceSearchResult:
    """Return the known stranger with this face; if there is none, index it as `stranger`.

    It is idempotent: a retry finds the face.
    """
    found = _search(files, face, threshold)
    if found is not None:
        return found
    return FaceSearchResult(stranger, index_face(files, face, stranger))


def index_further_face(files: StrangerFiles, face: bytes, found: FaceSearchResult) -> str:
    """Return the id of another face of a stranger, by which he is found more often next time."""
    if found.similarity >= SAME:
        return found.face_id
    return index_face(files, face, found.stranger)


def index_face(files: StrangerFiles, face: bytes, stranger: str) -> str:
    """Return the id of the face in the collection; empty if Rekognition finds none to index."""
    try:
        answer = files.rekognition.index_faces(
            CollectionId=files.collection,
            Image={"Bytes": face},
            ExternalImageId=stranger,
            MaxFaces=1,
            QualityFilter="NONE",  # the quality gate has passed it
        )
    except ClientError as error:
        if is_permanent(error):  # the stranger is queued all the same
            return ""
        raise
    indexed = answer["FaceRecords"]
    return indexed[0]["Face"]["FaceId"] if indexed else ""


def delete_faces(files: StrangerFiles, face_ids: Iterable[str]) -> None:
    """Delete faces from the collection; those that are gone are no error."""
    if found := sorted(face_ids):
        files.rekognition.delete_faces(CollectionId=files.collection, FaceIds=found)


def _search(files: StrangerFiles, face: bytes, threshold: float) -> FaceSearchResult | None:
    try:
        answer = files.rekognition.search_faces_by_image(
            CollectionId=files.collection,
            Image={"Bytes": face},
            FaceMatchThreshold=threshold,
            MaxFaces=5,
        )
    except ClientError as error:
        # SearchFacesByImage answers so when it finds no face in the image.
        if is_permanent(error):
            return None
        raise
    matches = [match for match in answer["FaceMatches"] if match["Face"].get("ExternalImageId")]
    if not matches:
        return None
    best = max(matches, key=lambda match: match["Similarity"])
    known = best["Face"]
    return FaceSearchResult(known["ExternalImageId"], known["FaceId"], best["Similarity"])
