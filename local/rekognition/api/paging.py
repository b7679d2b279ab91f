"""Paged answers, with tokens that stay valid when items are deleted."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from local.rekognition.errors import RekognitionError

MAX_TOKENS = 10_000  # that are remembered; the oldest expire


class PageTokens:
    """The tokens that were issued, with their listing and the key they continue after.

    A token cannot hold the key itself: both may have up to 255 characters.
    """

    def __init__(self, most: int = MAX_TOKENS) -> None:
        """Remember at most this many tokens."""
        self._most = most
        self._lock = threading.Lock()
        self._issued: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def issue(self, listing: str, key: str) -> str:
        """Return a new token."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._issued[token] = (listing, key)
            while len(self._issued) > self._most:
                self._issued.popitem(last=False)
        return token

    def resolve(self, listing: str, token: str) -> str:
        """Return the key that a token of that listing continues after."""
        with self._lock:
            known, key = self._issued.get(token, (None, ""))
        if known != listing:
            raise RekognitionError(
                "InvalidPaginationTokenException", "Request has Invalid Pagination Token"
            )
        return key


_page_tokens = PageTokens()


def page(
    keys: Sequence[str], parameters: Mapping[str, Any], *, default: int, listing: str = ""
) -> tuple[Sequence[str], dict[str, str]]:
    """Return one page of sorted keys, and the NextToken if there are more.

    `listed` tells lists apart: a token of one is none of another.
    """
    token = parameters.get("NextToken")
    after = "" if token is None else _page_tokens.resolve(listing, token)
    left = [key for key in keys if key > after]
    shown = left[: parameters.get("MaxResults") or default]
    if len(shown) == len(left):
        return shown, {}
    return shown, {"NextToken": _page_tokens.issue(listing, shown[-1])}
