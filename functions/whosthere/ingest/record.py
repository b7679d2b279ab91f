"""Records: the JSON of one analysed frame, read strictly and only where it is needed.

The shape is Rekognition's own (Rekognition developer guide, "Reference: Kinesis face
recognition record"). A JSON Schema of it lies beside this module; it takes ten times
as long as reading and so serves only to say what is wrong with a rejected record.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from whosthere.errors import RecordError
from whosthere.geometry import Box
from whosthere.names import camera_of_arn


@dataclass(frozen=True, slots=True)
class Match:
    """A person whom a face resembles, and how much (0 to 100)."""

    person_id: str
    similarity: float
    face_id: str


@dataclass(frozen=True, slots=True)
class Face:
    """One detected face; `yaw` is how far the head is turned, in degrees."""

    box: Box
    confidence: float
    sharpness: float
    brightness: float
    yaw: float
    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """One analysed frame; `captured_ms` is the producer's clock, `server_ms` AWS's."""

    camera: str
    fragment: str
    offset_ms: int
    captured_ms: int
    server_ms: int
    faces: tuple[Face, ...]


@dataclass(frozen=True, slots=True)
class Received:
    """A frame as it came in: under which id, and when it had been recognised."""

    id: str
    frame: Frame
    recognised_ms: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of frames: why some failed, by their id, and what was counted.

    `last_ms` is when the last one that counted reached AWS, where that is of interest.
    """

    failed: dict[str, Exception]
    counts: Counter[str]
    last_ms: int = 0


def read_frame(record: Any, stack: str) -> Frame:
    """The frame of a record; raises RecordError if a field that is needed is not right."""
    try:
        return _frame(record, stack)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(explain(record) or f"{error}") from error


def explain(record: Any) -> str:
    """What the schema finds wrong with a record; empty if nothing."""
    # jsonschema takes 0.1 s to import and good records never need it
    from jsonschema import Draft202012Validator

    errors = Draft202012Validator(schema()).iter_errors(record)
    return "; ".join(
        f"{'.'.join(str(part) for part in error.absolute_path) or 'record'}: {error.message}"
        for error in sorted(errors, key=lambda error: str(error.absolute_path))
    )


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of a record, as a dict."""
    text = (Path(__file__).parent / "record.schema.json").read_text()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _frame(record: Mapping[str, Any], stack: str) -> Frame:
    video = record["InputInformation"]["KinesisVideo"]
    # In seconds first: the offset carries the noise of a 32-bit float
    # (0.0020000000949949026), and both clocks take the same offset.
    offset = _number(video["FrameOffsetInSeconds"])
    return Frame(
        camera=camera_of_arn(stack, _text(video["StreamArn"])),
        fragment=_text(video["FragmentNumber"]),
        offset_ms=round(1000 * offset),
        captured_ms=round(1000 * (_number(video["ProducerTimestamp"]) + offset)),
        server_ms=round(1000 * (_number(video["ServerTimestamp"]) + offset)),
        faces=tuple(_face(found) for found in _list(record["FaceSearchResponse"])),
    )


def _face(found: Mapping[str, Any]) -> Face:
    face = found["DetectedFace"]
    return Face(
        box=_box(face["BoundingBox"]),
        confidence=_number(face["Confidence"]),
        sharpness=_number(face["Quality"]["Sharpness"]),
        brightness=_number(face["Quality"]["Brightness"]),
        yaw=_number(face["Pose"]["Yaw"]),
        matches=tuple(_match(match) for match in _list(found["MatchedFaces"])),
    )


def _box(box: Mapping[str, Any]) -> Box:
    width, height = _number(box["Width"]), _number(box["Height"])
    if width <= 0 or height <= 0:
        raise ValueError("a face's box is empty")
    return Box(_number(box["Left"]), _number(box["Top"]), width, height)


def _match(match: Mapping[str, Any]) -> Match:
    face = match["Face"]
    face_id = _text(face["FaceId"])
    # Rekognition leaves ExternalImageId out when the face was indexed without one;
    # that is not our doing, but somebody known was seen all the same.
    person = _text(face.get("ExternalImageId") or face_id)
    return Match(person, _number(match["Similarity"]), face_id)


def _number(value: Any) -> float:
    if type(value) not in (float, int) or not math.isfinite(value):
        raise TypeError("a number is missing")
    return float(value)


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise TypeError("a list is missing")
    return value


def _text(value: Any) -> str:
    if type(value) is not str or not value:
        raise TypeError("a text is missing")
    return value
