"""`./whosthere forget`: remove all that is kept of a person or stranger, and say what expires."""

import argparse
import time
from collections.abc import Mapping

from cli.aws.connect import add_options, confirm, connect, print_result
from cli.aws.people.face_search import search_labels
from cli.aws.people.photo_files import read_photo, require_files
from cli.aws.target import Target
from cli.errors import InputError
from cli.forget.plan import (
    find_stranger,
    plan_look_alikes,
    plan_person,
    plan_strangers,
    refuse_named,
)
from cli.forget.receipt import Remainder, remainders
from cli.forget.removal import forget
from cli.interrupts import Interrupts
from cli.progress import Progress
from cli.tables import format_table
from whosthere.clock import now_ms
from whosthere.people.person_names import why_no_name
from whosthere.people.store import read_people

HELP = "remove all that is kept of a person or stranger, and say what expires by itself"
EXAMPLE = "./whosthere forget Alice"
KINDS = {
    "photos": "photos",
    "pictures": "pictures of strangers",
    "queueItems": "entries of the review queue",
    "facesOfPeople": "faces of people",
    "facesOfStrangers": "faces of strangers",
    "facesOfLookAlikes": "faces that were taken for somebody",
    "visits": "visits",
    "rows": "rows of the table, with those visits",
    "failures": "stored failures",
    "deadLetters": "dead letters",
    "picturesOfDecisions": "decisions, cleared of their pictures",
}
# The same for somebody who is known and somebody who is not.
ANSWER = "Whoever looks like this photo is no stranger here any more. The photo was stored nowhere."
STEP_SECONDS = 10  # an answer takes a multiple of it, so that its time says little


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("who", nargs="?", help="a person's name, or a stranger's id")
    add_options(parser, camera=False)
    parser.add_argument(
        "--face",
        metavar="PHOTO",
        help="forget the strangers who look like this photo, which is stored nowhere; the answer"
        " is the same whether there are any",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Forget somebody and return the exit code; interrupted, the next call ends what was begun."""
    if (arguments.who is None) == (arguments.face is None):
        raise InputError("say whom to forget: a name, a stranger's id, or --face PHOTO")
    with connect(arguments) as target:
        if arguments.face:
            return _forget_face(arguments, target)
        return _forget_who(arguments, target)


def _forget_who(arguments: argparse.Namespace, target: Target) -> int:
    stranger = find_stranger(target.table(), arguments.who)
    who = stranger or arguments.who
    if stranger:
        refuse_named(target.table(), stranger)
        plan = plan_strangers(target, [stranger])
    elif reason := why_no_name(who):
        raise InputError(reason)
    else:
        plan = plan_person(target, who)
    _confirm(arguments, target, f"All that is kept of {who} will be removed for good.")
    with Progress(to_stderr=arguments.json).live(f"{who} is being forgotten"):
        removed = forget(target, plan)
    remains = remainders(target, now_ms()) if removed else []
    content = {
        "stack": str(target),
        "who": who,
        "removed": dict(removed),
        "remains": [one.as_json() for one in remains],
    }
    print_result(arguments, content, _receipt(target, who, removed, remains))
    return 0


def _forget_face(arguments: argparse.Namespace, target: Target) -> int:
    (path,) = require_files([arguments.face])
    _confirm(arguments, target, "Strangers who look like this photo will be removed for good.")
    begun = time.monotonic()
    threshold = float(target.settings()["matchThreshold"])
    files = target.stranger_files()
    with Progress(to_stderr=arguments.json).live("strangers are searched"):
        photo = read_photo(path)
        found, taken = (
            search_labels(files.rekognition, collection, photo, threshold)
            for collection in (files.collection, target.look_alikes_collection)
        )
        plan = plan_strangers(target, found) | plan_look_alikes(target, taken)
        forget(target, plan, always_twice=True)
        time.sleep(STEP_SECONDS - (time.monotonic() - begun) % STEP_SECONDS)
    remains = remainders(target, now_ms())
    content = {
        "stack": str(target),
        "answer": ANSWER,
        "remains": [one.as_json() for one in remains],
    }
    print_result(arguments, content, "\n".join([ANSWER, *_remains(target, remains)]))
    return 0


def _confirm(arguments: argparse.Namespace, target: Target, question: str) -> None:
    if not confirm(target, question, yes=arguments.yes):
        raise InputError("nothing was removed")


def _receipt(target: Target, who: str, removed: Mapping[str, int], remains: list[Remainder]) -> str:
    if not removed:
        names = sorted(person.name for person in read_people(target.table()) if person.name)
        return f"nothing is kept of {who}; enrolled are: {', '.join(names) or 'nobody'}"
    rows = [(f"  {removed[kind]}", text) for kind, text in KINDS.items() if kind in removed]
    lines = [f"{who} is forgotten. Removed:", format_table(rows), *_remains(target, remains)]
    return "\n".join(lines)


def _remains(target: Target, remains: list[Remainder]) -> list[str]:
    zone, now = target.settings()["timeZone"], now_ms()
    rows = [one.as_row(zone, now) for one in remains]
    return ["What may be left expires by itself, at the latest:", format_table(rows)]
