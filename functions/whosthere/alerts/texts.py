"""Messages about a session: that it began, what fails in it, and how it ended."""

from typing import Any

from whosthere.alerts import message as alerts
from whosthere.alerts.message import PROBLEM, SESSION, Alert
from whosthere.session_store import Session

# Where stream processors are closed to an account or a Region, Rekognition denies their calls
# without a word (Rekognition: Availability changes; Guidelines and quotas).
CLOSED = """Rekognition offers no stream processors here:
- the account: they are closed to accounts that did not use them before 30 April 2026
- the Region: us-east-1, us-west-2, ap-northeast-1, eu-central-1 and eu-west-1 have them
This changes to images, which every account has:
sam deploy --parameter-overrides Engine=image-search"""
NOT_AUTHORIZED = """A right is missing: the state machine's role needs
rekognition:CreateStreamProcessor (on the collection and the processor),
rekognition:StartStreamProcessor and iam:PassRole (on the processor's role).
This grants them again: sam deploy"""
NO_REPORT = "Its report could not be written."


def started(session: Session) -> Alert:
    """Return the message that the session searches faces now."""
    until = alerts.clock(session.deadline_ms, session.settings.time_zone)
    text = f"Faces are searched at {session.camera} until {until}."
    return _alert(SESSION, session, f"Session started at {session.camera}", text)


def silence(session: Session, *, silent: bool) -> Alert:
    """Return the message that video stopped, or came back."""
    if not silent:
        subject, text = "Video is back at", f"Video comes from {session.camera} again."
    else:
        ends = session.settings.on_silence == "end"
        after = "ends unless video comes back" if ends else "goes on and waits for it"
        subject = "No video from"
        text = f"No video comes from {session.camera} any more. The session {after}."
    return _alert(PROBLEM, session, f"{subject} {session.camera}", text, silent=silent)


def records(session: Session, problem: str) -> Alert:
    """Return the message that records are missing or useless, or are well again."""
    word = "not searched" if problem else "searched again"
    text = (
        f"{problem} The session goes on."
        if problem
        else f"Records come from {session.camera} again."
    )
    subject = f"Faces are {word} at {session.camera}"
    return _alert(PROBLEM, session, subject, text, records=not problem)


def failed_checks(session: Session, count: int) -> Alert:
    """Return the message that the session could not be checked for a while."""
    text = (
        f"The session at {session.camera} could not be checked ({count} failed in a row). "
        "It went on, and is checked again."
    )
    subject = f"Session at {session.camera} was not checked"
    return _alert(PROBLEM, session, subject, text, failedChecks=count)


def ended(session: Session, report: str, ending: Any, stack: str) -> Alert:
    """Return the message of the session's end; `report` is its report in a few lines."""
    error, cause = ending.reason
    text = f"{report}\n{error}: {cause}" if error else report
    if ending.by == "denied":
        text += f"\n{CLOSED} --stack-name {stack}"
    elif ending.is_not_authorized:
        text += f"\n{NOT_AUTHORIZED} --stack-name {stack}"
    word = "Problem at" if ending.is_problem else "Session ended at"
    kind = PROBLEM if ending.is_problem else SESSION
    facts = {"endedBy": ending.by, "error": error, "cause": cause}
    return _alert(kind, session, f"{word} {session.camera}", text, **facts)


def unopened(session_id: str, camera: str, ending: Any) -> Alert:
    """Return the message that a session could not be opened."""
    where = camera or "a camera"
    why = f"{ending.error}: {ending.cause}" if ending.error else f"Its execution was {ending.by}."
    return Alert(
        kind=PROBLEM,
        camera=camera,
        session=session_id,
        subject=f"No session at {where}",
        text=f"The session at {where} could not start. {why}",
        facts={"error": ending.error, "cause": ending.cause},
    )


def stopped_after_all(session: Session) -> Alert:
    """Return the message that what an ended session had left running is stopped."""
    subject = f"Stopped after all at {session.camera}"
    text = f"What an ended session at {session.camera} had started is stopped now."
    return _alert(PROBLEM, session, subject, text, endedBy=session.ended_by)


def _alert(kind: str, session: Session, subject: str, text: str, **facts: Any) -> Alert:
    return Alert(kind, session.camera, session.id, subject, text, facts)
