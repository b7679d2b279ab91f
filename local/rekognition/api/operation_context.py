"""The context of an operation: collections, processors, workers and the caller's rights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.rekognition.collections import Collections
from local.rekognition.errors import RekognitionError, invalid_parameter, too_large
from local.rekognition.processors.lifecycle import Processors
from local.rekognition.worker.pool import WorkerPool
from local.rekognition.worker.recent import Faces

MAX_OBJECT_BYTES = 15 * 1024 * 1024  # of a picture in S3; Rekognition guidelines and quotas

Parameters = dict[str, Any]
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OperationContext:
    """The state and services that operations use."""

    collections: Collections
    processors: Processors
    pool: WorkerPool
    arn_prefix: str
    read_object: Callable[[str, str, str | None], bytes]
    authorize: Callable[[str, str], None]  # an action on an ARN; RekognitionError if denied

    def picture(self, image: Parameters) -> bytes:
        """Return the bytes of a request's picture, from S3 with the caller's rights if need be."""
        if ("Bytes" in image) == ("S3Object" in image):
            raise invalid_parameter()
        if "Bytes" in image:
            data: bytes = image["Bytes"]
            return data
        named = image["S3Object"]
        if "Bucket" not in named or "Name" not in named:
            raise invalid_parameter()
        data = self.read_object(named["Bucket"], named["Name"], named.get("Version"))
        if len(data) > MAX_OBJECT_BYTES:
            raise too_large()
        return data

    def faces(self, data: bytes, *, vectors: int = 0) -> Faces:
        """Return the faces in a picture, largest first."""
        return self.pool.analyze_picture(data, vectors=vectors)


def invalid_object() -> RekognitionError:
    """Return the error of a picture that cannot be read from S3."""
    return RekognitionError(
        "InvalidS3ObjectException",
        "Unable to get object metadata from S3. "
        "Check object key, region and/or access permissions.",
    )
