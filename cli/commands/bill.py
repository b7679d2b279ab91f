"""`./whosthere bill`: print what a session, a day or a month has cost, line by line."""

import argparse
from typing import Any

from cli.aws.connect import add_options, connect, print_result
from cli.aws.sessions.bill import BilledSession, Period, SessionBills, parse_day, parse_month
from cli.aws.sessions.session_start import cost_text
from cli.aws.target import Target, resolve_camera
from cli.interrupts import Interrupts
from whosthere.clock import iso
from whosthere.costs.calculator import Cost, added, cost_of, line_json, sum_text
from whosthere.costs.prices import price_table

HELP = "show what a session, a day or a month has cost, line by line"
EXAMPLE = "./whosthere bill --month 2026-11"
NOT_COUNTED = (
    "Not counted: enrolling, review and decisions outside sessions; video that comes while no "
    "session searches; the run time of Lambda; what is stored in S3 and DynamoDB; logs and alarms."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_options(parser, camera=False)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--session", metavar="ID", help="this session")
    which.add_argument("--day", help="today, yesterday or a date such as 2026-11-29 (UTC)")
    which.add_argument("--month", metavar="YYYY-MM", help="a month (UTC); if nothing is said, this")
    parser.add_argument("--camera", help="only this camera's sessions")


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Print the bill and return the exit code."""
    with connect(arguments) as target:
        bills, prices = SessionBills(target), price_table(target.region)
        if arguments.session:
            sessions = [bills.one(arguments.session)]
            title, usage = f"Session {arguments.session}", sessions[0].with_shard
        else:
            period, camera = _period(arguments), _camera(target, arguments.camera)
            sessions = bills.of(period, camera)
            used = [one.usage for one in sessions]
            title, usage = (
                _title(period, camera, sessions),
                added([*used, bills.shards(period, camera)]),
            )
        cost = cost_of(usage, prices)
        each = [_session_json(one, cost_of(one.usage, prices)) for one in sessions]
    content = {
        "stack": str(target),
        "dollars": round(cost.dollars, 6),
        "without": list(cost.without),
        "lines": [line_json(line) for line in cost.lines],
        "sessions": each,
        "notCounted": NOT_COUNTED,
    }
    print_result(arguments, content, _text(title, cost, sessions))
    return 0


def _period(arguments: argparse.Namespace) -> Period:
    return parse_day(arguments.day) if arguments.day else parse_month(arguments.month or "")


def _camera(target: Target, given: str | None) -> str:
    return resolve_camera(target, given) if given else ""


def _title(period: Period, camera: str, sessions: list[BilledSession]) -> str:
    where = f" at {camera}" if camera else ""
    count = len(sessions)
    return f"{period.name}{where}: {count} session{'' if count == 1 else 's'}"


def _text(title: str, cost: Cost, sessions: list[BilledSession]) -> str:
    lines = [f"{title}, about {sum_text(cost)}"]
    if cost.lines:
        lines.append(cost_text(cost))
    running = [one.id for one in sessions if one.is_running]
    if running:
        lines.append(f"Still without their end: {', '.join(running)}.")
    if old := [one.id for one in sessions if one.is_estimate]:
        lines.append(f"Minutes from start to end, and no video: {', '.join(old)}.")
    return "\n".join([*lines, NOT_COUNTED])


def _session_json(one: BilledSession, cost: Cost) -> dict[str, Any]:
    return {
        "session": one.id,
        "camera": one.camera,
        "engine": one.engine,
        "started": iso(one.started_ms),
        "running": one.is_running,
        "dollars": round(cost.dollars, 6),
    }
