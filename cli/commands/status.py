"""`./whosthere status`: what every camera does at the moment."""

import argparse
from typing import Any

from cli.aws.camera_status import Watching, watching
from cli.aws.connect import add_options, talking, tell
from cli.aws.durations import shown
from cli.aws.target import camera_name
from cli.interrupts import Interrupts
from whosthere.clock import iso, now_ms
from whosthere.session.health.records import facts

HELP = "what every camera does at the moment"
EXAMPLE = "./whosthere status"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    add_options(parser)


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Show the cameras and give the exit code."""
    with talking(arguments) as target:
        names = list(target.cameras)
        if arguments.camera is not None:
            names = [camera_name(target, arguments.camera)]
        table, now = target.table(), now_ms()
        found = [watching(table, name, now) for name in names]
    content = {"stack": str(target), "cameras": [_content(one) for one in found]}
    tell(arguments, content, "\n".join(line(one, now) for one in found))
    return 0


def line(one: Watching, now: int) -> str:
    """One camera in one line."""
    session = one.session
    if session is None or one.since_ms is None:
        return f"{one.camera}: {one.state}; never had a session"
    zone = session.settings.time_zone
    state = one.state
    if one.paused_until_ms:
        state += f" until {shown(one.paused_until_ms, zone, now)}; session"
    text = f"{one.camera}: {state} since {shown(one.since_ms, zone, now)}"
    if one.until_ms is None:
        text += f"; its last session was {session.id}, with "
    else:
        text += f" until {shown(one.until_ms, zone, now)} ({session.engine}, {session.id}); "
        text += f"{_seen(one, now)}; so far "
    return text + f"visits of people: {one.visits}, of strangers: {one.strangers}"


def _seen(one: Watching, now: int) -> str:
    last, watch = one.last_record_ms, one.watch
    text = "no face yet" if last is None else f"last record with a face {_ago(now - last)} ago"
    if watch.last:
        text = f"last record {_ago(watch.looked - watch.last)} before the last health check, {text}"
    return f"{watch.problem} {text}".strip()


def _ago(length_ms: int) -> str:
    seconds = max(0, length_ms // 1000)
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def _content(one: Watching) -> dict[str, Any]:
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
    }
