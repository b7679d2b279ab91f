"""Search a photo's faces among the people, without storing the photo anywhere."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from whosthere.dynamodb import Table
from whosthere.errors import PhotoRefusedError
from whosthere.geometry import Box
from whosthere.imaging import crop, to_jpeg
from whosthere.names import PHOTO_MARK
from whosthere.people import store
from whosthere.people.photos import check_photo, detect_faces
from whosthere.people.store import NAMELESS

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient

MAX_SIDE_PX = 1920  # large enough for a face in a crowd, and less than 5 MB (Image: Bytes)
MOST_MATCHES = 4096  # Rekognition, SearchFacesByImage: MaxFaces; each photo is one
MOST_FACES = 20  # each costs a search


@dataclass(frozen=True, slots=True)
class SearchedFace:
    """A face of a photo, and whom it resembles, most first, with the similarity in per cent."""

    box: Box
    likest: tuple[tuple[str, float], ...]


def search_photo(
    rekognition: "RekognitionClient", collection: str, table: Table, content: bytes
) -> list[SearchedFace]:
    """Return the faces of a photo from left to right; PhotoRefusedError if it cannot be used.

    SearchFacesByImage takes only the largest face of an image, so each face is cropped.
    """
    check_photo(content)
    image = _upright(content)
    found = [face["BoundingBox"] for face in detect_faces(rekognition, {"Bytes": image})]
    boxes = [Box(one["Left"], one["Top"], one["Width"], one["Height"]) for one in found]
    boxes = sorted(boxes, key=lambda box: -box.height)[:MOST_FACES]
    names: dict[str, str] = {}
    faces = []
    for box in boxes:
        part = crop(image, box, [other for other in boxes if other is not box]).face
        likest = _likest(table, _by_person(_search(rekognition, collection, part)), names)
        faces.append(SearchedFace(box, likest))
    return sorted(faces, key=lambda face: face.box.left)


def search_labels(
    rekognition: "RekognitionClient", collection: str, content: bytes, threshold: float
) -> list[str]:
    """Return the labels of faces that look like the largest one of a photo, which is only sent.

    Raises PhotoRefusedError if the photo shows no face.
    """
    check_photo(content)
    image = _upright(content)
    if not detect_faces(rekognition, {"Bytes": image}):
        raise PhotoRefusedError("No face was found in this photo.")
    found = _search(rekognition, collection, image, threshold)
    return sorted(label for label in found if label)


def _upright(content: bytes) -> bytes:
    """Return a photo as a JPEG of bounded size, turned as its EXIF data says."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX))
            return to_jpeg(upright)
    except Exception as error:  # Pillow raises OSError, SyntaxError, struct.error and others
        raise PhotoRefusedError("The photo is damaged. Save it as a JPEG or PNG.") from error


def _search(
    rekognition: "RekognitionClient", collection: str, face: bytes, threshold: float = 0
) -> dict[str, float]:
    """Return the highest similarity of the faces of each label."""
    try:
        answer = rekognition.search_faces_by_image(
            CollectionId=collection,
            Image={"Bytes": face},
            FaceMatchThreshold=threshold,
            MaxFaces=MOST_MATCHES,
        )
    except ClientError as error:
        # SearchFacesByImage answers so when it finds no face in the image.
        if error.response["Error"]["Code"] == "InvalidParameterException":
            return {}
        raise
    found: dict[str, float] = {}
    for match in answer["FaceMatches"]:
        label = match["Face"].get("ExternalImageId", "")
        found[label] = max(found.get(label, 0.0), match["Similarity"])
    return found


def _by_person(labels: dict[str, float]) -> dict[str, float]:
    """Return the highest similarity of each person's photos, by the id in their labels."""
    found: dict[str, float] = {}
    for label, similarity in labels.items():
        person = label.partition(PHOTO_MARK)[0]
        found[person] = max(found.get(person, 0.0), similarity)
    return found


def _likest(
    table: Table, found: Mapping[str, float], names: dict[str, str]
) -> tuple[tuple[str, float], ...]:
    """Return names and similarities, the highest first; `names` keeps what was read."""
    best: dict[str, float] = {}
    for person, similarity in found.items():
        if person not in names:
            names[person] = store.name_of(table, person)
        name = names[person]
        if name != NAMELESS:
            best[name] = max(best.get(name, 0.0), similarity)
    return tuple(sorted(best.items(), key=lambda one: -one[1]))
