"""Alerts: one message to the owner, in the forms that a phone and a machine read."""

import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from whosthere.clock import iso, now_ms

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

PERSON, STRANGER, SESSION, PROBLEM = "person", "stranger", "session", "problem"
SUBJECT_LENGTH = 99  # SNS, Publish: Subject has fewer than 100 ASCII characters
# Letters that Unicode does not decompose into a base letter and an accent.
LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe"}
    | {"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th"}
    | {"Þ": "Th", "ı": "i", "’": "'", "‘": "'", "–": "-", "—": "-"}
)


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
    sns.publish(
        TopicArn=topic_arn,
        Subject=ascii_subject(alert.subject),
        Message=json.dumps(message, ensure_ascii=False),
        MessageStructure="json",
        MessageAttributes=_attributes(filterable),
    )


def _attributes(filterable: Mapping[str, list[str]]) -> "dict[str, MessageAttributeValueTypeDef]":
    """Return message attributes: a filter policy that names any of several values matches."""
    return {
        name: {"DataType": "String", "StringValue": values[0]}
        if len(values) == 1
        else {
            "DataType": "String.Array",
            "StringValue": json.dumps(values, ensure_ascii=False),
        }
        for name, values in filterable.items()
        if values
    }


def ascii_subject(text: str) -> str:
    """Return the nearest subject that SNS takes: ASCII, one line, not too long."""
    one_line = " ".join(text.split())
    plain = unicodedata.normalize("NFKD", one_line.translate(LETTERS))
    letters = [letter for letter in plain if not unicodedata.combining(letter)]
    kept = "".join([letter if " " <= letter <= "~" else "?" for letter in letters])
    return kept[:SUBJECT_LENGTH].strip() or "Whosthere"
