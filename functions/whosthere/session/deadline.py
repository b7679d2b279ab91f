"""A session's one-shot schedule: stops it after its deadline, whatever became of its execution."""

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from whosthere.session_store import Session

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

# So long a session may take to end by itself. A schedule fires within a minute after its time
# (EventBridge Scheduler, precision), so a session is stopped 3 minutes late at most.
GRACE_S = 120
NAME_LENGTH = 64  # EventBridge Scheduler, CreateSchedule: Name; a session's id may have 80


def create_deadline_schedule(
    scheduler: "EventBridgeSchedulerClient",
    session: Session,
    *,
    group: str,
    function_arn: str,
    role_arn: str,
) -> None:
    """Create the session's schedule, which deletes itself once it has fired; twice is no error."""
    moment = datetime.fromtimestamp(-(-session.deadline_ms // 1000) + GRACE_S, UTC)
    try:
        scheduler.create_schedule(
            Name=name_of(session.id),
            GroupName=group,
            ScheduleExpression=f"at({moment:%Y-%m-%dT%H:%M:%S})",
            ScheduleExpressionTimezone="UTC",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={
                "Arn": function_arn,
                "RoleArn": role_arn,
                "Input": json.dumps({"overdue": session.id}),
                "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 30},
            },
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConflictException":
            raise


def name_of(session_id: str) -> str:
    """Name of the session's schedule: its id, or what stands for one that is too long."""
    if len(session_id) <= NAME_LENGTH:
        return session_id
    return hashlib.sha256(session_id.encode()).hexdigest()


def delete_deadline_schedule(
    scheduler: "EventBridgeSchedulerClient", session_id: str, *, group: str
) -> None:
    """Delete the session's schedule; one that is gone is no error."""
    try:
        scheduler.delete_schedule(Name=name_of(session_id), GroupName=group)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
