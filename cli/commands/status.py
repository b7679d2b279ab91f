"""`./whosthere status`: print what every camera does at the moment."""

import argparse
from typing import Any

from cli.aws.cameras.camera_status import CameraStatus, read_camera_status
from cli.aws.connect import add_options, connect, print_result
from cli.aws.sessions.session_report import not_kept_text, saved_text
from cli.aws.target import resolve_camera
from cli.aws.time_formats import format_time
from cli.interrupts import Interrupts
from whosthere.alerts.texts import limit_advice, unsure_line
from whosthere.clock import iso, now_ms
from whosthere.costs.calculator import dollars_text
from whosthere.faces.match import failed_checks
from whosthere.people.differences import refused_photos
from whosthere.session.health.records import facts
from whosthere.session_store import Session

HELP = "show what every camera does at the moment"
EXAMPLE = "./whosthere status"
LONG_WAIT_MS = 10_000  # Kinesis Video Streams alone takes some seconds to make an image


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_options(parser)


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Print the status of the cameras and return the exit code."""
    with connect(arguments) as target:
        names, refused = list(target.cameras), dict[str, str]()
        if arguments.camera is not None:
            names = [resolve_camera(target, arguments.camera)]
        else:
            refused = dict(sorted(refused_photos(target.people())))
        table, now = target.table(), now_ms()
        found = [read_camera_status(table, name, now) for name in names]
    content = {
        "stack": str(target),
        "cameras": [_camera_json(one) for one in found],
        "refusedPhotos": refused,
    }
    lines = [status_line(one, now) for one in found]
    lines += [f"photo {key} is refused: {reason}" for key, reason in refused.items()]
    print_result(arguments, content, "\n".join(lines))
    return 0


def status_line(one: CameraStatus, now: int) -> str:
    """Return what status prints for one camera."""
    session = one.session
    if session is None or one.since_ms is None:
        return f"{one.camera}: {one.state}; never had a session"
    zone = session.settings.time_zone
    state = one.state
    if one.paused_until_ms:
        state += f" until {format_time(one.paused_until_ms, zone, now)}; session"
    text = f"{one.camera}: {state} since {format_time(one.since_ms, zone, now)}"
    if one.until_ms is None:
        text += f"; its last session was {session.id}, with "
    else:
        text += f" until {format_time(one.until_ms, zone, now)} ({session.engine}, {session.id}); "
        text += f"{_records_text(one, now)}; so far cost about {_cost_text(one, session)}, "
    text += f"visits of people: {one.visits}, of strangers: {one.strangers}"
    told = [unsure_line(name, unsure) for name, unsure in one.unsure]
    if one.limit:
        told.append(
            f"{one.limit} is spent: nothing is searched. {limit_advice(one.camera, one.limit)}"
        )
    if one.image_wait_ms >= LONG_WAIT_MS:
        told.append(f"images wait {_format_age(one.image_wait_ms)}")
    if saved := saved_text(one.counts):
        told.append(saved)
    if not_kept := not_kept_text(one.counts):
        told.append(f"faces of strangers not kept: {not_kept}")
    return "; ".join([text, *told])


def _cost_text(one: CameraStatus, session: Session) -> str:
    limit = session.settings.max_dollars
    return dollars_text(one.dollars) + (f" of {dollars_text(limit)}" if limit else "")


def _records_text(one: CameraStatus, now: int) -> str:
    last, watch = one.last_record_ms, one.watch
    is_images = one.session is not None and one.session.engine == "image-search"
    what, used = ("image", "image searched") if is_images else ("record", "record with a face")
    nothing = "no image searched yet" if is_images else "no face yet"
    text = nothing if last is None else f"last {used} {_format_age(now - last)} ago"
    if watch.last:
        before = _format_age(watch.looked - watch.last)
        text = f"last {what} {before} before the last health check, {text}"
    return f"{watch.problem or watch.note} {text}".strip()


def _format_age(length_ms: int) -> str:
    seconds = max(0, length_ms // 1000)
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def _camera_json(one: CameraStatus) -> dict[str, Any]:
    moments = {
        "since": one.since_ms,
        "until": one.until_ms,
        "pausedUntil": one.paused_until_ms,
        "lastRecord": one.last_record_ms,
    }
    session = one.session
    return {
        "camera": one.camera,
        "state": one.state,
        "session": session.id if session else None,
        "engine": session.engine if session else None,
        **{name: None if moment is None else iso(moment) for name, moment in moments.items()},
        "watch": facts(one.watch),
        "visits": one.visits,
        "strangers": one.strangers,
        "dollars": round(one.dollars, 6),
        "limit": one.limit or None,
        "unsure": [{"name": name, **unsure} for name, unsure in one.unsure],
        "notKept": failed_checks(one.counts),
        "imageWaitSeconds": round(one.image_wait_ms / 1000),
        "searchesSaved": int(one.counts.get("searches_saved", 0)),
        "detectionsSaved": int(one.counts.get("detections_saved", 0)),
    }
