"""URLs of cameras, which often hold a password, as they may be shown."""

import re
from urllib.parse import unquote

# What stands before the last @ of the host is the user's; a query may hold a password too.
AUTHORITY = re.compile(r"^(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<rest>[^/?#]*)")


def is_url(source: str) -> bool:
    """Say whether a source is a URL."""
    return AUTHORITY.match(source) is not None


def has_password(source: str) -> bool:
    """Say whether a source is a URL that gives a password with the user's name."""
    found = AUTHORITY.match(source)
    user, at, _host = found["rest"].rpartition("@") if found else ("", "", "")
    return bool(at) and ":" in user


def without_secrets(source: str) -> str:
    """Give a URL without user, password and query; anything else as it is."""
    found = AUTHORITY.match(source)
    if found is None:
        return source
    host = found["rest"].rpartition("@")[2]
    path = re.split(r"[?#]", source[found.end() :], maxsplit=1)[0]
    return f"{found['scheme']}{host}{path}"


def user_of(source: str) -> str:
    """Give the name of the user that a URL is asked as, or nothing."""
    found = AUTHORITY.match(source)
    return unquote(found["rest"].rpartition("@")[0].partition(":")[0]) if found else ""
