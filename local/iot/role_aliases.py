"""IoT role aliases: create, describe, update, delete, list, as botocore's model has them."""

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from local.ministack import ACCOUNT, REGION, Answer

# AWS IoT, CreateRoleAlias.
NAME = re.compile(r"[\w=,@-]{1,128}", re.ASCII)
MIN_SECONDS, MAX_SECONDS, DEFAULT_SECONDS = 900, 43_200, 3600


class RoleAliasError(Exception):
    """A refusal, with AWS's error name and HTTP status."""

    def __init__(self, code: str, message: str, status: int) -> None:
        """Make the error with its HTTP status."""
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True, slots=True)
class RoleAlias:
    """A name for a role that devices assume, and the lifetime of their keys in seconds."""

    name: str
    role_arn: str
    seconds: int
    created: float
    changed: float

    @property
    def arn(self) -> str:
        """Return the alias's ARN."""
        return f"arn:aws:iot:{REGION}:{ACCOUNT}:rolealias/{self.name}"


class RoleAliases:
    """All role aliases; thread-safe."""

    def __init__(self) -> None:
        """Start without aliases."""
        self._aliases: dict[str, RoleAlias] = {}
        self._lock = threading.Lock()

    def find(self, name: str) -> RoleAlias | None:
        """Return the alias of that name, or None."""
        return self._aliases.get(name)

    def create(self, name: str, role_arn: str, seconds: int = DEFAULT_SECONDS) -> RoleAlias:
        """Create an alias; raise RoleAliasError if the name is taken."""
        if not NAME.fullmatch(name):
            raise _invalid(f"not a role alias name: {name!r}")
        _check(role_arn, seconds)
        now = time.time()
        with self._lock:
            if name in self._aliases:
                message = f"Role alias already exists: {name}"
                raise RoleAliasError("ResourceAlreadyExistsException", message, 409)
            self._aliases[name] = RoleAlias(name, role_arn, seconds, now, now)
            return self._aliases[name]

    def update(self, name: str, role_arn: str | None, seconds: int | None) -> RoleAlias:
        """Update the role, the duration or both."""
        with self._lock:
            before = self.get(name)
            after = replace(
                before,
                role_arn=role_arn or before.role_arn,
                seconds=seconds or before.seconds,
                changed=time.time(),
            )
            _check(after.role_arn, after.seconds)
            self._aliases[name] = after
            return after

    def delete(self, name: str) -> None:
        """Delete an alias."""
        with self._lock:
            del self._aliases[self.get(name).name]

    def get(self, name: str) -> RoleAlias:
        """Return the alias of that name, or raise RoleAliasError."""
        found = self._aliases.get(name)
        if found is None:
            message = f"Role alias does not exist: {name}"
            raise RoleAliasError("ResourceNotFoundException", message, 404)
        return found

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(self._aliases)


ALIASES = RoleAliases()


def answer(method: str, path: str, body: bytes) -> Answer:
    """Run one control operation on `/role-aliases[/NAME]`."""
    name = path.removeprefix("/role-aliases").removeprefix("/")
    operation = OPERATIONS.get((method, bool(name)))
    if operation is None:
        return _refusal(_invalid(f"Unsupported IoT path: {method} {path}"))
    try:
        return _answer(200, operation(name, json.loads(body or b"{}")))
    except RoleAliasError as error:
        return _refusal(error)


def _create(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    seconds = parameters.get("credentialDurationSeconds", DEFAULT_SECONDS)
    return _named(ALIASES.create(name, parameters.get("roleArn", ""), seconds))


def _describe(name: str, _parameters: Mapping[str, Any]) -> dict[str, Any]:
    alias = ALIASES.get(name)
    description = {
        **_named(alias),
        "roleArn": alias.role_arn,
        "owner": ACCOUNT,
        "credentialDurationSeconds": alias.seconds,
        "creationDate": alias.created,
        "lastModifiedDate": alias.changed,
    }
    return {"roleAliasDescription": description}


def _update(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return _named(
        ALIASES.update(name, parameters.get("roleArn"), parameters.get("credentialDurationSeconds"))
    )


def _delete(name: str, _parameters: Mapping[str, Any]) -> dict[str, Any]:
    ALIASES.delete(name)
    return {}


def _list(_name: str, _parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {"roleAliases": ALIASES.names()}


OPERATIONS: dict[tuple[str, bool], Callable[[str, Mapping[str, Any]], dict[str, Any]]] = {
    ("POST", True): _create,
    ("GET", True): _describe,
    ("PUT", True): _update,
    ("DELETE", True): _delete,
    ("GET", False): _list,
}


def _named(alias: RoleAlias) -> dict[str, Any]:
    return {"roleAlias": alias.name, "roleAliasArn": alias.arn}


def _check(role_arn: str, seconds: int) -> None:
    if not re.fullmatch(r"arn:aws:iam::\d{12}:role/.+", role_arn):
        raise _invalid("roleArn is not the ARN of a role")
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise _invalid(f"credentialDurationSeconds is not from {MIN_SECONDS} to {MAX_SECONDS}")


def _invalid(message: str) -> RoleAliasError:
    return RoleAliasError("InvalidRequestException", message, 400)


def _refusal(error: RoleAliasError) -> Answer:
    status, headers, body = _answer(error.status, {"message": error.message})
    return status, {**headers, "x-amzn-ErrorType": error.code}, body


def _answer(status: int, content: Mapping[str, Any]) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(content).encode()
