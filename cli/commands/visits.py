"""`./whosthere visits`: list who was at the cameras, save it as CSV, or delete visits."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cli.aws.connect import add_options, confirm, connect, print_result
from cli.aws.people.not_person import WrongMatches
from cli.aws.people.visits import KEPT_DAYS, VisitHistory, name_text, short_id, visit_json
from cli.aws.target import Target, resolve_camera
from cli.aws.time_formats import format_time
from cli.errors import InputError
from cli.interrupts import Interrupts
from cli.setup.run_dirs import private_files
from cli.tables import format_table
from whosthere.clock import now_ms
from whosthere.visits.history import PastVisit

HELP = "list who was at the cameras; save that as CSV, delete visits, or say who it was not"
EXAMPLE = "./whosthere visits front-door --day yesterday"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("camera", nargs="?", help="only this one's visits")
    add_options(parser, camera=False)
    parser.add_argument("--day", help="today, yesterday or a date such as 2026-11-29")
    parser.add_argument(
        "--days", type=int, metavar="N", help="so many days, up to and with that one"
    )
    parser.add_argument(
        "--who",
        metavar="NAME",
        help=f"only this person's, or a stranger's by the id; without --day of {KEPT_DAYS} days",
    )
    parser.add_argument("--csv", metavar="FILE", help="write CSV to a file, or to - as output")
    delete = parser.add_mutually_exclusive_group()
    delete.add_argument("--delete", metavar="VISIT", help="delete this visit")
    delete.add_argument("--delete-day", metavar="DAY", help="delete what is listed of a day")
    delete.add_argument(
        "--not", dest="not_person", metavar="VISIT", help="that was somebody else: a stranger"
    )
    delete.add_argument("--undo-not", metavar="VISIT", help="it was that person after all")
    delete.add_argument("--delete-camera", metavar="CAMERA", help="delete all visits at a camera")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """List or delete visits and return the exit code: 1 if some could not be deleted."""
    if arguments.days is not None and not 1 <= arguments.days <= KEPT_DAYS:
        raise InputError(f"--days: 1 to {KEPT_DAYS}, as long as visits are kept")
    with connect(arguments) as target:
        history = VisitHistory(target)
        if arguments.not_person or arguments.undo_not:
            return take_back(arguments, target, history)
        if arguments.delete or arguments.delete_day or arguments.delete_camera:
            return _delete(arguments, target, history)
        visits = [one for one in _listed(arguments, target, history) if one.is_confirmed]
        if arguments.csv:
            return _write_csv(arguments, history, visits)
    content = {"stack": str(target), "visits": [visit_json(one) for one in visits]}
    now = now_ms()
    text = format_table(_row(one, history.time_zone, now) for one in visits)
    print_result(arguments, content, text or "nobody was seen")
    return 0


def _listed(
    arguments: argparse.Namespace, target: Target, history: VisitHistory
) -> list[PastVisit]:
    camera = _camera(target, arguments.camera)
    who = history.find_who(arguments.who) if arguments.who else ""
    day = arguments.delete_day or arguments.day
    days = arguments.days or (KEPT_DAYS if who and not day else 1)
    last = history.parse_day(day or "today")
    visits = history.visits(last, days, camera=camera, who=who)
    if camera and not visits and camera not in target.cameras:
        # One that the stack had may have visits still.
        raise InputError(f"no visits at {camera}; the stack has: {', '.join(target.cameras)}")
    return visits


def _camera(target: Target, given: str | None) -> str:
    return resolve_camera(target, given) if given else ""


def _delete(arguments: argparse.Namespace, target: Target, history: VisitHistory) -> int:
    if arguments.delete:
        visits = [history.visit(arguments.delete)]
    elif arguments.delete_camera:
        visits = history.all_visits(_camera(target, arguments.delete_camera))
    else:
        visits = _listed(arguments, target, history)
    if visits and not confirm(target, f"Delete {_count(visits)} for good?", yes=arguments.yes):
        raise InputError("nothing was deleted")
    left = history.delete(visits)
    done = len(visits) - len(left)
    text = f"{_count(visits[:done])} deleted"
    if left:
        text += f"; {_count(left)} still going on: delete again once nobody was seen for the gap"
    content = {"stack": str(target), "deleted": done, "left": [one.id for one in left]}
    print_result(arguments, content, text)
    return 1 if left else 0


def take_back(arguments: argparse.Namespace, target: Target, history: VisitHistory) -> int:
    """Say that a visit was somebody else's, or undo that; return the exit code."""
    matches = WrongMatches(target, "command")
    if arguments.undo_not:
        done = matches.undo(arguments.undo_not)
        text = f"{done.name} again; the pictures that said otherwise are gone"
        if done.stranger:
            text += f". If {done.stranger} was nobody else: ./whosthere strangers {done.stranger}"
            text += " --discard"
    else:
        visit = history.visit(arguments.not_person)
        done = matches.take_back(visit)
        number = len(done.pictures)
        text = f"not {done.name}: {number} picture{'' if number == 1 else 's'}"
        text += f"; it was {done.stranger}" if done.stranger else "; nothing else of him is kept"
        text += f". Undo: ./whosthere visits --undo-not {done.visit_id}"
    content = {"stack": str(target), "name": done.name, "pictures": list(done.pictures)}
    print_result(arguments, content | {"stranger": done.stranger or None}, text)
    return 0


def _count(visits: Sequence[PastVisit]) -> str:
    return f"{len(visits)} visit{'' if len(visits) == 1 else 's'}"


def _write_csv(
    arguments: argparse.Namespace, history: VisitHistory, visits: Sequence[PastVisit]
) -> int:
    if arguments.csv == "-":
        history.write_csv(visits, sys.stdout)
        return 0
    path = Path(arguments.csv)
    try:
        with private_files(), path.open("w", encoding="utf-8", newline="") as file:
            history.write_csv(visits, file)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    content = {"file": str(path), "visits": len(visits)}
    print_result(arguments, content, f"{_count(visits)} in {path}")
    return 0


def _row(visit: PastVisit, time_zone: str, now: int) -> tuple[str, ...]:
    first, last = (format_time(at, time_zone, now) for at in (visit.first_ms, visit.last_ms))
    how_sure = f", best {visit.similarity:.1f} of 100" if visit.similarity else ""
    return (
        first if first == last else f"{first} to {last}",
        name_text(visit),
        visit.camera,
        f"{visit.sightings} sightings{how_sure}",
        f"alert {visit.alert}",
        short_id(visit),
    )
