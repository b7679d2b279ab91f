"""Closing a session: its report, the camera's lock, and a word to the owner."""

from dataclasses import dataclass
from typing import Any

from whosthere import calls
from whosthere.alerts import message as alerts
from whosthere.alerts.message import Alert
from whosthere.dynamodb import Table
from whosthere.session.lock import unlock
from whosthere.session.report import as_json, as_lines, as_text, lines_key, make_report, report_key
from whosthere.session_store import Session, end_session, mark_told, read_session

AS_PLANNED = ("stop", "deadline", "silence")
# The engine may still run: the camera stays locked until another net has stopped it.
NOT_STOPPED = "not-stopped"
# Rekognition tells an account that stream processors are closed to no more than "access
# denied", as it does for a missing right or a Region without them (AWS documents no error
# of its own for it: Rekognition, Availability changes; Guidelines and quotas).
WHY_DENIED = """Possible causes:
- the account: stream processors are closed to accounts that did not use them before 30 April 2026
- the Region: it is us-east-1, us-west-2, ap-northeast-1, eu-central-1 or eu-west-1 that has them
- the state machine's role: rekognition:CreateStreamProcessor (collection, processor), iam:PassRole
If it is the account or the Region, this changes to images, which every account has:
sam deploy --parameter-overrides Engine=image-search"""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended: by what and, for a problem, with which error."""

    by: str
    error: str
    cause: str

    @property
    def is_problem(self) -> bool:
        """Whether the owner did not plan it so."""
        return self.by not in AS_PLANNED


def close(
    table: Table,
    s3: Any,
    sns: Any,
    stepfunctions: Any,
    *,
    session_id: str,
    ending: Ending,
    now_ms: int,
    bucket: str,
    topic_arn: str,
    stack: str,
) -> dict[str, Any]:
    """Close the session: safe to repeat, the first ending stays. Answers in ids and numbers.

    Frees the camera last but for the message, so that what reads "free" finds the report.
    """
    session = read_session(table, session_id)
    if session is None:  # it never came to be: there is nothing to close
        return {"session": session_id, "endedBy": ending.by}
    session = end_session(table, session, ending.by, now_ms)
    error, cause = (ending.error, ending.cause) if ending.is_problem else ("", "")
    made = calls.of_execution(stepfunctions, session.execution)
    report = make_report(table, session, error, cause, made)
    _keep(s3, bucket, report)
    if ending.by != NOT_STOPPED:
        unlock(table, session)
    topic = "problem" if ending.is_problem else "end"
    if not session.told:
        # Marked only once it is sent: twice in a crash is better than never.
        if topic in session.settings.tell:
            alerts.publish(sns, topic_arn, _message(session, report, ending, stack))
        mark_told(table, session_id)
    return {
        "session": session_id,
        "camera": session.camera,
        "endedBy": session.ended_by,
        "visits": len(report["visits"]),
        "strangers": len(report["strangers"]),
        "report": f"s3://{bucket}/{report_key(session_id)}",
    }


def _keep(s3: Any, bucket: str, report: dict[str, Any]) -> None:
    """Put the report into the bucket, and its visits as lines of their own if there are any."""
    json_type = {"Bucket": bucket, "ContentType": "application/json"}
    session_id = report["session"]
    if lines := as_lines(report):
        s3.put_object(Key=lines_key(session_id), Body=lines, **json_type)
    s3.put_object(Key=report_key(session_id), Body=as_json(report), **json_type)


def _message(session: Session, report: dict[str, Any], ending: Ending, stack: str) -> Alert:
    text = as_text(session, report)
    if ending.by == "denied":
        text += f"\n{WHY_DENIED} --stack-name {stack}"
    word = "Problem at" if ending.is_problem else "Session ended at"
    return Alert(
        kind=alerts.PROBLEM if ending.is_problem else alerts.SESSION,
        camera=session.camera,
        session=session.id,
        subject=f"{word} {session.camera}",
        text=text,
        facts={
            "endedBy": ending.by,
            "error": report["error"],
            "cause": report["cause"],
        },
    )
