"""EventBridge: targets need permissions as on AWS, and failed functions are retried.

Functions, topics and queues allow a rule in their own policies, a state machine is started
under the target's role (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html).
A schedule does everything under its role, whose trust goes by the schedule's group
(https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html).
S3_EVENTBRIDGE_SECONDS sets how long a new bucket sends no event: on AWS "around five minutes" from
the moment that EventBridge is switched on, here from the bucket's creation
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-event-notifications-eventbridge.html).
A function is invoked asynchronously, so what fails is tried twice more: on AWS after one and two
minutes (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html), here,
as MiniStack does it for S3, after one and two seconds.
"""

import contextvars
import functools
import json
import logging
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from local import ministack
from local.ministack import names
from local.security.iam import AccessDenied

EVENTS, SCHEDULER = "events.amazonaws.com", "scheduler.amazonaws.com"
# What a rule does to its target; other kinds of targets are delivered as MiniStack does it.
BY_POLICY = {"lambda": "lambda:InvokeFunction", "sns": "sns:Publish", "sqs": "sqs:SendMessage"}
BY_ROLE = {"states": "states:StartExecution"}
# "You can't use Condition blocks in Amazon SNS topic policies for EventBridge" (its user guide, as
# aws-samples/landing-zone-accelerator issue 407 quotes it): no Condition on the rule is ever met.
UNNAMED_TO = ("sns",)

SILENT_SETTING = "S3_EVENTBRIDGE_SECONDS"

logger = logging.getLogger(__name__)


def install() -> None:
    """Patch MiniStack's EventBridge."""
    names.INVOKE_TARGET.replace(_with_permission(names.INVOKE_TARGET.get()))
    names.DISPATCH_TO_FUNCTION.replace(_dispatch)
    names.DISPATCH_EVENT.replace(_but_of_new_buckets(names.DISPATCH_EVENT.get()))


def _but_of_new_buckets(dispatch: Callable[..., None]) -> Callable[..., None]:
    silent_seconds = float(os.environ.get(SILENT_SETTING, "0"))

    @functools.wraps(dispatch)
    def dispatch_event(event: Mapping[str, Any], view: Any = None) -> None:
        if silent_seconds and event.get("Source") == "aws.s3":
            bucket = event["Resources"][0].rpartition(":")[2]
            made = names.BUCKETS.get()[bucket]["created"]
            age = datetime.now(UTC) - datetime.fromisoformat(made)
            if age.total_seconds() < silent_seconds:
                logger.warning("bucket %s is new: EventBridge gets no event yet", bucket)
                return
        dispatch(event, view)

    return dispatch_event


def _with_permission(invoke: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(invoke)
    def invoke_target(
        target: Mapping[str, Any], event: Any, rule: Mapping[str, Any], view: Any = None
    ) -> None:
        try:
            _check(target, rule)
        except AccessDenied as denied:
            logger.warning("a target is not invoked: %s", denied.message)
            return
        invoke(target, event, rule, view)

    return invoke_target


def _check(target: Mapping[str, Any], rule: Mapping[str, Any]) -> None:
    arn, rule_arn = target["Arn"], rule.get("Arn") or rule.get("RuleArn", "")
    service = arn.split(":")[2]
    if ":schedule/" in rule_arn:
        role_arn = target.get("RoleArn", "")
        group_arn = rule_arn.replace(":schedule/", ":schedule-group/").rpartition("/")[0]
        ministack.check_trust(role_arn, SCHEDULER, group_arn)
        role = ministack.role_principal(role_arn, "schedule")
        ministack.authorize(role, (BY_POLICY | BY_ROLE)[service], arn)
    elif service in BY_POLICY:
        ministack.authorize_service(
            EVENTS,
            BY_POLICY[service],
            arn,
            source_arn=rule_arn,
            names_itself=service not in UNNAMED_TO,
        )
    elif service in BY_ROLE:
        role_arn = target.get("RoleArn", "")
        ministack.check_trust(role_arn, EVENTS, rule_arn)
        ministack.authorize(ministack.role_principal(role_arn, "rule"), BY_ROLE[service], arn)


def _dispatch(arn: str, payload: str) -> None:
    """Invoke a function asynchronously with an event; a failure is retried."""
    function, config, name = names.FUNCTION_OF.get()(arn)
    if not function or not config:
        logger.warning("a target is not invoked: there is no function %s", name)
        return
    record = names.RUNNABLE.get()(function, config)
    # In a context of its own: the function does not act as the event's sender.
    alone = contextvars.Context()
    alone.run(names.INVOKE_ASYNCHRONOUSLY.get(), record, json.loads(payload))
    logger.info("function %s is invoked by an event", name)
