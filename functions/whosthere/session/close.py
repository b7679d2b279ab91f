"""Closing a session: its report, the camera's lock, and a message to the owner."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NotRequired, TypedDict

from whosthere.alerts import texts
from whosthere.alerts.message import publish
from whosthere.costs.limits import settle
from whosthere.costs.prices import PriceTable, home_prices
from whosthere.dynamodb import Table
from whosthere.errors import loggable
from whosthere.metrics import calls_of_execution
from whosthere.names import StackNames
from whosthere.people.store import name_of
from whosthere.session.lock import unlock
from whosthere.session.report import as_json, as_lines, lines_key, make_report, report_key
from whosthere.session.reported import Report
from whosthere.session_store import Session, end_session, mark_told

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient

AS_PLANNED = ("stop", "deadline", "silence")
# An execution that ends like this has not failed, though the owner is told of a problem.
SUCCEEDED = (*AS_PLANNED, "no-media")
# The engine may still run: the camera stays locked until another safeguard has stopped it.
NOT_STOPPED = "not-stopped"
DENIED = "Rekognition.AccessDeniedException"
# What Step Functions adds to a service's message, and what stands for one that is not there: AWS's
# form is nowhere documented, and the answer's body has the name of the error alone.
ADDED = re.compile(
    r"""\s*\(Service: .*\)\s*$|^null\b|^\{["']__type["']: ?["'][\w.#]+["']\}$""", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended: by what and, for a problem, with which error."""

    by: str
    error: str = ""
    cause: str = ""

    @property
    def is_problem(self) -> bool:
        """Whether the owner did not plan it so."""
        return self.by not in AS_PLANNED

    @property
    def reason(self) -> tuple[str, str]:
        """Error and cause of a problem."""
        return (self.error, self.cause) if self.is_problem else ("", "")

    @property
    def is_not_authorized(self) -> bool:
        """Whether IAM denied a call of the stream processor to the state machine."""
        return self.error == DENIED and "is not authorized to perform" in self.cause


def ending_of(given: Mapping[str, str]) -> Ending:
    """Return the ending of a check, of what a Catch has caught, or of an ended execution.

    A stream processor's call that is denied without a message is denied by the service itself:
    it is closed to the account, or the Region has none.
    """
    error, cause = given.get("Error", ""), _message_of(given.get("Cause", ""))
    found = Ending(given.get("endedBy", "problem"), error, cause)
    if (
        "endedBy" not in given
        and error == DENIED
        and not ADDED.sub("", ADDED.sub("", cause)).strip()
    ):
        return replace(found, by="denied")
    return found


def _message_of(cause: str) -> str:
    """Return the message of a cause: a function's is JSON with its stack trace."""
    try:
        found = json.loads(cause)
    except Exception:  # such as ValueError, or RecursionError of 20,000 brackets
        return cause
    has_message = isinstance(found, dict) and "errorMessage" in found
    return str(found["errorMessage"]) if has_message else cause


def camera_asked_for(request: object) -> str:
    """Return the camera that a session was asked for, if its input says so: it may be anything."""
    try:
        found = json.loads(request) if isinstance(request, str) else request
    except Exception:  # such as RecursionError of 20,000 brackets
        return ""
    camera = found.get("camera") if isinstance(found, dict) else None
    return camera[:32] if isinstance(camera, str) else ""


class Outcome(TypedDict):
    """How a session ended, as the state machine ends by it: ids and numbers."""

    session: str
    endedBy: str
    succeeded: bool
    error: str
    cause: str
    camera: NotRequired[str]
    reportFailed: NotRequired[str]
    visits: NotRequired[int]
    strangers: NotRequired[int]
    report: NotRequired[str]


@dataclass(frozen=True, slots=True)
class ClosingContext:
    """What closing a session works with: clients, and the stack's names."""

    table: Table
    s3: "S3Client"
    sns: "SNSClient"
    stepfunctions: "SFNClient"
    names: StackNames
    logger: "Logger"
    prices: PriceTable = field(default_factory=home_prices)


def close(
    context: ClosingContext,
    session: Session,
    ending: Ending,
    now_ms: int,
    *,
    is_last_try: bool = True,
) -> Outcome:
    """Close the session and return how it ended, in ids and numbers.

    Safe to repeat: the first ending stays, and is what is told. Frees the camera last but for the
    message, so that what reads "free" finds the report. Without a report the camera is freed all
    the same; until the last try, what prevented the report is raised then, to be tried again.
    """
    session = end_session(
        context.table, session, ending.by, now_ms, error=ending.error, cause=ending.cause
    )
    first = Ending(str(session.ended_by), session.error, session.cause)
    report, failure = _report(context, session, first)
    with suppress(Exception):  # whatever it is, an amount must not keep the camera locked
        settle(context.table, session, context.prices, now_ms)
    if ending.by != NOT_STOPPED:
        unlock(context.table, session)
    if failure and not is_last_try:
        raise failure
    if not session.told:
        # Marked only once it is sent: twice in a crash is better than never.
        _tell(context, session, report, first)
    mark_told(context.table, session.id, reported=report is not None)
    made = outcome(session.id, first)
    made["camera"] = session.camera
    if report is None:
        return {**made, "reportFailed": type(failure).__name__}
    return {
        **made,
        "visits": len(report["visits"]),
        "strangers": len(report["strangers"]),
        "report": f"s3://{context.names.bucket}/{report_key(session.id)}",
    }


def outcome(session_id: str, ending: Ending) -> Outcome:
    """Return what the state machine ends by."""
    error, cause = ending.reason
    return {
        "session": session_id,
        "endedBy": ending.by,
        "succeeded": ending.by in SUCCEEDED,
        "error": error or ending.by,
        "cause": cause,
    }


def _report(
    context: ClosingContext, session: Session, ending: Ending
) -> tuple[Report | None, Exception | None]:
    """Write the report; return it, or None and the error that prevented it."""
    try:
        made = calls_of_execution(context.stepfunctions, session.execution)
        report = make_report(context.table, session, *ending.reason, made, context.prices)
        _put(context.s3, context.names.bucket, report)
    except Exception as error:  # whatever it is, it must not keep the camera locked
        context.logger.warning("report not written", extra=loggable(error))
        return None, error
    return report, None


def _put(s3: "S3Client", bucket: str, report: Report) -> None:
    """Put the report into the bucket, and its visits as lines of their own if there are any."""
    session_id = report["session"]
    lines, whole = as_lines(report), as_json(report)
    for key, body in ((lines_key(session_id), lines), (report_key(session_id), whole)):
        if body:
            s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def _tell(context: ClosingContext, session: Session, report: Report | None, ending: Ending) -> None:
    if ("problem" if ending.is_problem else "end") not in session.settings.tell:
        return
    made = _text(context.table, session, report)
    alert = texts.ended(session, made, ending, context.names.stack)
    publish(context.sns, context.names.topic_arn, alert)


def _text(table: Table, session: Session, report: Report | None) -> str:
    if report is None:
        return f"{texts.report_heading(session)}\n{texts.NO_REPORT}"
    most_like = [one["who"] for one in report["unsurePersons"] if one["needsPhoto"]][:1]
    return texts.report_text(session, report, {who: name_of(table, who) for who in most_like})
