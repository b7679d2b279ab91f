"""Alerts: one message to the owner, in the forms that a phone and a machine read."""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from whosthere.clock import iso, now_ms

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

PERSON, STRANGER, SESSION, PROBLEM = "person", "stranger", "session", "problem"
# SNS, Publish: Subject is UTF-8 text with fewer than 100 characters, no line breaks and no control
# characters. SNS does not say whether a character outside Unicode's first plane counts as two.
SUBJECT_LENGTH = 99
# Control characters (Cc), halves of characters (Cs), and what turns the direction of the text after
# it; a format character such as the joiner within an emoji stays.
REFUSED = re.compile("[\0-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Alert:
    """One message to the owner; `facts` go into the machine's JSON as they are.

    The facts `name`, `persons` (a person's alert) and `stranger` also become attributes,
    for filter policies.
    """

    kind: str
    camera: str
    session: str
    subject: str
    text: str
    facts: Mapping[str, object]


def publish(
    sns: "SNSClient",
    topic_arn: str,
    alert: Alert,
    also: Mapping[str, Iterable[str]] | None = None,
) -> None:
    """Send the alert to the topic's subscribers; `also` are more message attributes."""
    head = {"kind": alert.kind, "camera": alert.camera, "session": alert.session}
    tail = {"sent": iso(now_ms()), "subject": alert.subject, "message": alert.text}
    machine = json.dumps(head | dict(alert.facts) | tail, ensure_ascii=False)
    message = {"default": alert.text} | dict.fromkeys(("sqs", "http", "https", "lambda"), machine)
    filterable = {name: [value] for name, value in head.items() if value}  # SNS refuses empty ones
    stranger, persons = alert.facts.get("stranger"), alert.facts.get("persons")
    filterable["stranger"] = [stranger] if isinstance(stranger, str) else []
    filterable["person"] = list(persons) if isinstance(persons, list | tuple) else []
    filterable |= {name: sorted(values) for name, values in (also or {}).items()}
    # All texts at once, as half a character can be in any of them.
    filterable = json.loads(_whole(json.dumps(filterable, ensure_ascii=False)))
    sns.publish(
        TopicArn=topic_arn,
        Subject=shorten(one_line(alert.subject), SUBJECT_LENGTH) or "Whosthere",
        Message=_whole(json.dumps(message, ensure_ascii=False)),
        MessageStructure="json",
        MessageAttributes=_attributes(filterable),
    )


def _attributes(filterable: Mapping[str, list[str]]) -> "dict[str, MessageAttributeValueTypeDef]":
    """Return message attributes: a filter policy that names any of several values matches."""
    attributes: dict[str, MessageAttributeValueTypeDef] = {}
    for name, values in filterable.items():
        if len(values) == 1:
            attributes[name] = {"DataType": "String", "StringValue": values[0]}
        elif values:
            array = json.dumps(values, ensure_ascii=False)
            attributes[name] = {"DataType": "String.Array", "StringValue": array}
    return attributes


def _whole(text: str) -> str:
    """Return the text with "?" for halves of characters, which JSON can hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def one_line(text: str) -> str:
    """Return the text in one line, without what SNS refuses in a subject; empty if none shows."""
    kept = " ".join(REFUSED.sub("", " ".join(text.split())).split())
    # Separators, format characters and lone accents show nothing.
    kinds = {kind[0] for kind in map(unicodedata.category, kept)}
    return kept if kinds - set("ZCM") else ""


def shorten(text: str, length: int) -> str:
    """Return the text, its end cut off if it has more UTF-16 code units than `length`."""
    units = text.encode("utf-16-le")
    if len(units) <= 2 * length:
        return text
    # Half of a pair is left out.
    return units[: 2 * (length - 1)].decode("utf-16-le", "ignore").rstrip() + "…"
