"""`./whosthere alert`: list who gets alerts, or send them a test alert."""

import argparse
from typing import Any

from cli.aws.connect import add_options, connect, print_result
from cli.aws.test_alert import Subscription, list_subscriptions, send_test_alert
from cli.errors import InputError
from cli.interrupts import Interrupts
from cli.tables import format_table
from whosthere.clock import now_ms

HELP = "list who gets alerts; --try sends them a test alert"
EXAMPLE = "./whosthere alert --try"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_options(parser, camera=False)
    parser.add_argument(
        "--try", action="store_true", dest="tries", help="send a marked test alert to all"
    )


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """List the subscriptions or test them; fails if a test alert reaches nobody."""
    with connect(arguments) as target:
        sns, topic = target.session.client("sns"), target.output("AlertTopicArn")
        found = (
            send_test_alert(sns, topic, now_ms())
            if arguments.tries
            else list_subscriptions(sns, topic)
        )
    reached = sum(one.is_confirmed for one in found)
    text = format_table(map(_row, found))
    if arguments.tries and not reached:
        raise InputError("nobody gets alerts: " + (text or "nobody has subscribed to the topic"))
    done = f"a test alert went to {reached} of {len(found)}" if arguments.tries else ""
    content = {"sent": arguments.tries, "subscribers": [_content(one) for one in found]}
    print_result(arguments, content, "\n".join(filter(None, [done, text])) or "nobody")
    return 0


def _row(one: Subscription) -> tuple[str, str, str]:
    note = f"only {one.policy}" if one.policy else ""
    if not one.is_confirmed:
        note = "has not confirmed yet; AWS has sent a message with a link"
    return one.protocol, one.endpoint, note


def _content(one: Subscription) -> dict[str, Any]:
    return {
        "protocol": one.protocol,
        "endpoint": one.endpoint,
        "confirmed": one.is_confirmed,
        "policy": one.policy or None,
    }
