"""What a stream processor is asked to do, what it needs for that, and why it can't."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from local.security.signing import Credentials

UNEXPECTED = "Internal server error"  # the StatusMessage when it is nobody's setting up
LOWEST_THRESHOLD = 80.0  # FaceSearchSettings: what is below counts as this


class Cloud(Protocol):
    """Roles and data streams, as the account has them."""

    account: str
    region: str

    @property
    def endpoint(self) -> str:
        """Return the URL of every service's control plane."""

    def assume(self, role_arn: str, processor_arn: str, session: str) -> Credentials:
        """Return keys of the role, or raise AccessDenied if Rekognition may not assume it."""

    def put_record(
        self, keys: Credentials, stream_arn: str, record: Mapping[str, Any], key: str
    ) -> None:
        """Write a record, or raise AccessDenied or ServiceError."""


class ProcessorError(Exception):
    """Why a processor can't run, as its StatusMessage says it."""


@dataclass(frozen=True, slots=True)
class ProcessorSpec:
    """What a stream processor reads, searches and writes."""

    name: str
    arn: str
    video_arn: str
    data_arn: str
    role_arn: str
    collection: str
    threshold: float  # LOWEST_THRESHOLD at least


def stream_name(arn: str) -> str:
    """Return the name in the ARN of a video or data stream."""
    return arn.split(":stream/")[-1].split("/")[0]
