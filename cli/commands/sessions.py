"""`./whosthere sessions`: list running and past sessions and how each ended, or show a report."""

import argparse
import json
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cli.aws.connect import add_options, connect, print_result
from cli.aws.sessions.session_report import report_lines
from cli.aws.target import Target
from cli.aws.time_formats import format_time, to_ms
from cli.errors import InputError
from cli.interrupts import Interrupts
from cli.tables import format_table
from whosthere.alerts.texts import ENDINGS
from whosthere.clock import iso, now_ms
from whosthere.people.store import name_of
from whosthere.session.report import report_key
from whosthere.session_store import Session, read_session

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import ExecutionListItemTypeDef

HELP = "list running and past sessions and how they ended, or show the report of one"
EXAMPLE = "./whosthere sessions --last 5"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("session", nargs="?", help="show the report of this one")
    add_options(parser, camera=False)
    parser.add_argument(
        "--last", type=int, default=10, metavar="N", help="how many (default: %(default)s)"
    )


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Print the sessions, or the report of one, and return the exit code."""
    with connect(arguments) as target:
        if arguments.session is not None:
            report = read_report(target, arguments.session)
            print_result(arguments, report, "\n".join(_report_lines(target, report)))
            return 0
        found = [_session_json(target, one) for one in list_executions(target, arguments.last)]
    text = format_table(map(_session_row, found)) or "there was no session yet"
    print_result(arguments, {"stack": str(target), "sessions": found}, text)
    return 0


def list_executions(target: Target, number: int) -> "list[ExecutionListItemTypeDef]":
    """Return the latest executions, newest first; AWS keeps each for 90 days."""

    def pages() -> "Iterator[ExecutionListItemTypeDef]":
        machine = target.output("StateMachineArn")
        paginator = target.session.client("stepfunctions").get_paginator("list_executions")
        for page in paginator.paginate(stateMachineArn=machine):
            yield from page["executions"]

    # AWS lists the newest first.
    return list(islice(pages(), max(0, number)))


def read_report(target: Target, session_id: str) -> dict[str, Any]:
    """Read the report of an ended session; InputError if there is none."""
    bucket = target.output("BucketName")
    try:
        answer = target.session.client("s3").get_object(Bucket=bucket, Key=report_key(session_id))
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
    return report_lines(report, partial(name_of, table), zone, now_ms())


def _session_json(target: Target, execution: "ExecutionListItemTypeDef") -> dict[str, Any]:
    session = read_session(target.table(), execution["name"])
    stopped = execution.get("stopDate")
    content = {
        "session": execution["name"],
        "camera": session.camera if session else None,
        "started": iso(to_ms(execution["startDate"])),
        "ended": None if stopped is None else iso(to_ms(stopped)),
        "endedBy": session.ended_by if session else None,
        "status": execution["status"],
        "timeZone": session.settings.time_zone if session else "UTC",
        "error": None,
    }
    if session is None and execution["status"] == "FAILED":
        content |= _refused_execution(target, execution)
    return content | _end_time(session)


def _end_time(session: Session | None) -> dict[str, Any]:
    # The report is made, and the camera free, before the execution is over.
    return {"ended": iso(session.ended_ms)} if session and session.ended_ms else {}


def _refused_execution(target: Target, execution: "ExecutionListItemTypeDef") -> dict[str, Any]:
    arn = execution["executionArn"]
    found = target.session.client("stepfunctions").describe_execution(executionArn=arn)
    return {"endedBy": "refused", "error": found.get("cause") or found.get("error")}


def _session_row(one: dict[str, Any]) -> tuple[str, str, str, str]:
    now = now_ms()
    when = format_time(to_ms(datetime.fromisoformat(one["started"])), one["timeZone"], now)
    if one["error"]:
        how = f"refused: {one['error']}"
    elif one["endedBy"] is None:
        how = "runs" if one["status"] == "RUNNING" else one["status"].lower()
    else:
        until = format_time(to_ms(datetime.fromisoformat(one["ended"])), one["timeZone"], now)
        when, how = f"{when} to {until}", ENDINGS.get(one["endedBy"], one["endedBy"])
    return one["session"], one["camera"] or "-", when, how
