"""Patches of MiniStack where it differs from AWS, one module per service.

Uses: ministack, security; faults also rekognition.processors.cloud."""

from local.patches import (
    data_streams,
    deletions,
    events,
    functions,
    metrics,
    queues,
    schedules,
    subscriptions,
    templates,
)
from local.patches.iam import identity_policies, permissions, policy_variables
from local.patches.step_functions import branches, executions, retries, tasks

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
