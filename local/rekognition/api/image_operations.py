"""The operations on pictures: DetectFaces, IndexFaces, SearchFaces(ByImage), CompareFaces."""

import hashlib
from typing import Any

from local.rekognition.api.operation_context import Answer, OperationContext, Parameters
from local.rekognition.api.quality import passing, reasons
from local.rekognition.collections import (
    MAX_MATCHES,
    Collection,
    Face,
    face_id,
    image_id,
)
from local.rekognition.errors import invalid_parameter
from local.rekognition.similarity import similarity
from local.rekognition.worker.pool import MAX_FACES
from local.rekognition.worker.recent import Faces

DEFAULT_THRESHOLD = 80.0
NO_FACES = "There are no faces in the image. Should be at least 1."


def detect_faces(context: OperationContext, parameters: Parameters) -> Answer:
    """Detect all faces of a picture."""
    faces = context.faces(context.picture(parameters["Image"]))
    return {"FaceDetails": [_detail(face, parameters.get("Attributes", [])) for face in faces]}


def _detail(face: dict[str, Any], attributes: list[str]) -> dict[str, Any]:
    """Return the measured attributes of a face; ALL adds more landmarks.

    Nothing here can tell age, gender, emotions and the like, and nothing is made up: they are
    left out, also where they are asked for.
    """
    detail: dict[str, Any] = face["detail"]
    if "ALL" not in attributes:
        return detail
    return {**detail, "Landmarks": detail["Landmarks"] + face["more_landmarks"]}


def index_faces(context: OperationContext, parameters: Parameters) -> Answer:
    """Enroll the faces of a picture; report the reasons for the others."""
    collection = context.collections.get(parameters["CollectionId"])
    data = context.picture(parameters["Image"])
    faces = context.faces(data, vectors=MAX_FACES)
    level, most = parameters.get("QualityFilter", "AUTO"), parameters.get("MaxFaces", MAX_FACES)
    attributes = parameters.get("DetectionAttributes", [])
    kept = passing(faces, level)[:most]
    label = parameters.get("ExternalImageId")
    enrolled = [_enrolled(collection, face, data, label) for face in kept]
    for face in enrolled:
        collection.add(face)
    return {
        "FaceRecords": [
            {"Face": face.as_dict(), "FaceDetail": _detail(found, attributes)}
            for face, found in zip(enrolled, kept, strict=True)
        ],
        "UnindexedFaces": [
            {
                "Reasons": reasons(face, level) or ["EXCEEDS_MAX_FACES"],
                "FaceDetail": _detail(face, attributes),
            }
            for face in faces
            if face not in kept
        ],
        "FaceModelVersion": collection.model,
    }


def _enrolled(
    collection: Collection, face: dict[str, Any], data: bytes, external_image_id: str | None
) -> Face:
    digest = hashlib.sha256(data).hexdigest()
    box = face["detail"]["BoundingBox"]
    return Face(
        face_id=face_id(digest, box, external_image_id, collection.name),
        image_id=image_id(digest),
        external_image_id=external_image_id,
        box=box,
        confidence=face["detail"]["Confidence"],
        vector=tuple(face["vector"]),
        model=collection.model,
    )


def search_faces(context: OperationContext, parameters: Parameters) -> Answer:
    """Search the enrolled faces for matches of an enrolled face."""
    collection = context.collections.get(parameters["CollectionId"])
    searched = collection.faces.get(parameters["FaceId"])
    if searched is None:
        raise invalid_parameter("faceId was not found in the collection.")
    return {
        "SearchedFaceId": searched.face_id,
        **_matches(collection, searched.vector, parameters, but=searched.face_id),
    }


def search_faces_by_image(context: OperationContext, parameters: Parameters) -> Answer:
    """Search the enrolled faces for matches of the largest face in a picture."""
    collection = context.collections.get(parameters["CollectionId"])
    data = context.picture(parameters["Image"])
    faces = passing(context.faces(data, vectors=1)[:1], parameters.get("QualityFilter", "NONE"))
    if not faces:
        raise invalid_parameter(NO_FACES)
    detail = faces[0]["detail"]
    return {
        "SearchedFaceBoundingBox": detail["BoundingBox"],
        "SearchedFaceConfidence": detail["Confidence"],
        **_matches(collection, faces[0]["vector"], parameters),
    }


def _matches(collection: Collection, vector: Any, parameters: Parameters, but: str = "") -> Answer:
    matches = collection.search(
        vector,
        threshold=parameters.get("FaceMatchThreshold", DEFAULT_THRESHOLD),
        most=parameters.get("MaxFaces", MAX_MATCHES),
        but=but,
    )
    return {
        "FaceMatches": [match.as_dict() for match in matches],
        "FaceModelVersion": collection.model,
    }


def compare_faces(context: OperationContext, parameters: Parameters) -> Answer:
    """Compare the largest face of one picture with every face of another."""
    level = parameters.get("QualityFilter", "NONE")
    source = context.faces(context.picture(parameters["SourceImage"]), vectors=1)
    target = context.faces(context.picture(parameters["TargetImage"]), vectors=MAX_FACES)
    if not source:
        raise invalid_parameter()
    threshold = parameters.get("SimilarityThreshold", DEFAULT_THRESHOLD)
    compared = _compared(source[0]["vector"], passing(target, level))
    detail = source[0]["detail"]
    return {
        "SourceImageFace": {
            "BoundingBox": detail["BoundingBox"],
            "Confidence": detail["Confidence"],
        },
        "FaceMatches": [
            {"Similarity": alike, "Face": face} for alike, face in compared if alike >= threshold
        ],
        "UnmatchedFaces": [face for alike, face in compared if alike < threshold],
    }


def _compared(vector: Any, faces: Faces) -> list[tuple[float, dict[str, Any]]]:
    compared = [(similarity(vector, face["vector"]), face["detail"]) for face in faces]
    return sorted(compared, key=lambda one: -one[0])


OPERATIONS = {
    "DetectFaces": detect_faces,
    "IndexFaces": index_faces,
    "SearchFaces": search_faces,
    "SearchFacesByImage": search_faces_by_image,
    "CompareFaces": compare_faces,
}
