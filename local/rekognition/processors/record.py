"""The record of one analyzed frame, as Rekognition writes it to the data stream.

The shape is that of the developer guide's "Reference: Kinesis face recognition record".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from local.rekognition.collections import Match


@dataclass(frozen=True, slots=True)
class Frame:
    """The origin of a frame: its fragment, that one's times in seconds, and the frame's offset."""

    fragment: str
    server: float
    producer: float
    offset: float


def record(
    stream_arn: str,
    frame: Frame,
    faces: Sequence[dict[str, Any]],
    search: Callable[[Sequence[float]], list[Match]],
) -> dict[str, Any]:
    """Return the record of an analyzed frame, also of one without faces."""
    return {
        "InputInformation": {
            "KinesisVideo": {
                "StreamArn": stream_arn,
                "FragmentNumber": frame.fragment,
                "ServerTimestamp": frame.server,
                "ProducerTimestamp": frame.producer,
                "FrameOffsetInSeconds": frame.offset,
            }
        },
        "StreamProcessorInformation": {"Status": "RUNNING"},
        "FaceSearchResponse": [
            {
                "DetectedFace": face["detail"],
                "MatchedFaces": [_matched(match) for match in search(face["vector"])],
            }
            for face in faces
        ],
    }


def _matched(match: Match) -> dict[str, Any]:
    """Return a match without the model's version, which records do not have."""
    face = match.face.as_dict()
    del face["IndexFacesModelVersion"]
    return {"Similarity": match.similarity, "Face": face}
