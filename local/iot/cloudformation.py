"""AWS::IoT::RoleAlias for CloudFormation."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from local.iot.role_aliases import ALIASES, DEFAULT_SECONDS, RoleAlias

type Properties = Mapping[str, Any]
type Created = tuple[str, dict[str, str]]


def create(logical_id: str, properties: Properties, stack_name: str) -> Created:
    """Create the alias; Ref is its name, GetAtt RoleAliasArn its ARN."""
    name = properties.get("RoleAlias") or f"{stack_name}-{logical_id}-{secrets.token_hex(6)}"
    return _created(ALIASES.create(name, properties["RoleArn"], _seconds(properties)))


def update(name: str, before: Properties, properties: Properties, stack_name: str) -> Created:
    """Update the alias in place; a new name replaces it."""
    if properties.get("RoleAlias", name) != name:
        created = create("RoleAlias", properties, stack_name)
        delete(name, before)
        return created
    return _created(ALIASES.update(name, properties["RoleArn"], _seconds(properties)))


def delete(name: str, properties: Properties) -> None:
    """Delete the alias if it still exists."""
    if ALIASES.find(name):
        ALIASES.delete(name)


def _seconds(properties: Properties) -> int:
    return int(properties.get("CredentialDurationSeconds", DEFAULT_SECONDS))


def _created(alias: RoleAlias) -> Created:
    return alias.name, {"RoleAliasArn": alias.arn}


HANDLERS: dict[str, dict[str, Callable[..., Any]]] = {
    "AWS::IoT::RoleAlias": {"create": create, "update": update, "delete": delete}
}
