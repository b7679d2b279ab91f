"""SQS event source mappings read with the rights of the function's role, as on AWS.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

import functools
import logging
from collections.abc import Callable
from typing import Any

from local import ministack
from local.ministack import names
from local.security import signing
from local.security.iam import AccessDenied

ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
SESSION = "event-source-mapping"

logger = logging.getLogger(__name__)


def install() -> None:
    """Patch how MiniStack's mappings read queues."""
    names.RECEIVE_FOR_MAPPING.replace(_with_rights(names.RECEIVE_FOR_MAPPING.get()))


def _with_rights(receive: Callable[[str, int], list[Any]]) -> Callable[[str, int], list[Any]]:
    @functools.wraps(receive)
    def receive_messages(queue_url: str, max_number: int) -> list[Any]:
        queue = names.QUEUES.get()[queue_url]
        if queue["messages"]:  # each decision is logged, and an empty queue is polled without end
            try:
                _authorize(queue["attributes"]["QueueArn"])
            except (AccessDenied, signing.ServiceError) as refused:
                logger.warning("a mapping does not read its queue: %s", refused)
                return []
        return receive(queue_url, max_number)

    return receive_messages


def _authorize(queue_arn: str) -> None:
    for mapping in list(names.MAPPINGS.get().values()):
        if mapping["EventSourceArn"] == queue_arn:
            role = ministack.function_role(mapping["FunctionArn"])
            for action in ACTIONS:
                ministack.authorize(ministack.role_principal(role, SESSION), action, queue_arn)
