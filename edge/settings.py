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

import argparse
import difflib
import re
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .options import build_parser, option_names
from .urls import has_password

LISTS = ("rpicam-options",)
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
    """The content of a settings file: options as of a command line, and the identity if any."""

    options: argparse.Namespace
    identity: Identity | None


def read(path: Path) -> SettingsFile:
    """Read and validate a settings file."""
    try:
        text = path.read_text()
        values = tomllib.loads(text)
    except OSError as exc:
        raise SettingsError(f"{path} cannot be read: {exc.strerror}.") from exc
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise SettingsError(f"{path} is no TOML: {exc}.") from exc
    if has_password(str(values.get("source", ""))):
        _check_mode(path)
    table = values.pop("identity", None)
    identity = None if table is None else _identity(path, table)
    return SettingsFile(_parse_options(path, text, values), identity)


def _parse_options(path: Path, text: str, values: dict[str, Any]) -> argparse.Namespace:
    parser, options = build_parser(exit_on_error=False), argparse.Namespace()
    known = sorted(name.removeprefix("--") for name in option_names(parser))
    for name, value in values.items():
        try:
            if name not in known:
                raise SettingsError(_unknown(name, known))
            parser.parse_args(_arguments(path, name, value), options)
        except (SettingsError, argparse.ArgumentError) as exc:
            raise SettingsError(f"{path}{_line_of(name, text)}: {exc}") from exc
    return parser.parse_args([], options)


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"there is no option --{name}." + (f" Is {near[0]} meant?" if near else "")


def _line_of(name: str, text: str) -> str:
    """Return where a key stands, to be read behind the file's name; empty if that is unclear."""
    key = re.escape(name)
    found = re.search(rf"""^[ \t]*(\[?["']?{key}["']?[ \t]*[=.\]])""", text, re.MULTILINE)
    return f", line {text.count(chr(10), 0, found.start()) + 1}" if found else ""


def _arguments(path: Path, name: str, value: Any) -> list[str]:
    """Return a setting as arguments of a command line."""
    if isinstance(value, bool):
        return [f"--{name}"] if value else []
    if isinstance(value, str | int | float):
        return [f"--{name}={path.parent / str(value) if name in PATHS else value}"]
    if name in LISTS and isinstance(value, list):
        return [f"--{name}={one}" for one in value]
    raise SettingsError(f"{name} must be a text, a number, true or false.")


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
