"""SNS: pending e-mail subscriptions, as the laptop sends no mail, and topics' default policy."""

import functools
import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from local import ministack
from local.ministack import names

BY_MAIL = ("email", "email-json")
ARN = re.compile(rb"(?<=<SubscriptionArn>)arn:[^<]*")

Answer = tuple[int, dict[str, str], bytes]


def install() -> None:
    """Patch MiniStack's SNS."""
    names.SUBSCRIBE.replace(_pending(names.SUBSCRIBE.get()))
    handlers = names.CFN_HANDLERS.get()["AWS::SNS::Topic"]
    handlers["create"] = _closed(handlers["create"])


def _closed(create: Callable[..., Any]) -> Callable[..., Any]:
    """Give a template's topic the default policy, which lets services of its account in only.

    MiniStack's would let everybody in. A user or role of the account publishes by rights of its
    own (SNS developer guide, "Example cases for Amazon SNS access control": the owner's default).
    """

    @functools.wraps(create)
    def made(*given: Any, **named: Any) -> Any:
        answer = create(*given, **named)
        attributes = names.TOPICS.get()[answer[0]]["attributes"]
        policy = json.loads(attributes["Policy"])
        for statement in policy["Statement"]:
            statement["Condition"] = {"StringEquals": {"AWS:SourceOwner": ministack.ACCOUNT}}
        attributes["Policy"] = json.dumps(policy)
        return answer

    return made


def _pending(subscribe: Callable[[Mapping[str, Any]], Answer]) -> Callable[..., Answer]:
    """Leave e-mail subscriptions pending; MiniStack would confirm them at once."""

    @functools.wraps(subscribe)
    def answer(params: Mapping[str, Any]) -> Answer:
        known = _subscriptions().keys()
        status, headers, body = subscribe(params)
        made = ARN.search(body)
        if made is None or _asked(params, "Protocol") not in BY_MAIL:
            return status, headers, body
        subscription = _subscriptions()[made[0].decode()]
        if subscription["arn"] not in known:
            _suspend(subscription)
        if subscription["confirmed"] or _asked(params, "ReturnSubscriptionArn") == "true":
            return status, headers, body
        return status, headers, ARN.sub(b"pending confirmation", body)

    return answer


def _suspend(subscription: dict[str, Any]) -> None:
    """Reset a subscription to unconfirmed."""
    subscription |= {"confirmed": False, "token": uuid.uuid4().hex}
    subscription["attributes"] |= {
        "PendingConfirmation": "true",
        "ConfirmationWasAuthenticated": "false",
    }
    names.COUNT_SUBSCRIPTIONS.get()(names.TOPICS.get()[subscription["topic_arn"]])


def _subscriptions() -> dict[str, dict[str, Any]]:
    topics = names.TOPICS.get().values()
    return {one["arn"]: one for topic in topics for one in topic["subscriptions"]}


def _asked(params: Mapping[str, Any], name: str) -> str:
    given = params.get(name, "")
    return str(given[0] if isinstance(given, list) else given)
