"""The check that an environment cannot reach a real account."""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1,localhost"
CONFIG_FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
FORBIDDEN = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
)
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


class NotLoopbackError(Exception):
    """An environment whose requests could leave this laptop."""


def assert_loopback(environment: Mapping[str, str]) -> None:
    """Raise NotLoopbackError unless every AWS request of this environment stays on this laptop."""
    if "AWS_ENDPOINT_URL" not in environment:
        raise NotLoopbackError("AWS_ENDPOINT_URL is not set")
    for name, value in sorted(environment.items()):
        if name.startswith("AWS_ENDPOINT_URL") and not _is_loopback(value):
            raise NotLoopbackError(f"{name} is {value}, which is not on this laptop")
        if name in FORBIDDEN and value:
            raise NotLoopbackError(f"{name} is set")
    for name in CONFIG_FILES:
        path = environment.get(name)
        if path is None or Path(path).read_text().strip():
            raise NotLoopbackError(f"{name} must name an empty file")
    proxies = [name for name in environment if name.lower() in PROXIES and environment[name]]
    spared = set(environment.get("NO_PROXY", "").split(",")) & set(
        environment.get("no_proxy", "").split(",")
    )
    if proxies and not set(LOOPBACK.split(",")) <= spared:
        raise NotLoopbackError(f"{proxies[0]} is set and NO_PROXY does not name {LOOPBACK}")


def _is_loopback(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.username is not None:
        return False
    if parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
