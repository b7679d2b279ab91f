"""What MiniStack lacks or does otherwise than AWS, corrected; one module per service."""

from local.corrections import (
    events,
    executions,
    functions,
    permissions,
    policy_variables,
    schedules,
    subscriptions,
    tasks,
    templates,
)

__all__ = ["install"]


def install() -> None:
    """Put every correction in place; once, after `names.check_names`."""
    permissions.install()
    policy_variables.install()
    functions.install()
    executions.install()
    tasks.install()
    templates.install()
    events.install()
    schedules.install()
    subscriptions.install()
