"""Records: the JSON of one analysed frame, read strictly and only where it is needed.

The shape is Rekognition's own (Rekognition developer guide, "Reference: Kinesis face
recognition record"). A JSON Schema of it lies beside this module; checking against it takes
ten times as long as reading, so it only explains why a record is rejected.
"""

import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whosthere.errors import RecordError
from whosthere.geometry import Box
from whosthere.names import PHOTO_MARK, camera_of_arn

if TYPE_CHECKING:
    from jsonschema import ValidationError

# The bounds of the schema, so that no arithmetic on a record fails later. Times are in seconds: the
# sum of two has 13 digits in milliseconds, as many as keys of visits have (the year 2286).
TIMES = (0, 4_999_999_999)
SIZES = (0.0001, 100)  # of a frame's width or height; the least is 1 in a row of the table
SHARES = (-1, 1)  # a face may lie partly outside the frame
DEGREES = (-180, 180)
PERCENT = (0, 100)
FACES = 100  # Rekognition, DetectFaces: the 100 largest faces
MATCHES = 4096  # Rekognition, SearchFaces: MaxFaces
# Ids become part of keys: a sort key has at most 1,024 bytes (DynamoDB, Quotas).
TEXT_BYTES = 1000
FRAGMENT_DIGITS = 128  # Kinesis Video Streams, GetMediaForFragmentList: Fragments
# How many of a record's faults a reason names.
FAULTS = 10


@dataclass(frozen=True, slots=True)
class Match:
    """A person whom a face resembles, and how much (0 to 100)."""

    person_id: str
    similarity: float


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
class AnalysedFrame:
    """One analysed frame: `captured_ms` by the camera's clock, the other times by AWS's.

    `id` names the record or image that it came in, `recognised_ms` is when that was written.
    """

    id: str
    camera: str
    fragment: str
    offset_ms: int
    captured_ms: int
    server_ms: int
    recognised_ms: int
    faces: tuple[Face, ...]


@dataclass(frozen=True, slots=True)
class ProcessingOutcome:
    """The result for a session's frames: errors by the id of the failed frame, and counts.

    `last_ms` is when the last frame that counted reached AWS, or 0.
    """

    failed: dict[str, Exception]
    counts: Counter[str]
    last_ms: int = 0


def read_frame(record: Any, stack: str, *, id: str, recognised_ms: int) -> AnalysedFrame:
    """Return the frame of a record; raise RecordError if a field that is needed is not right."""
    try:
        video = record["InputInformation"]["KinesisVideo"]
        arn, fragment = video["StreamArn"], video["FragmentNumber"]
        # In seconds first: the offset carries the noise of a 32-bit float
        # (0.0020000000949949026), and both clocks take the same offset.
        offset, producer, server = _checked(
            (video["FrameOffsetInSeconds"], video["ProducerTimestamp"], video["ServerTimestamp"]),
            (TIMES, TIMES, TIMES),
            texts=(arn, fragment),
        )
        faces = record["FaceSearchResponse"]
        if len(fragment) > FRAGMENT_DIGITS or type(faces) is not list or len(faces) > FACES:
            raise TypeError("the fragment's number or the list of faces is missing or too long")
        return AnalysedFrame(
            id=id,
            camera=camera_of_arn(stack, arn),
            fragment=fragment,
            offset_ms=round(1000 * offset),
            captured_ms=round(1000 * (producer + offset)),
            server_ms=round(1000 * (server + offset)),
            recognised_ms=recognised_ms,
            faces=tuple([_face(found) for found in faces]),
        )
    except Exception as error:  # whatever it is, no retry would mend the record
        raise RecordError(_reason(record, error)) from error


def _reason(record: Any, error: Exception) -> str:
    """Return why a record cannot be read: what the schema says, or else the error."""
    try:
        found = explain(record)
    except Exception:  # what breaks the reader may break whoever explains it
        found = ""
    return found or f"{error}"


def explain(record: Any) -> str:
    """Return what the schema finds wrong with a record, without its values; empty if nothing.

    A reason is kept also where nothing of a frame may be.
    """
    # jsonschema takes 0.1 s to import and good records never need it
    from jsonschema import Draft202012Validator

    errors = islice(Draft202012Validator(schema()).iter_errors(record), FAULTS)
    return "; ".join(sorted(_fault(error) for error in errors))


def _fault(error: "ValidationError") -> str:
    path = ".".join(str(part) for part in error.absolute_path) or "record"
    if error.validator == "required":
        return f"{path}: {error.message}"
    return f"{path}: {error.validator} has to be {error.validator_value}"


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of a record."""
    text = (Path(__file__).parent / "record.schema.json").read_text()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _face(found: Any) -> Face:
    face = found["DetectedFace"]
    box, quality, matches = face["BoundingBox"], face["Quality"], found["MatchedFaces"]
    left, top, width, height, confidence, sharpness, brightness, yaw = _checked(
        (
            box["Left"],
            box["Top"],
            box["Width"],
            box["Height"],
            face["Confidence"],
            quality["Sharpness"],
            quality["Brightness"],
            face["Pose"]["Yaw"],
        ),
        (SHARES, SHARES, SIZES, SIZES, PERCENT, PERCENT, PERCENT, DEGREES),
    )
    if type(matches) is not list or len(matches) > MATCHES:
        raise TypeError("the list of matches is missing or too long")
    matches = tuple([_match(match) for match in matches])
    return Face(Box(left, top, width, height), confidence, sharpness, brightness, yaw, matches)


def _match(match: Any) -> Match:
    face = match["Face"]
    # Rekognition leaves ExternalImageId out of a face that was indexed without one. Somebody
    # else indexed that face, but it still shows somebody known.
    person_id = face.get("ExternalImageId") or face["FaceId"]
    texts = face["FaceId"], person_id
    (similarity,) = _checked((match["Similarity"],), (PERCENT,), texts=texts)
    if PHOTO_MARK in person_id:
        person_id = person_id.split(PHOTO_MARK)[0] or face["FaceId"]
    return Match(person_id, similarity)


def _checked(
    numbers: tuple[Any, ...],
    bounds: tuple[tuple[float, float], ...],
    texts: tuple[Any, ...] = (),
) -> tuple[float, ...]:
    """Return the numbers as floats; raise TypeError if one of them or a text is not in bounds."""
    for number, (least, most) in zip(numbers, bounds, strict=True):
        if type(number) not in (float, int) or not least <= number <= most:
            raise TypeError("a number is missing or out of bounds")
    for text in texts:
        if type(text) is not str or not 0 < len(text.encode()) <= TEXT_BYTES:
            raise TypeError("a text is missing or too long")
    return tuple([float(number) for number in numbers])
