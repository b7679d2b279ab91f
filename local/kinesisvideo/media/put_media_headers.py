"""The headers of PutMedia."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from local.kinesisvideo.errors import invalid_argument

# kvssink does not pad its milliseconds: .058 arrives as .58, which is read as .58.
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class PutMediaRequest:
    """The request that PutMedia's headers describe."""

    stream_name: str | None
    stream_arn: str | None
    absolute: bool
    start_ms: int


def parse_headers(headers: Mapping[str, str]) -> PutMediaRequest:
    """Parse and check the headers; either the name or the ARN must identify the stream."""
    name, arn = headers.get("x-amzn-stream-name"), headers.get("x-amzn-stream-arn")
    if bool(name) == bool(arn):
        raise invalid_argument("Either x-amzn-stream-name or x-amzn-stream-arn must be given")
    kind = headers.get("x-amzn-fragment-timecode-type", "")
    if kind not in ("ABSOLUTE", "RELATIVE"):
        raise invalid_argument("x-amzn-fragment-timecode-type must be ABSOLUTE or RELATIVE")
    start = headers.get("x-amzn-producer-start-timestamp", "")
    if not _SECONDS.fullmatch(start) and (start or kind == "RELATIVE"):
        raise invalid_argument("x-amzn-producer-start-timestamp is not a time")
    return PutMediaRequest(name, arn, kind == "ABSOLUTE", round(float(start or 0) * 1000))
