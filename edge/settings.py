"""A camera's settings file: every option of `run`, and the camera's identity.

TOML; a key is an option's long name without its hyphens in front, and a switch is true
or false. Paths are relative to the file. As `./whosthere pair` writes it:

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
    """What a paired camera proves itself with: an IoT certificate and its private key.

    `credential_endpoint` is a host name, with a port where it is not 443.
    """

    thing: str
    role_alias: str
    credential_endpoint: str
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Settings:
    """What a file says: options as they could be typed, and the identity if it has one."""

    arguments: list[str]
    identity: Identity | None


def read(path: Path) -> Settings:
    """Read a settings file."""
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
    return Settings(_arguments(path, values), identity)


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
