"""Alerts: one message to the owner, as a phone shows it and as a machine reads it."""

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from whosthere.clock import iso, now_ms
from whosthere.settings import zone

PERSON, STRANGER, SESSION, PROBLEM = "person", "stranger", "session", "problem"
SUBJECT_LENGTH = 99  # SNS, Publish: Subject has fewer than 100 ASCII characters
LATE_MS = 60_000
# What has no base letter to fall back to when its accent is taken away.
LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe"}
    | {"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th"}
    | {"Þ": "Th", "ı": "i", "’": "'", "‘": "'", "–": "-", "—": "-"}
)


@dataclass(frozen=True, slots=True)
class Alert:
    """One message; `facts` go into the machine's JSON as they are.

    The facts `name`, `persons` (a person's alert) and `stranger` also become attributes,
    for filter policies.
    """

    kind: str
    camera: str
    session: str
    subject: str
    text: str
    facts: Mapping[str, Any]


def publish(
    sns: Any, topic_arn: str, alert: Alert, also: Mapping[str, Iterable[str]] | None = None
) -> None:
    """Send the alert to the topic's subscribers; `also` are more values of attributes."""
    machine = json.dumps(machine_form(alert, now_ms()), ensure_ascii=False)
    more = {name: _attribute(sorted(values)) for name, values in (also or {}).items()}
    message = {"default": alert.text} | dict.fromkeys(("sqs", "http", "https", "lambda"), machine)
    sns.publish(
        TopicArn=topic_arn,
        Subject=ascii_subject(alert.subject),
        Message=json.dumps(message, ensure_ascii=False),
        MessageStructure="json",
        MessageAttributes=attributes(alert) | more,
    )


def machine_form(alert: Alert, sent_ms: int) -> dict[str, Any]:
    """The alert as a machine reads it."""
    head = {"kind": alert.kind, "camera": alert.camera, "session": alert.session}
    tail = {"sent": iso(sent_ms), "subject": alert.subject, "message": alert.text}
    return head | dict(alert.facts) | tail


def attributes(alert: Alert) -> dict[str, dict[str, str]]:
    """What a subscription's filter policy can go by."""
    found = {"kind": alert.kind, "camera": alert.camera, "session": alert.session}
    if "stranger" in alert.facts:
        found["stranger"] = alert.facts["stranger"]
    values = {
        name: {"DataType": "String", "StringValue": value}
        for name, value in found.items()
        if value  # SNS refuses empty ones
    }
    if persons := alert.facts.get("persons", ()):
        values["person"] = _attribute(persons)
    return values


def _attribute(values: Sequence[str]) -> dict[str, str]:
    """A string or, of several, what matches a policy that names any of them."""
    if len(values) == 1:
        return {"DataType": "String", "StringValue": values[0]}
    names = json.dumps(list(values), ensure_ascii=False)
    return {"DataType": "String.Array", "StringValue": names}


def ascii_subject(text: str) -> str:
    """The nearest subject that SNS takes: ASCII, one line, not too long."""
    one_line = " ".join(text.split())
    plain = unicodedata.normalize("NFKD", one_line.translate(LETTERS))
    kept = "".join(
        letter if " " <= letter <= "~" else "?"
        for letter in plain
        if not unicodedata.combining(letter)
    )
    return kept[:SUBJECT_LENGTH].strip() or "Whosthere"


def is_readable(name: str) -> bool:
    """Whether a name keeps its letters in a subject."""
    return "?" not in ascii_subject(name)


def clock(moment_ms: int, time_zone: str, *, seconds: bool = False) -> str:
    """Time of day on the owner's wall clock."""
    moment = datetime.fromtimestamp(moment_ms / 1000, zone(time_zone))
    return moment.strftime("%H:%M:%S" if seconds else "%H:%M")


def lateness(captured_ms: int, told_ms: int) -> str:
    """A line that says that an alert comes late, or nothing."""
    late_ms = told_ms - captured_ms
    if late_ms < LATE_MS:
        return ""
    return f"\nThis comes late: it happened {round(late_ms / 60_000)} min ago."
