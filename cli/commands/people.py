"""`./whosthere people`: list who is enrolled, rename somebody, or compare photos with S3."""

import argparse

from cli.aws.connect import add_options, confirm, connect, print_result
from cli.aws.people.people_list import PeopleList, person_row, photo_lines, read_people
from cli.aws.people.rename import move_photos, wait_for_name
from cli.aws.target import Target
from cli.errors import InputError
from cli.interrupts import Interrupts
from cli.tables import format_table
from whosthere.clock import now_ms
from whosthere.people.differences import find_differences, send_keys
from whosthere.people.person_names import folded_name, why_no_name, written_name

HELP = "list who is enrolled by which photos and who looks alike, or rename somebody"
EXAMPLE = "./whosthere people --rename Bob Robert"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("name", nargs="?", help="list every photo of this person")
    add_options(parser, camera=False)
    parser.add_argument(
        "--rename", nargs=2, metavar=("OLD", "NEW"), help="give a person another name"
    )
    parser.add_argument(
        "--merge", action="store_true", help="with --rename: both names are one person's"
    )
    parser.add_argument(
        "--reconcile", action="store_true", help="compare the photos in S3 with the table now"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace, interrupts: Interrupts) -> int:
    """List, rename or reconcile, and return the exit code."""
    if arguments.rename and (arguments.reconcile or arguments.name):
        raise InputError("--rename takes two names and nothing else")
    with connect(arguments) as target:
        if arguments.rename:
            return _rename(arguments, target, interrupts)
        if arguments.reconcile:
            return _reconcile(arguments, target)
        return _list(arguments, target)


def _list(arguments: argparse.Namespace, target: Target) -> int:
    found = read_people(target)
    if arguments.name:
        found = _only(found, arguments.name)
    zone = target.settings()["timeZone"]
    content = {
        "stack": str(target),
        "people": found.people,
        "waiting": found.waiting,
        "misplaced": found.misplaced,
    }
    rows = [person_row(person, zone, now_ms()) for person in found.people]
    lines = photo_lines(found, good=bool(arguments.name))
    text = "\n".join([format_table(rows), *lines]).strip()
    print_result(arguments, content, text or "nobody is enrolled: ./whosthere enroll NAME FILE...")
    return 0


def _only(found: PeopleList, name: str) -> PeopleList:
    wanted = folded_name(name)
    people = [person for person in found.people if folded_name(person["name"]) == wanted]
    if not people:
        known = ", ".join(person["name"] for person in found.people) or "nobody"
        raise InputError(f"nobody is enrolled as {name!r}; there are: {known}")
    keys = [key for key in found.waiting if folded_name(key.split("/")[1]) == wanted]
    return PeopleList(people, keys, {})


def _rename(arguments: argparse.Namespace, target: Target, interrupts: Interrupts) -> int:
    old, new = map(written_name, arguments.rename)
    if reason := why_no_name(new):
        raise InputError(reason)
    if arguments.merge and not confirm(
        target, f"The visits of {old} will count as those of {new}.", yes=arguments.yes
    ):
        return 1
    with interrupts.deferred():  # half moved, the photos would be two persons'
        person, new, moved = move_photos(target, old, new, merge=arguments.merge)
    is_done = wait_for_name(target, person, new)
    told = f"{old} is {new} from now on" if is_done else f"{old} will be {new} in a minute"
    content = {"stack": str(target), "id": person, "name": new, "photos": moved, "done": is_done}
    print_result(arguments, content, f"{told}: {moved} photos moved, and all visits stay")
    return 0 if is_done else 1


def _reconcile(arguments: argparse.Namespace, target: Target) -> int:
    keys = find_differences(target.people())
    send_keys(target.session.client("sqs"), target.output("ObjectsQueueUrl"), keys)
    text = f"{len(keys)} photos differ from what the table says, and are looked at now"
    agree = "what S3 holds and what the table says agree"
    print_result(arguments, {"stack": str(target), "sent": keys}, text if keys else agree)
    return 0
