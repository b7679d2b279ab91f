"""Alerts: one message to the owner, in the forms that a phone and a machine read."""

import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from whosthere.clock import iso, now_ms

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

PERSON, STRANGER, SESSION, PROBLEM = "person", "stranger", "session", "problem"
# SNS, Publish: Subject is UTF-8 text with fewer than 100 characters, no line breaks and no control
# characters. SNS does not say whether a character outside Unicode's first plane counts as two.
SUBJECT_LENGTH = 99
# Control characters, halves of characters, and what turns the direction of the text after it; a
# format character such as the joiner within an emoji stays.
REFUSED = {"Cc", "Cs"}
DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class Alert:
    """One message to the owner; `facts` go into the machine's JSON as they are.

    The facts `name`, `persons` (a person's alert) and `stranger` also become attributes,
    for filter policies. `sent_ms` is when it is sent: by default as soon as it is made.
    """

    kind: str
    camera: str
    session: str
    subject: str
    text: str
    facts: Mapping[str, object]
    sent_ms: int = field(default_factory=now_ms, compare=False)


def publish(
    sns: "SNSClient",
    topic_arn: str,
    alert: Alert,
    also: Mapping[str, Iterable[str]] | None = None,
) -> None:
    """Send the alert to the topic's subscribers; `also` are more message attributes."""
    head = {"kind": alert.kind, "camera": alert.camera, "session": alert.session}
    tail = {"sent": iso(alert.sent_ms), "subject": alert.subject, "message": alert.text}
    machine = json.dumps(head | dict(alert.facts) | tail, ensure_ascii=False)
    message = {"default": alert.text} | dict.fromkeys(("sqs", "http", "https", "lambda"), machine)
    filterable = {name: [value] for name, value in head.items() if value}  # SNS refuses empty ones
    stranger, persons = alert.facts.get("stranger"), alert.facts.get("persons")
    filterable["stranger"] = [stranger] if isinstance(stranger, str) else []
    filterable["person"] = list(persons) if isinstance(persons, list | tuple) else []
    filterable |= {name: sorted(values) for name, values in (also or {}).items()}
    sns.publish(
        TopicArn=topic_arn,
        Subject=one_line(alert.subject, SUBJECT_LENGTH) or "Whosthere",
        Message=json.dumps(message, ensure_ascii=False).encode("utf-8", "replace").decode(),
        MessageStructure="json",
        MessageAttributes=_attributes(filterable),
    )


def _attributes(filterable: Mapping[str, list[str]]) -> "dict[str, MessageAttributeValueTypeDef]":
    """Return message attributes: a filter policy that names any of several values matches.

    Half of a character becomes "?": JSON can hold one, UTF-8 cannot.
    """
    attributes: dict[str, MessageAttributeValueTypeDef] = {}
    for name, values in filterable.items():
        if not values:
            continue
        kind, text = "String", values[0]
        if len(values) > 1:
            kind, text = "String.Array", json.dumps(values, ensure_ascii=False)
        whole = text.encode("utf-8", "replace").decode()
        attributes[name] = {"DataType": kind, "StringValue": whole}
    return attributes


def one_line(text: str, length: int) -> str:
    """Return the text in one line as SNS takes it in a subject, of at most that many UTF-16 units.

    It is empty if it would show nothing: separators, format characters and lone accents do not.
    """
    kept = [
        letter
        for letter in " ".join(text.split())
        if letter not in DIRECTIONS and unicodedata.category(letter) not in REFUSED
    ]
    if not [letter for letter in kept if unicodedata.category(letter)[0] not in "ZCM"]:
        return ""
    line = " ".join("".join(kept).split())
    units = line.encode("utf-16-le")
    if len(units) <= 2 * length:
        return line
    # Half of a pair is left out.
    return units[: 2 * (length - 1)].decode("utf-16-le", "ignore").rstrip() + "…"
