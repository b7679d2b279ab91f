"""Records: the JSON of one analysed frame, read strictly and only where it is needed.

The shape is Rekognition's own (Rekognition developer guide, "Reference: Kinesis face
recognition record"). A JSON Schema of it lies beside this module; checking against it takes
ten times as long as reading, so it only explains why a record is rejected.
"""

import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from whosthere.errors import RecordError
from whosthere.geometry import Box
from whosthere.names import PHOTO_MARK, camera_of_arn

# The bounds of the schema, so that no arithmetic on a record fails later. Times are in seconds:
# the sum of two is a date before the year 9999, the last one of Python and ISO 8601.
TIMES = (0, 100_000_000_000)
SIZES = (0.0001, 100)  # of a frame's width or height; the least is 1 in a row of the table
OTHERS = (-180, 180)  # percent, degrees, and shares: a face may lie partly outside the frame
# Ids become part of keys: a sort key has at most 1,024 bytes (DynamoDB, Quotas).
TEXT_BYTES = 1000


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
            TIMES,
            texts=(arn, fragment),
        )
        faces = record["FaceSearchResponse"]
        if type(faces) is not list:
            raise TypeError("the list of faces is missing")
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
        raise RecordError(explain(record) or f"{error}") from error


def explain(record: Any) -> str:
    """Return what the schema finds wrong with a record; empty if nothing."""
    # jsonschema takes 0.1 s to import and good records never need it
    from jsonschema import Draft202012Validator

    errors = Draft202012Validator(schema()).iter_errors(record)
    return "; ".join(
        f"{'.'.join(str(part) for part in error.absolute_path) or 'record'}: {error.message}"
        for error in sorted(errors, key=lambda error: str(error.absolute_path))
    )


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
        OTHERS,
    )
    if min(width, height) < SIZES[0] or max(width, height) > SIZES[1]:
        raise ValueError("the box has no size, or is out of bounds")
    if type(matches) is not list:
        raise TypeError("the list of matches is missing")
    matches = tuple([_match(match) for match in matches])
    return Face(Box(left, top, width, height), confidence, sharpness, brightness, yaw, matches)


def _match(match: Any) -> Match:
    face = match["Face"]
    # Rekognition leaves ExternalImageId out of a face that was indexed without one. Somebody
    # else indexed that face, but it still shows somebody known.
    person_id = face.get("ExternalImageId") or face["FaceId"]
    if PHOTO_MARK in person_id:
        person_id = person_id.split(PHOTO_MARK)[0] or face["FaceId"]
    (similarity,) = _checked((match["Similarity"],), OTHERS, texts=(face["FaceId"], person_id))
    return Match(person_id, similarity)


def _checked(
    numbers: tuple[Any, ...], bounds: tuple[float, float], texts: tuple[Any, ...] = ()
) -> list[float]:
    """Return the numbers as floats; raise TypeError if one of them or a text is not in bounds."""
    least, most = bounds
    for number in numbers:
        if type(number) not in (float, int) or not least <= number <= most:
            raise TypeError("a number is missing or out of bounds")
    for text in texts:
        if type(text) is not str or not 0 < len(text.encode()) <= TEXT_BYTES:
            raise TypeError("a text is missing or too long")
    return [float(number) for number in numbers]
