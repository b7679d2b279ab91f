"""Collections: the vectors of enrolled faces, never their pictures."""

import os
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.rekognition.errors import RekognitionError, not_found
from local.rekognition.similarity import similarity

MODEL_VERSION = "7.0"
# Names a file whose text is the version of the face model from now on: a collection keeps the
# version that it was created with.
MODEL_SETTING = "REKOGNITION_FACE_MODEL_FILE"
MAX_MATCHES = 4096
_writing = threading.Lock()
_NAMES = uuid.UUID("7b1c7a52-6f2e-5a0e-9d0b-6f0f5a7c2b11")


@dataclass(frozen=True, slots=True)
class Face:
    """One enrolled face; the box is the one in its photo."""

    face_id: str
    image_id: str
    external_image_id: str | None
    box: dict[str, float]
    confidence: float
    vector: tuple[float, ...]
    model: str = MODEL_VERSION

    def as_dict(self) -> dict[str, Any]:
        """Return the face in the API's form."""
        shown: dict[str, Any] = {
            "FaceId": self.face_id,
            "BoundingBox": self.box,
            "ImageId": self.image_id,
            "Confidence": self.confidence,
            "IndexFacesModelVersion": self.model,
        }
        if self.external_image_id is not None:
            shown["ExternalImageId"] = self.external_image_id
        return shown


def newest_model() -> str:
    """Return the version of the face model that a new collection gets."""
    path = Path(os.environ.get(MODEL_SETTING, os.devnull))
    return (path.read_text().strip() if path.exists() else "") or MODEL_VERSION


@dataclass(frozen=True, slots=True)
class Match:
    """An enrolled face and its similarity to the searched one."""

    similarity: float
    face: Face

    def as_dict(self) -> dict[str, Any]:
        """Return the match in the API's form."""
        return {"Similarity": self.similarity, "Face": self.face.as_dict()}


@dataclass(slots=True)
class Collection:
    """A named set of enrolled faces, in the order they were enrolled."""

    name: str
    arn: str
    created: float = field(default_factory=time.time)
    tags: dict[str, str] = field(default_factory=dict)
    faces: dict[str, Face] = field(default_factory=dict)
    model: str = field(default_factory=newest_model)

    def add(self, face: Face) -> None:
        """Enroll a face; the same face of the same photo is stored once."""
        with _writing:  # readers keep the old dict
            self.faces = {**self.faces, face.face_id: face}

    def remove(self, face_ids: Iterable[str]) -> list[str]:
        """Delete faces and return the ids that existed."""
        with _writing:
            gone = [face_id for face_id in dict.fromkeys(face_ids) if face_id in self.faces]
            self.faces = {key: face for key, face in self.faces.items() if key not in gone}
        return gone

    def search(
        self, vector: Sequence[float], *, threshold: float, most: int = MAX_MATCHES, but: str = ""
    ) -> list[Match]:
        """Return the enrolled faces above a similarity, the most similar first."""
        matches = [
            Match(similarity(vector, face.vector), face)
            for face in self.faces.values()
            if face.face_id != but
        ]
        matches = [match for match in matches if match.similarity >= threshold]
        return sorted(matches, key=lambda match: -match.similarity)[:most]


class Collections:
    """All collections of the account."""

    def __init__(self, arn_prefix: str) -> None:
        """Start without collections."""
        self._arn_prefix = arn_prefix
        self._all: dict[str, Collection] = {}

    def create(self, name: str, tags: dict[str, str]) -> Collection:
        """Create an empty collection."""
        made = Collection(name, self.arn(name), tags=tags)
        if self._all.setdefault(name, made) is not made:
            raise RekognitionError(
                "ResourceAlreadyExistsException", f"The collection id: {name} already exists"
            )
        return made

    def arn(self, name: str) -> str:
        """Return the ARN of a collection's name, whether or not it exists."""
        return f"{self._arn_prefix}:collection/{name}"

    def get(self, name: str) -> Collection:
        """Return the collection of that name, or raise ResourceNotFoundException."""
        found = self._all.get(name)
        if found is None:
            raise not_found(f"The collection id: {name} does not exist")
        return found

    def delete(self, name: str) -> None:
        """Delete a collection and all its faces."""
        self.get(name)
        self._all.pop(name, None)  # another request may have deleted it

    def names(self) -> list[str]:
        """Return the names, sorted."""
        return sorted(self._all)

    def clear(self) -> None:
        """Delete all collections."""
        self._all.clear()


def image_id(digest: str) -> str:
    """Return the id of a picture, given the digest of its bytes."""
    return str(uuid.uuid5(_NAMES, f"{MODEL_VERSION}/{digest}"))


def face_id(
    digest: str, box: dict[str, float], external_image_id: str | None, collection: str = ""
) -> str:
    """Return the id of a face, the same for the same face, picture, external id and collection."""
    place = "/".join(f"{box[side]:.6f}" for side in ("Left", "Top", "Width", "Height"))
    name = f"{MODEL_VERSION}/{digest}/{place}/{external_image_id}/{collection}"
    return str(uuid.uuid5(_NAMES, name))
