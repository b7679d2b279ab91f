"""URLs of cameras, and how to show them without their passwords."""

import re
from urllib.parse import unquote

# User and password precede the authority's last @; a query may hold a password too.
AUTHORITY = re.compile(r"^(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<rest>[^/?#]*)")


def is_url(source: str) -> bool:
    """Return whether a source is a URL."""
    return AUTHORITY.match(source) is not None


def has_password(source: str) -> bool:
    """Return whether a source is a URL with a password."""
    found = AUTHORITY.match(source)
    user, at, _host = found["rest"].rpartition("@") if found else ("", "", "")
    return bool(at) and ":" in user


def redact_url(source: str) -> str:
    """Return a URL without user, password and query; any other text unchanged."""
    found = AUTHORITY.match(source)
    if found is None:
        return source
    host = found["rest"].rpartition("@")[2]
    path = re.split(r"[?#]", source[found.end() :], maxsplit=1)[0]
    return f"{found['scheme']}{host}{path}"


def user_name(source: str) -> str:
    """Return the user name in a URL; an empty text if there is none."""
    found = AUTHORITY.match(source)
    return unquote(found["rest"].rpartition("@")[0].partition(":")[0]) if found else ""
