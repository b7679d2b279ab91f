"""An image of the engine image-search with its faces, as the next image finds it in the table."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from whosthere.dynamodb import Attributes, Row
from whosthere.geometry import Box
from whosthere.imaging import Thumbnail

# The row has 400 KB (DynamoDB, Quotas): a face's matches, most alike first, and an image's faces.
MOST_MATCHES, MOST_DETECTED, MOST_NO_FACES = 10, 20, 10

type Detected = Mapping[str, Any]  # a record's `DetectedFace`


@dataclass(frozen=True, slots=True)
class FollowedFace:
    """A face where it was seen last, and the answer of its last search.

    `who` is the one person that it showed, empty for nobody; `matches` are those of a record.
    `agreed` is how many searches in a row gave this answer; 0 if it was unsure. `yaw`, `pitch`
    and `height` are those of the face that was searched.
    """

    box: Box
    seen_ms: int
    searched_ms: int
    yaw: float
    pitch: float
    height: float
    who: str
    agreed: int
    matches: Sequence[Any]


@dataclass(frozen=True, slots=True)
class FollowedImage:
    """The newest image of a camera, with the faces that are followed.

    `no_faces` are places that the camera, but not DetectFaces, takes for faces in this session: a
    lamp, a pattern. `detected` are the faces of the image that `thumbnail` shows, and DetectFaces
    was last called at `detected_ms`. Without a thumbnail the next image is not compared.
    """

    session: str
    captured_ms: int
    faces: tuple[FollowedFace, ...] = ()
    no_faces: tuple[Box, ...] = ()
    detected_ms: int = 0
    detected: Sequence[Detected] = ()
    thumbnail: Thumbnail | None = None

    def to_row(self) -> Attributes:
        """Return the image as a part of the row of tracks."""
        faces = [{**asdict(face), "box": face.box.to_row()} for face in self.faces]
        row: dict[str, Any] = {
            "session": self.session,
            "captured": self.captured_ms,
            "faces": json.dumps(faces),
        }
        if self.no_faces:
            row["noFaces"] = json.dumps([box.to_row() for box in self.no_faces])
        if self.thumbnail:
            row["detectedAt"], row["detected"] = self.detected_ms, json.dumps(self.detected)
            row["width"], row["thumbnail"] = self.thumbnail.width, self.thumbnail.levels
        return row

    @classmethod
    def from_row(cls, row: Row) -> "FollowedImage":
        """Return the image that `to_row` wrote."""
        faces = [
            FollowedFace(**{**face, "box": Box.from_row(face["box"])})
            for face in json.loads(row["faces"])
        ]
        no_faces = tuple(Box.from_row(box) for box in json.loads(row.get("noFaces", "[]")))
        image = cls(row["session"], int(row["captured"]), tuple(faces), no_faces)
        if "thumbnail" not in row:
            return image
        return replace(
            image,
            detected_ms=int(row["detectedAt"]),
            detected=json.loads(row["detected"]),
            thumbnail=Thumbnail(int(row["width"]), bytes(row["thumbnail"])),
        )


def newest(first: FollowedImage | None, second: FollowedImage | None) -> FollowedImage | None:
    """Return the image that was captured last, the first if both were at once."""
    if first is None or second is None:
        return first or second
    return second if second.captured_ms > first.captured_ms else first
