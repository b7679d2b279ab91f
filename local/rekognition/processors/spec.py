"""The specification of a stream processor, the account it needs, and its failure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from local.security.signing import Credentials

UNEXPECTED = "Internal server error"  # the StatusMessage of an internal failure
LOWEST_THRESHOLD = 80.0  # FaceSearchSettings: lower values count as this


class Cloud(Protocol):
    """The account's roles and data streams."""

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
    """The reason why a processor fails, as in its StatusMessage."""


@dataclass(frozen=True, slots=True)
class ProcessorSpec:
    """The streams, role and collection of a stream processor."""

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
