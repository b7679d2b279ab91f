"""`./whosthere sessions`: running and past sessions, and how each ended."""

import argparse
import json
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from cli.aws.connect import add_options, talking, tell
from cli.aws.durations import shown
from cli.aws.session_report import lines
from cli.aws.target import Target
from cli.errors import InputError
from cli.interrupts import Interrupts
from whosthere.clock import iso, now_ms
from whosthere.people import store as people
from whosthere.session.report import ENDINGS, report_key
from whosthere.session_store import Session, read_session

HELP = "running and past sessions, how they ended; the report of one"
EXAMPLE = "./whosthere sessions --last 5"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("session", nargs="?", help="show the report of this one")
    add_options(parser, camera=False)
    parser.add_argument(
        "--last", type=int, default=10, metavar="N", help="how many (default: %(default)s)"
    )


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Show the sessions, or one's report, and give the exit code."""
    with talking(arguments) as target:
        if arguments.session is not None:
            report = read_report(target, arguments.session)
            tell(arguments, report, "\n".join(_report_lines(target, report)))
            return 0
        found = [_content(target, one) for one in latest(target, arguments.last)]
    text = "\n".join(_line(one) for one in found) or "there was no session yet"
    tell(arguments, {"stack": str(target), "sessions": found}, text)
    return 0


def latest(target: Target, number: int) -> list[dict[str, Any]]:
    """The latest executions, newest first; AWS keeps each for 90 days."""

    def pages() -> Iterator[dict[str, Any]]:
        machine = target.output("StateMachineArn")
        paginator = target.client("stepfunctions").get_paginator("list_executions")
        for page in paginator.paginate(stateMachineArn=machine):
            yield from page["executions"]

    # AWS lists the newest first.
    return list(islice(pages(), max(0, number)))


def read_report(target: Target, session_id: str) -> dict[str, Any]:
    """The report of an ended session; InputError if there is none."""
    bucket = target.output("BucketName")
    try:
        answer = target.client("s3").get_object(Bucket=bucket, Key=report_key(session_id))
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        running = read_session(target.table(), session_id)
        why = "it still runs" if running and running.held else "`./whosthere sessions` lists all"
        raise InputError(f"there is no report of a session {session_id}: {why}") from error
    return dict(json.loads(answer["Body"].read()))


def _report_lines(target: Target, report: dict[str, Any]) -> Iterator[str]:
    table = target.table()
    session = read_session(table, report["session"])
    zone = session.settings.time_zone if session else "UTC"  # its row has expired
    return lines(report, partial(people.name_of, table), zone, now_ms())


def _content(target: Target, execution: dict[str, Any]) -> dict[str, Any]:
    session = read_session(target.table(), execution["name"])
    stopped = execution.get("stopDate")
    content = {
        "session": execution["name"],
        "camera": session.camera if session else None,
        "started": iso(_milliseconds(execution["startDate"])),
        "ended": None if stopped is None else iso(_milliseconds(stopped)),
        "endedBy": session.ended_by if session else None,
        "status": execution["status"],
        "timeZone": session.settings.time_zone if session else "UTC",
        "error": None,
    }
    if session is None and execution["status"] == "FAILED":
        content |= _refusal(target, execution)
    return content | _ended(session)


def _ended(session: Session | None) -> dict[str, Any]:
    # The report is made, and the camera free, before the execution is over.
    return {"ended": iso(session.ended_ms)} if session and session.ended_ms else {}


def _refusal(target: Target, execution: dict[str, Any]) -> dict[str, Any]:
    arn = execution["executionArn"]
    found = target.client("stepfunctions").describe_execution(executionArn=arn)
    return {"endedBy": "refused", "error": found.get("cause") or found.get("error")}


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _line(one: dict[str, Any]) -> str:
    now = now_ms()
    since = shown(_milliseconds(datetime.fromisoformat(one["started"])), one["timeZone"], now)
    text = f"{one['session']:<22} {one['camera'] or '-':<12} {since}"
    if one["error"]:
        return f"{text}  refused: {one['error']}"
    if one["endedBy"] is None:
        return f"{text}  {'runs' if one['status'] == 'RUNNING' else one['status'].lower()}"
    until = shown(_milliseconds(datetime.fromisoformat(one["ended"])), one["timeZone"], now)
    return f"{text} to {until}  {ENDINGS.get(one['endedBy'], one['endedBy'])}"
