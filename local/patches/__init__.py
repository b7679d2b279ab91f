"""Patches of MiniStack where it differs from AWS, one module per service.

Uses: ministack, security; faults also rekognition.processors.cloud."""

from local.patches import (
    branches,
    data_streams,
    deletions,
    events,
    executions,
    functions,
    identity_policies,
    metrics,
    permissions,
    policy_variables,
    queues,
    retries,
    schedules,
    subscriptions,
    tasks,
    templates,
)

__all__ = ["install"]


def install() -> None:
    """Install every patch; call it once, after `names.check_names`."""
    permissions.install()
    policy_variables.install()
    identity_policies.install()
    functions.install()
    metrics.install()
    executions.install()
    tasks.install()
    branches.install()
    retries.install()
    templates.install()
    data_streams.install()
    deletions.install()
    events.install()
    schedules.install()
    queues.install()
    subscriptions.install()
