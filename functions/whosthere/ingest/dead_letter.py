"""What cannot be read goes whole, with the reason, to `failures/` in the bucket."""

import json
from collections.abc import Mapping
from typing import Any

SET_ASIDE = "failures/records/"
EVENTS = "failures/events/"


def keep(
    s3: Any,
    bucket: str,
    name: str,
    reason: str,
    given: Mapping[str, Any],
    place: str = SET_ASIDE,
) -> str:
    """Keep what was given, as it came, under a name that a retry gives again; its key."""
    key = f"{place}{name}.json"
    body = json.dumps({"reason": reason, "given": given}, ensure_ascii=False)
    s3.put_object(Bucket=bucket, Key=key, Body=body.encode(), ContentType="application/json")
    return key
