"""Answers in pages, with tokens that outlive deletions."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from local.rekognition.errors import RekognitionError


def page(
    keys: Sequence[str], parameters: Mapping[str, Any], *, default: int
) -> tuple[Sequence[str], dict[str, str]]:
    """The keys of one page of a sorted list, and the token for the next page if there is one."""
    after = _after(parameters.get("NextToken"))
    left = [key for key in keys if key > after]
    shown = left[: parameters.get("MaxResults") or default]
    if len(shown) == len(left):
        return shown, {}
    return shown, {"NextToken": base64.b64encode(shown[-1].encode()).decode()}


def _after(token: str | None) -> str:
    try:
        return base64.b64decode(token or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise RekognitionError(
            "InvalidPaginationTokenException", "Request has Invalid Pagination Token"
        ) from error
