"""`./whosthere strangers`: list who waits in the review queue, or decide about strangers."""

import argparse
from typing import Any

from cli.aws.connect import add_options, confirm, connect, print_result
from cli.aws.target import Target
from cli.aws.time_formats import format_time
from cli.errors import InputError
from cli.interrupts import Interrupts
from cli.review.acts import UNDO_MINUTES, Act, Acts
from cli.tables import format_table
from whosthere.clock import iso, now_ms
from whosthere.people.store import name_of
from whosthere.strangers.review_queue import folder_of
from whosthere.strangers.store import list_strangers
from whosthere.strangers.stranger import DISCARDED, IGNORED, NAMED, PENDING, Stranger

HELP = "list the strangers who wait for you, or name, ignore, discard, merge and split them"
EXAMPLE = "./whosthere strangers s-1a2b3c4d5e6f --name Alice"
DECIDED = (IGNORED, NAMED, DISCARDED)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("strangers", nargs="*", help="ids of strangers, to decide about them")
    add_options(parser, camera=False)
    acts = parser.add_mutually_exclusive_group()
    acts.add_argument("--name", metavar="NAME", help="they are this person, new or known")
    acts.add_argument("--ignore", action="store_true", help="no further alert about them")
    acts.add_argument(
        "--discard",
        action="store_true",
        help=f"forget them, for good after {UNDO_MINUTES} minutes",
    )
    acts.add_argument(
        "--back", action="store_true", help="into the queue again, whatever was decided"
    )
    acts.add_argument("--merge", action="store_true", help="all of them are the first one")
    acts.add_argument(
        "--split", nargs="+", metavar="PICTURE", help="these pictures show somebody else"
    )
    acts.add_argument("--all", action="store_true", help="list those too who are decided on")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """List strangers or decide about them, and return the exit code."""
    with connect(arguments) as target:
        act = _decide(arguments, target)
        if act is None and arguments.discard:
            return 1  # the owner said no
        if act is not None:
            print_result(arguments, {"stack": str(target), "done": act.text}, act.text)
            return 0
        return _list(arguments, target)


def _decide(arguments: argparse.Namespace, target: Target) -> Act | None:
    """Do what was asked for; None if nothing was, or the owner said no."""
    acts, strangers = Acts(target, "command"), arguments.strangers
    plain = {"ignore": acts.ignore, "back": acts.back, "merge": acts.merge}
    if chosen := [do for option, do in plain.items() if getattr(arguments, option)]:
        return chosen[0](strangers)
    if arguments.name is not None:
        return acts.name(strangers, arguments.name)
    if arguments.discard:
        question = f"Pictures and faces are gone for good after {UNDO_MINUTES} minutes."
        return acts.discard(strangers) if confirm(target, question, yes=arguments.yes) else None
    if arguments.split:
        return acts.split(strangers, arguments.split)
    if strangers:
        raise InputError("say what to do: --name NAME, --ignore, --discard, --back or --merge")
    return None


def _list(arguments: argparse.Namespace, target: Target) -> int:
    statuses = (PENDING, *DECIDED) if arguments.all else (PENDING,)
    found = list_strangers(target.table(), *statuses)
    zone = target.settings()["timeZone"]
    content = [_stranger_json(target, one) for one in found]
    rows = [_row(one, zone) for one in content]
    text = format_table(rows) or "nobody waits: strangers appear here with a picture"
    print_result(arguments, {"stack": str(target), "strangers": content}, text)
    return 0


def _stranger_json(target: Target, stranger: Stranger) -> dict[str, Any]:
    bucket, folder = target.output("BucketName"), folder_of(stranger.status, stranger.id)
    return {
        "stranger": stranger.id,
        "status": stranger.status,
        "person": name_of(target.table(), stranger.person) if stranger.person else None,
        "cameras": list(stranger.cameras),
        "visits": stranger.visits,
        "recurring": stranger.is_recurring,
        "sightings": stranger.sightings,
        "firstSeen": iso(stranger.first_ms),
        "lastSeen": iso(stranger.last_ms),
        "pictures": [picture.file for picture in stranger.pictures],
        "folder": f"s3://{bucket}/{folder}",
        "lastSeenMs": stranger.last_ms,
    }


def _row(one: dict[str, Any], zone: str) -> tuple[str, ...]:
    visits = "1 visit" if one["visits"] == 1 else f"{one['visits']} visits"
    pictures = len(one["pictures"])
    status = one["person"] or ("" if one["status"] == PENDING else one["status"])
    recurring = "keeps coming" if one["recurring"] else ""
    return (
        one["stranger"],
        ", ".join(one["cameras"]),
        f"last {format_time(one.pop('lastSeenMs'), zone, now_ms())}",
        visits,
        "1 picture" if pictures == 1 else f"{pictures} pictures",
        ", ".join(filter(None, (status, recurring))),
    )
