"""What our own services are checked against, the words of a denial, and the log of decisions.

The resource types per action are those of AWS's Service Authorization Reference
("Actions, resources, and condition keys for Amazon Rekognition" and "... for Amazon
Kinesis Video Streams"). MiniStack doesn't know either service.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

STREAM_PROCESSOR = frozenset(
    {
        "DeleteStreamProcessor",
        "DescribeStreamProcessor",
        "StartStreamProcessor",
        "StopStreamProcessor",
    }
)
# CreateStreamProcessor is checked on the collection it searches, not on the processor.
COLLECTION = frozenset(
    {
        "CreateStreamProcessor",
        "DeleteCollection",
        "DeleteFaces",
        "DescribeCollection",
        "IndexFaces",
        "ListFaces",
        "SearchFaces",
        "SearchFacesByImage",
    }
)
TAGS = frozenset({"ListTagsForResource", "TagResource", "UntagResource"})


class AccessDenied(Exception):  # noqa: N818 - named as AWS names it
    """A refused action; `message` is AWS's sentence."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def denial(principal: str, action: str, resource: str, *, explicit: bool) -> AccessDenied:
    """The refusal in the words of IAM's "Troubleshoot access denied error messages"."""
    reason = (
        "with an explicit deny in an identity-based policy"
        if explicit
        else f"because no identity-based policy allows the {action} action"
    )
    return AccessDenied(
        f"User: {principal} is not authorized to perform: {action} on resource: {resource} {reason}"
    )


def resource_of(
    action: str,
    parameters: Mapping[str, Any],
    *,
    region: str,
    account: str,
    stream_arn: Callable[[str], str | None] | None = None,
) -> str:
    """The ARN an action of our services is checked on; `*` where the API knows none."""
    service, _, operation = action.partition(":")
    prefix = f"arn:aws:{service}:{region}:{account}:"
    if service == "kinesisvideo":
        return _video_resource(operation, parameters, prefix, stream_arn)
    if operation in TAGS:
        return str(parameters.get("ResourceArn", "*"))
    if operation in STREAM_PROCESSOR:
        return f"{prefix}streamprocessor/{parameters.get('Name', '')}"
    if operation in COLLECTION:
        return f"{prefix}collection/{_collection(parameters)}"
    return "*"


def _collection(parameters: Mapping[str, Any]) -> str:
    searched = parameters.get("Settings", {}).get("FaceSearch", {}).get("CollectionId", "")
    return str(parameters.get("CollectionId") or searched)


def _video_resource(
    operation: str,
    parameters: Mapping[str, Any],
    prefix: str,
    stream_arn: Callable[[str], str | None] | None,
) -> str:
    if operation == "ListStreams":
        return "*"
    if given := parameters.get("StreamARN") or parameters.get("ResourceARN"):
        return str(given)
    name = parameters.get("StreamName", "")
    found = stream_arn(name) if stream_arn else None
    # A stream's ARN ends in its creation time; one that doesn't exist has none yet.
    return found or f"{prefix}stream/{name}/0"


# A photo's key holds its person's name, and no log does.
PEOPLE = re.compile(r"(:::[^/]+/people/).+")


class DecisionLog:
    """A file with one JSON line per decision, so that a test sees which granted action was used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        path.touch()

    def write(self, principal: str, action: str, resource: str, *, allowed: bool) -> None:
        """Append one decision; the principal by its ARN and by its name (role, user or service)."""
        line = json.dumps(
            {
                "at": round(time.time(), 3),
                "principal": principal_name(principal),
                "arn": principal,
                "action": action,
                "resource": PEOPLE.sub(r"\1*", resource),
                "allowed": allowed,
            }
        )
        with self._lock, self._path.open("a") as log:
            log.write(line + "\n")


def principal_name(arn: str) -> str:
    """The role behind an assumed-role session's ARN, else the last part."""
    parts = arn.rpartition(":")[2].split("/")
    return parts[1] if parts[0] == "assumed-role" else parts[-1]


def read_decisions(path: Path) -> Iterable[dict[str, Any]]:
    """Every decision written so far."""
    return [json.loads(line) for line in path.read_text().splitlines()]
