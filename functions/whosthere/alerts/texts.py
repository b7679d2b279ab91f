"""Every text that the owner reads: subjects and sentences about visits and sessions.

Functions return whole alerts: the text for people, and the facts for machines.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NotRequired, Protocol, ReadOnly, TypedDict
from zoneinfo import ZoneInfo

from whosthere.alerts.message import (
    PERSON,
    PROBLEM,
    SESSION,
    STRANGER,
    SUBJECT_LENGTH,
    Alert,
    one_line,
)
from whosthere.clock import iso
from whosthere.costs.calculator import dollars_text
from whosthere.people.store import NAMELESS
from whosthere.session_store import Session

LATE_MS = 60_000
# Characters of a cause in a message; Step Functions allows 32,768.
LONGEST_CAUSE = 500
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
# What the owner can do, by what ended a session.
NEW_SESSION = "To start another session: ./whosthere start {camera} --minutes N"
CAMERA_ADVICE = (
    "Check the power and the network of the camera; on its machine `sudo whosthere-edge status` "
    "says what is wrong."
)
NO_REPORT = "Its report could not be written."
# Why a session ended, by the report's `endedBy`.
ENDINGS = {
    "stop": "it was asked to stop",
    "deadline": "its time was over",
    "silence": "the camera's video stopped",
    "no-media": "no video came from the camera",
    "denied": "Rekognition denied the stream processor",
    "problem": "something failed",
    "not-stopped": "the engine could not be stopped",
    "aborted": "its execution was aborted",
    "timed out": "its execution timed out",
    "failed": "its execution failed",
    "overdue": "it still ran after its deadline and was stopped by its schedule",
    "swept": "nothing watched it any more and the hourly sweep found it",
    "removed": "its camera or the stack was removed or changed",
}
ADVICE = {
    "no-media": f"{CAMERA_ADVICE} {NEW_SESSION}",
    "problem": NEW_SESSION,
    "aborted": NEW_SESSION,
    "timed out": NEW_SESSION,
    "failed": NEW_SESSION,
    "swept": NEW_SESSION,
    "not-stopped": (
        "The camera stays locked, and what runs costs money. The hourly sweep tries again and "
        "tells you; this shows what runs: aws rekognition list-stream-processors"
    ),
}
# What the owner is told of a signal: it stopped, it comes and goes, it is back.
STOPPED, FLAPPING, BACK = "stopped", "flapping", "back"
# What is wrong with a session's records.
NO_RECORDS = "Video comes from {camera}, but no record of it."
UNREADABLE = "Records of {camera} come, but none of them is JSON with a FaceSearchResponse."
UNUSED = "Records of {camera} with faces come, but none of them is used."
UNSEARCHED = "Images of {camera} come, but none of them is searched."
NO_IMAGE = "Video comes from {camera}, but no image of it"
MAY_NOT_WRITE = (
    f"{NO_IMAGE}, although its fragments are tagged: who sends the video may not write images. "
    "That role needs s3:PutObject on frames/ in the bucket (docs/permissions.md, CameraRole)."
)
CANNOT_TAG = (
    f"{NO_IMAGE}: none of its fragments is tagged, and another program than whosthere-edge sends "
    "them. Some programs, such as kvssink, cannot tag: send the video with whosthere-edge "
    "(edge/README.md)."
)
# No problem: an empty door looks the same.
NOTHING_TAGGED = (
    "No image of {camera} yet: the camera has tagged nothing. Nothing moved, or whosthere-edge "
    "runs with --tag never."
)
RECORDS_ADVICE = (
    "If this lasts: `./whosthere stop {camera}` and a new session; the logs of the functions say "
    "why records fail."
)


class AlertedVisit(Protocol):
    """The visit that an alert is about: `who` was confirmed at `captured_ms`."""

    @property
    def id(self) -> str:
        """The name of the visit, the same at every retry."""

    @property
    def who(self) -> str:
        """The id of the person or stranger."""

    @property
    def camera(self) -> str:
        """The camera."""

    @property
    def session(self) -> str:
        """The id of the session."""

    @property
    def similarity(self) -> float:
        """The best similarity of a sure sighting, 0 to 100."""

    @property
    def is_probable(self) -> bool:
        """Whether only unsure sightings have confirmed it."""

    @property
    def unsure(self) -> "UnsureFaces":
        """The unsure sightings."""

    @property
    def captured_ms(self) -> int:
        """When the confirming frame was captured."""

    @property
    def recognised_ms(self) -> int:
        """When the confirming record was written."""


class UnsureFaces(Protocol):
    """The unsure sightings of a visit."""

    @property
    def sightings(self) -> int:
        """How many."""

    @property
    def similarity(self) -> float:
        """The best similarity, 0 to 100."""


class VisitFrequency(Protocol):
    """How often a stranger came lately."""

    @property
    def visits(self) -> int:
        """How many visits."""

    @property
    def days(self) -> int:
        """In how many days."""

    @property
    def is_recurring(self) -> bool:
        """Whether that is often enough to say so."""


class SessionEnding(Protocol):
    """How a session ended: by what and, for a problem, with which error."""

    @property
    def by(self) -> str:
        """The report's `endedBy`."""

    @property
    def error(self) -> str:
        """The error's name, or nothing."""

    @property
    def cause(self) -> str:
        """The error's text, or nothing."""

    @property
    def reason(self) -> tuple[str, str]:
        """Error and cause, of a problem only."""

    @property
    def is_problem(self) -> bool:
        """Whether the owner did not plan it so."""

    @property
    def is_not_authorized(self) -> bool:
        """Whether a right is missing."""


class RecordsSummary(TypedDict):
    """The part of a report's `watch` that the session's message needs."""

    records: ReadOnly[int]
    withFace: ReadOnly[int]
    problem: ReadOnly[str]
    note: ReadOnly[str]


class UnsureSummary(TypedDict):
    """The part of a report about a person that unsure faces resembled."""

    who: ReadOnly[str]
    sightings: ReadOnly[int]
    similarity: ReadOnly[float]
    needsPhoto: ReadOnly[bool]


class PausesSummary(TypedDict):
    """How long a session was paused at limits on its cost; moments in ISO 8601."""

    minutes: ReadOnly[float]
    lastFrom: ReadOnly[str]
    lastUntil: ReadOnly[str]


class LimitedSummary(TypedDict):
    """The part of a report about what was not searched because of a limit on the cost."""

    drops: ReadOnly[Mapping[str, int]]
    limitPauses: ReadOnly[NotRequired[PausesSummary | None]]


class ReportSummary(LimitedSummary):
    """The part of a report that the session's message needs."""

    engine: ReadOnly[str]
    records: ReadOnly[int]
    unsure: ReadOnly[int]
    unsurePersons: ReadOnly[Sequence[UnsureSummary]]
    watch: ReadOnly[RecordsSummary | None]
    stops: ReadOnly[Mapping[str, int]]
    latencies: ReadOnly[Mapping[str, Mapping[str, int] | None]]
    cost: ReadOnly["CostSummary"]
    visits: ReadOnly[Sequence[object]]
    strangers: ReadOnly[Sequence[object]]


class CostSummary(TypedDict):
    """The part of a report about what the session cost."""

    dollars: ReadOnly[float]
    without: ReadOnly[Sequence[str]]


@dataclass(frozen=True, slots=True)
class HealthChange:
    """A change of a signal that the owner is told: STOPPED, FLAPPING or BACK since `since_ms`.

    `stops` is how often it stopped since `first_ms`. `next_ms` is when the next message about the
    camera's health may come, if this one is the last before, else 0.
    """

    told: str
    since_ms: int
    stops: int
    first_ms: int
    is_stopped: bool
    is_late: bool = False
    next_ms: int = 0


@dataclass(frozen=True, slots=True)
class PictureLink:
    """A link to a stranger's picture, and until when it works; or why there is none."""

    url: str
    until_ms: int
    problem: str = ""


def person_alert(visit: AlertedVisit, names: Sequence[str], time_zone: str, now_ms: int) -> Alert:
    """Return the alert about a person's visit; several names are hard to tell apart."""
    name = " or ".join(names)
    at = clock_time(visit.captured_ms, time_zone)
    where, probably, similarity = f" at {visit.camera} {at[:5]}", "", visit.similarity
    text = f"{name} was seen at {visit.camera} at {at}.\nHow sure: {similarity:.1f} of 100."
    if visit.is_probable:
        probably, similarity = "Probably ", visit.unsure.similarity
        text = _probable_text(visit, names, at)
    length = SUBJECT_LENGTH - len(where) - len(probably)
    return Alert(
        kind=PERSON,
        camera=visit.camera,
        session=visit.session,
        subject=probably + (one_line(name, length) or NAMELESS) + where,
        text=text + _lateness(visit.captured_ms, now_ms, time_zone),
        facts={
            "name": name,
            "persons": list(names),
            "probably": visit.is_probable,
            "visit": visit.id,
            "similarity": round(similarity, 2),
            "captured": iso(visit.captured_ms),
            "recognised": iso(visit.recognised_ms),
        },
        sent_ms=now_ms,
    )


def _probable_text(visit: AlertedVisit, names: Sequence[str], at: str) -> str:
    found, name = visit.unsure, " or ".join(names)
    text = f"This was probably {name} ({percent(found.similarity)}), at {visit.camera} at {at}.\n"
    text += f"{found.sightings} sightings were unsure. A second photo helps"
    if len(names) > 1 or name == NAMELESS:
        return f"{text}."
    return f"{text}: ./whosthere enroll {shlex.quote(name)} PHOTO"


def percent(similarity: float) -> str:
    """Return a similarity as a percentage, rounded down: 89.97 is below a threshold of 90."""
    return f"{int(similarity)} %"


def unsure_line(name: str, unsure: UnsureSummary) -> str:
    """Return how many unsure sightings were like a person, and what helps."""
    like = f"most like {name} ({percent(unsure['similarity'])})"
    helps = ": a second photo helps" if unsure["needsPhoto"] else ""
    plural = "s" if unsure["sightings"] > 1 else ""
    return f"{unsure['sightings']} unsure sighting{plural}, {like}{helps}"


def stranger_alert(
    visit: AlertedVisit,
    picture: PictureLink | None,
    *,
    seen_before: bool,
    frequency: VisitFrequency,
    time_zone: str,
    now_ms: int,
) -> Alert:
    """Return the alert about a stranger's visit, with a link to the picture if there is one."""
    at = clock_time(visit.captured_ms, time_zone)
    who = "A stranger seen before" if seen_before else "A stranger"
    lines = [f"{who} was seen at {visit.camera} at {at}."]
    if frequency.is_recurring:
        days = "1 day" if frequency.days == 1 else f"{frequency.days} days"
        lines.append(f"This stranger keeps coming: {frequency.visits} visits in {days}.")
    if picture and picture.url:
        until = clock_time(picture.until_ms, time_zone)[:5]
        lines.append(f"Picture (until {until}): {picture.url}")
    elif picture:
        lines.append(f"There is a picture, but no link to it: AWS answered {picture.problem}.")
    else:
        lines.append("There is no picture; the review queue says why.")
    lines.append(f"It waits in the review queue: review/pending/{visit.who}/ in the bucket.")
    return Alert(
        kind=STRANGER,
        camera=visit.camera,
        session=visit.session,
        subject=f"Stranger at {visit.camera} {at[:5]}",
        text="\n".join(lines) + _lateness(visit.captured_ms, now_ms, time_zone),
        facts={
            "name": visit.who,
            "stranger": visit.who,
            "visit": visit.id,
            "recurring": frequency.is_recurring,
            "recentVisits": frequency.visits,
            "similarity": None,
            "captured": iso(visit.captured_ms),
            "recognised": iso(visit.recognised_ms),
            "picture": picture.url if picture and picture.url else None,
            "pictureUntil": iso(picture.until_ms) if picture and picture.url else None,
        },
        sent_ms=now_ms,
    )


def started(session: Session) -> Alert:
    """Return the message that the session searches faces now."""
    until = clock_time(session.deadline_ms, session.settings.time_zone)[:5]
    text = f"Faces are searched at {session.camera} until {until}."
    return _alert(SESSION, session, f"Session started at {session.camera}", text)


def video(session: Session, change: HealthChange) -> Alert:
    """Return the message that video stopped, comes and goes, or is back."""
    camera = session.camera
    if change.told == BACK:
        subject = f"Video is back at {camera}"
        lines = [f"Video comes from {camera} again{_since(session, change)}."]
    elif change.told == FLAPPING:
        subject = f"Video comes and goes at {camera}"
        now = "No video comes now." if change.is_stopped else "Video comes now."
        lines = [f"Video from {camera} {_stops(session, change)}. {now}", CAMERA_ADVICE]
    else:
        after = "ends unless video comes back" if _ends(session) else "goes on and waits for it"
        subject = f"No video from {camera}"
        gone = f"No video comes from {camera} any more{_since(session, change)}."
        lines = [f"{gone} The session {after}.", CAMERA_ADVICE]
    return _health(session, subject, lines, change, silent=change.is_stopped)


def _ends(session: Session) -> bool:
    return session.settings.on_silence == "end"


def records(session: Session, problem: str, change: HealthChange) -> Alert:
    """Return the message that records are missing or useless, come and go, or are well again."""
    camera, advice = session.camera, RECORDS_ADVICE.format(camera=session.camera)
    if change.told == BACK:
        subject = f"Faces are searched again at {camera}"
        lines = [f"Records come from {camera} again{_since(session, change)}."]
    elif change.told == FLAPPING:
        subject = f"Face search comes and goes at {camera}"
        lines = [f"Face search at {camera} {_stops(session, change)}. {problem}".strip(), advice]
    else:
        subject = f"Faces are not searched at {camera}"
        late = f" This lasts{_since(session, change)}." if change.is_late else ""
        lines = [f"{problem}{late} The session goes on."]
        # What no new session mends says itself what does.
        lines += [] if problem.startswith(NO_IMAGE.format(camera=camera)) else [advice]
    return _health(session, subject, lines, change, records=not change.is_stopped)


def _since(session: Session, change: HealthChange) -> str:
    """Return since when a change holds, if the message about it comes late."""
    if not change.is_late:
        return ""
    return f", since {day_and_time(change.since_ms, session.settings.time_zone)}"


def _stops(session: Session, change: HealthChange) -> str:
    first = day_and_time(change.first_ms, session.settings.time_zone)
    return f"comes and goes: it stopped {change.stops} times since {first}"


def _health(
    session: Session, subject: str, lines: list[str], change: HealthChange, **facts: object
) -> Alert:
    """Return a message about a camera's health, with what comes after it."""
    if change.told == BACK:
        lines = [*lines, "There is nothing to do."]
    if change.next_ms:
        then = day_and_time(change.next_ms, session.settings.time_zone)
        lines = [
            *lines,
            f"The next message about this comes after {then}; reports count all stops.",
        ]
    more = {"change": change.told, "since": iso(change.since_ms), "stops": change.stops}
    return _alert(PROBLEM, session, subject, "\n".join(lines), **more, **facts)


def failed_checks(session: Session, count: int, since_ms: int, *, is_over: bool) -> Alert:
    """Return the message that the session could not be checked for a while, or still cannot.

    `since_ms` is when that began if the message comes late, else 0.
    """
    camera = session.camera
    after = (
        "It went on, and is checked again. There is nothing to do."
        if is_over
        else f"It goes on and tries again. `./whosthere status {camera}` shows what it does."
    )
    late = day_and_time(since_ms, session.settings.time_zone) if since_ms else ""
    when = f" on {late}" if late else ""
    text = f"The session at {camera} could not be checked{when} ({count} failed in a row). {after}"
    subject = f"Session at {camera} was not checked"
    return _alert(PROBLEM, session, subject, text, failedChecks=count)


def ended(session: Session, report: str, ending: SessionEnding, stack: str) -> Alert:
    """Return the message of the session's end; `report` is its report in a few lines."""
    error, cause = ending.reason
    cause = _short(cause)
    text = f"{report}\n{error}: {cause}" if error else report
    if ending.by == "denied":
        text += f"\n{CLOSED} --stack-name {stack}"
    elif ending.is_not_authorized:
        text += f"\n{NOT_AUTHORIZED} --stack-name {stack}"
    elif advice := ADVICE.get(ending.by):
        text += f"\n{advice.format(camera=session.camera)}"
    word = "Problem at" if ending.is_problem else "Session ended at"
    kind = PROBLEM if ending.is_problem else SESSION
    facts = {"endedBy": ending.by, "error": error, "cause": cause}
    return _alert(kind, session, f"{word} {session.camera}", text, **facts)


def _records_line(report: ReportSummary) -> str:
    seen, used, unsure = report["watch"], report["records"], f"unsure faces: {report['unsure']}"
    if report["engine"] == "image-search":
        if not used and not (seen and seen["records"]):
            known = (seen["problem"] or seen["note"]) if seen else ""
            return known or "No image came: does the camera tag its fragments?"
        text = f"Images searched: {used}, {unsure}."
    elif seen:
        text = f"Records: {seen['records']}, with a face: {seen['withFace']}, {unsure}."
    else:
        text = f"Records with a face: {used}, {unsure}."
    return f"{text} {seen['problem'] if seen else ''}".strip()


def _stops_line(stops: Mapping[str, int]) -> str:
    """Return how often video and face search stopped, or nothing."""
    names = {"video": "video", "records": "face search"}
    found = [f"{names[name]} {count}" for name, count in stops.items() if count]
    return f"Stops: {', '.join(found)}." if found else ""


def limit_line(report: LimitedSummary, time_zone: str) -> str:
    """Return what was not searched because of a limit on the cost, or nothing."""
    lacks, pauses = [], report.get("limitPauses")  # older reports have none
    if images := report["drops"].get("images_over_limit", 0):
        lacks.append(f"{images} images")
    if pauses:
        start, end = (_wall_clock(pauses[name], time_zone) for name in ("lastFrom", "lastUntil"))
        lacks.append(f"{pauses['minutes']:g} minutes, the last of them from {start} to {end}")
    return f"Not searched, because of the limit: {'; '.join(lacks)}." if lacks else ""


def cost_line(cost: CostSummary) -> str:
    """Return what a session cost, and what no price is known of."""
    lacks = f", without {', '.join(cost['without'])}" if cost["without"] else ""
    return f"It cost about {dollars_text(cost['dollars'])}{lacks}."


def limit_reached(session: Session, name: str, until_ms: int, images: int) -> Alert:
    """Return the message that the limit of that name is spent, and what is not searched.

    The session is paused until then; `images` is how many were left out before, near the limit.
    """
    camera, settings = session.camera, session.settings
    is_month = name == "maxDollarsMonth"
    dollars = dollars_text(settings.max_dollars_month if is_month else settings.max_dollars)
    who = "The sessions of this month have" if is_month else f"The session at {camera} has"
    until = day_and_time(until_ms, settings.time_zone)
    until += "" if until_ms < session.deadline_ms else ", when the session ends"
    lines = [
        f"{who} spent {dollars} ({name}). Nothing that {camera} sees is searched until {until}.",
        *[f"{images} images were left out before, near the limit."] * bool(images),
        f"{limit_advice(camera, name)} To end it: ./whosthere stop {camera}",
    ]
    subject = f"Limit reached at {camera}"
    return _alert(PROBLEM, session, subject, "\n".join(lines), limit=name)


def limit_advice(camera: str, name: str) -> str:
    """Return how a session that is paused at a limit goes on."""
    return f"To search on: ./whosthere pause {camera} --off --set {name}=DOLLARS (0: no limit)."


def report_heading(session: Session) -> str:
    """Return when the session ran and why it ended, in a line."""
    start, end = (
        clock_time(moment_ms, session.settings.time_zone)[:5]
        for moment_ms in (session.started_ms, session.ended_ms or session.started_ms)
    )
    why = ENDINGS.get(str(session.ended_by), str(session.ended_by))
    return f"The session at {session.camera} ran from {start} to {end} and ended because {why}."


def report_text(
    session: Session, report: ReportSummary, names: Mapping[str, str] | None = None
) -> str:
    """Return the report in a few lines, for a phone; `names` are of persons it may name, by id."""
    lines = [
        report_heading(session),
        f"Visits of people: {len(report['visits'])}, of strangers: {len(report['strangers'])}.",
        _records_line(report),
    ]
    for unsure in report["unsurePersons"]:
        if unsure["needsPhoto"] and names and unsure["who"] in names:
            lines.append(f"{unsure_line(names[unsure['who']], unsure)}.")
    if stopped := _stops_line(report["stops"]):
        lines.append(stopped)
    if not_searched := limit_line(report, session.settings.time_zone):
        lines.append(not_searched)
    if late := report["latencies"]["capturedToSent"]:
        lines.append(f"Alerts came {late['p50'] / 1000:.1f} s after the capture (median).")
    lines.append(cost_line(report["cost"]))
    return "\n".join(lines)


def unopened(session_id: str, camera: str, ending: SessionEnding) -> Alert:
    """Return the message that a session could not be opened."""
    where = camera or "a camera"
    cause = _short(ending.cause)
    why = f"{ending.error}: {cause}" if ending.error else f"Its execution was {ending.by}."
    again = f"\n{NEW_SESSION.format(camera=camera)}" if camera else ""
    return Alert(
        kind=PROBLEM,
        camera=camera,
        session=session_id,
        subject=f"No session at {where}",
        text=f"The session at {where} could not start. {why}{again}",
        facts={"error": ending.error, "cause": cause},
    )


def stopped_after_all(session: Session) -> Alert:
    """Return the message that what an ended session had left running is stopped."""
    subject = f"Stopped after all at {session.camera}"
    text = f"What an ended session at {session.camera} had started is stopped now. "
    text += "There is nothing to do."
    return _alert(PROBLEM, session, subject, text, endedBy=session.ended_by)


def _short(cause: str) -> str:
    return cause if len(cause) <= LONGEST_CAUSE else cause[:LONGEST_CAUSE] + "…"


def _alert(kind: str, session: Session, subject: str, text: str, **facts: object) -> Alert:
    return Alert(kind, session.camera, session.id, subject, text, facts)


def clock_time(moment_ms: int, time_zone: str) -> str:
    """Return the time of day on the owner's wall clock, `HH:MM:SS`."""
    return datetime.fromtimestamp(moment_ms / 1000, ZoneInfo(time_zone)).strftime("%H:%M:%S")


def _wall_clock(moment: str, time_zone: str) -> str:
    return datetime.fromisoformat(moment).astimezone(ZoneInfo(time_zone)).strftime("%H:%M")


def day_and_time(moment_ms: int, time_zone: str) -> str:
    """Return day and time on the owner's wall clock, `Monday 30 November, 22:15`."""
    moment = datetime.fromtimestamp(moment_ms / 1000, ZoneInfo(time_zone))
    return f"{moment:%A} {moment.day} {moment:%B, %H:%M}"


def _lateness(captured_ms: int, now_ms: int, time_zone: str) -> str:
    """Return a line that says that an alert comes late, and of which day it is; or nothing."""
    late_ms = now_ms - captured_ms
    if late_ms < LATE_MS:
        return ""
    minutes = round(late_ms / 60_000)
    ago = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
    when = day_and_time(captured_ms, time_zone)
    return f"\nThis comes late: it happened {ago} ago, on {when}."
