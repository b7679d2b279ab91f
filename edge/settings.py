"""A camera's settings file: options of `run`, and the camera's identity.

The file is TOML. A key is an option's long name without its hyphens in front; a switch is true or
false. Paths are relative to the file. `./whosthere pair` writes:

    camera = "front-door"
    stack = "whosthere"
    region = "eu-west-1"
    source = "rtsp://user:password@camera.lan/stream1"

    [identity]
    thing = "whosthere-front-door"
    role-alias = "whosthere-front-door"
    credential-endpoint = "c1example.credentials.iot.eu-west-1.amazonaws.com"
    certificate = "certificate.pem"
    key = "private.key"
"""

import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .urls import has_password

PATHS = ("mask", "explain", "buffer-folder", "ca")
IDENTITY_PATHS = ("certificate", "key")
IDENTITY_TEXTS = ("thing", "role-alias", "credential-endpoint")


class SettingsError(Exception):
    """The settings file cannot be used; the text names the file and what to change."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A paired camera's identity: its IoT certificate, private key and role alias.

    `credential_endpoint` is a host name, with a port if that is not 443.
    """

    thing: str
    role_alias: str
    credential_endpoint: str
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """The content of a settings file: options as on a command line, and the identity if any."""

    arguments: list[str]
    identity: Identity | None


def read(path: Path) -> SettingsFile:
    """Read and validate a settings file."""
    try:
        values = tomllib.loads(path.read_text())
    except OSError as exc:
        raise SettingsError(f"{path} cannot be read: {exc.strerror}.") from exc
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise SettingsError(f"{path} is no TOML: {exc}.") from exc
    if has_password(str(values.get("source", ""))):
        _check_mode(path)
    table = values.pop("identity", None)
    identity = None if table is None else _identity(path, table)
    return SettingsFile(_arguments(path, values), identity)


def _arguments(path: Path, values: dict[str, Any]) -> list[str]:
    arguments = []
    for name, value in values.items():
        if isinstance(value, bool):
            arguments += [f"--{name}"] if value else []
        elif isinstance(value, str | int | float):
            text = str(path.parent / str(value)) if name in PATHS else str(value)
            arguments.append(f"--{name}={text}")
        else:
            raise SettingsError(f"{path}: {name} must be a text, a number, true or false.")
    return arguments


def _identity(path: Path, table: Any) -> Identity:
    known = {*IDENTITY_PATHS, *IDENTITY_TEXTS}
    if not isinstance(table, dict) or set(table) != known:
        raise SettingsError(f"{path}: [identity] needs {', '.join(sorted(known))}.")
    texts = {name.replace("-", "_"): str(table[name]) for name in IDENTITY_TEXTS}
    certificate, key = (path.parent / str(table[name]) for name in IDENTITY_PATHS)
    return Identity(**texts, certificate=certificate, key=key)


def _check_mode(path: Path) -> None:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"{path} holds a password and others may read it: chmod 600 {path}")
