"""What a check of a session has read, made up: the facts of its pure decision."""

from dataclasses import replace

from whosthere import settings
from whosthere.session.engine import EngineStatus
from whosthere.session.facts import Facts
from whosthere.session.health.media import Media
from whosthere.session.progress import CheckProgress
from whosthere.session.requests import SessionRequests
from whosthere.session_store import Session

NOW = 1_800_000_000_000
MINUTE = 60_000
LIVE, NONE, SILENT = Media(1.0, 2.0), Media(None), Media(300.0, 2.0)
ALL = ["start", "end", "problem"]
RAN = CheckProgress(ran=True, start_told=True)
LIMITS = {"healthCheckSeconds": 60, "mediaWaitSeconds": 900, "silenceSeconds": 30, "tell": ALL}


def a_session(engine="stream-processor", held=True, **changes):
    values = settings.defaults() | LIMITS | changes
    return Session(
        id="one",
        camera="front-door",
        engine=engine,
        execution="arn:one",
        started_ms=NOW - 10 * MINUTE,
        deadline_ms=NOW + 60 * MINUTE,
        ended_ms=None,
        ended_by=None,
        held=held,
        settings=settings.from_values(values),
    )


def after(found, decision):
    """The facts of the next check, all of whose messages were sent."""
    marks = {name: value for one in decision.notices for name, value in one.marks.items()}
    health = decision.health or found.health
    health = health.with_sent(sum(one.counts for one in decision.notices), found.now_ms)
    for one in decision.notices:
        if one.signal:
            health = health.with_told(one.signal, one.told)
    return replace(found, progress=replace(decision.progress, **marks), health=health)


def facts(status="RUNNING", media=LIVE, progress=RAN, message="", paused=0, **changes):
    """Facts of a session that searches for nine minutes, but for what is given."""
    session_of = {
        "engine",
        "held",
        "healthCheckSeconds",
        "onSilence",
        "tell",
        "silenceLimitSeconds",
        "quietHours",
        "timeZone",
    }
    session = a_session(**{name: changes.pop(name) for name in session_of & set(changes)})
    requests = SessionRequests(changes.pop("stop", False), paused, changes.pop("count", 3))
    found = Facts(session, NOW, requests, progress, media, EngineStatus(status, message))
    return replace(found, **changes)
