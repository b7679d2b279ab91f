"""CloudFormation: a resource that an undeletable one depends on is kept.

A resource goes only after what depends on it (user guide, "DependsOn attribute"), so, in our
reading, a custom resource that fails keeps what it needs to be tried again. MiniStack deletes it.
"""

import functools
from collections.abc import Callable
from typing import Any

from local.ministack import names


class StillNeededError(Exception):
    """Another resource that could not be deleted depends on this one."""


def install() -> None:
    """Patch how MiniStack deletes a stack."""
    names.DELETE_RESOURCE.replace(_unless_needed(names.DELETE_RESOURCE.get()))


def _unless_needed(delete: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(delete)
    def delete_resource(
        kind: str, physical_id: str, properties: Any, stack_name: str = "", logical_id: str = ""
    ) -> None:
        if needed_by := _needed_by(names.STACKS.get().get(stack_name), logical_id):
            raise StillNeededError(f"{needed_by} depends on it and could not be deleted")
        delete(kind, physical_id, properties, stack_name, logical_id)

    return delete_resource


def _needed_by(stack: Any, logical_id: str) -> str:
    """Return the undeleted resource that depends on this one while its stack is deleted, or "".

    Dependants come first, so one that is still there with this status has been tried.
    """
    if not stack or stack["StackStatus"] != "DELETE_IN_PROGRESS":
        return ""
    resources, written = stack["_resources"], stack["_template"]["Resources"]
    for other, resource in resources.items():
        if other == logical_id or resource.get("ResourceStatus") != "DELETE_FAILED":
            continue
        if logical_id in names.WITH_DEPENDENCIES.get()([other], written, set(resources)):
            return str(other)
    return ""
