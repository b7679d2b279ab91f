"""`./whosthere mute`: suppress alerts about a person, strangers or everybody for a while."""

import argparse
import difflib

from cli.aws.connect import add_options, connect, print_result
from cli.aws.target import Target
from cli.aws.time_formats import format_time, parse_minutes
from cli.errors import InputError
from cli.interrupts import Interrupts
from whosthere.alerts import mute
from whosthere.alerts.mute import EVERYBODY, STRANGERS, Mute
from whosthere.clock import iso, now_ms
from whosthere.dynamodb import Table
from whosthere.people.ownership import find_person
from whosthere.people.photo_keys import PREFIX
from whosthere.people.store import name_of

HELP = "suppress alerts about somebody for a while; without a name: list who is muted"
EXAMPLE = "./whosthere mute Alice 2h"
WORDS = {"strangers": STRANGERS, "everybody": EVERYBODY}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("who", nargs="?", help="a person's name, `strangers` or `everybody`")
    parser.add_argument("length", nargs="?", help="45m, 2h, 1h30m, 1d")
    add_options(parser, camera=False)
    parser.add_argument("--off", action="store_true", help="end the mute")


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Mute, unmute or list, and return the exit code."""
    minutes = parse_minutes(arguments.length) if arguments.length else 0
    if arguments.who and bool(minutes) == arguments.off:
        raise InputError("say for how long, or --off: ./whosthere mute Alice 2h")
    with connect(arguments) as target:
        table = target.table()
        if arguments.who:
            who = _id_of(target, arguments.who)
            if arguments.off:
                mute.unmute(table, who)
            else:
                mute.mute(table, who, now_ms() + 60_000 * minutes)
        now = now_ms()
        held = [one for one in mute.mutes(table) if one.holds(now)]
        names = {one.who: _name_of(table, one.who) for one in held}
        time_zone = target.settings()["timeZone"]
    content = {"mutes": [{"who": names[one.who], "until": iso(one.until_ms)} for one in held]}
    lines = [_line(one, names[one.who], time_zone, now) for one in held]
    print_result(arguments, content, "\n".join(lines) or "nobody is muted")
    return 0


def _line(one: Mute, name: str, time_zone: str, now: int) -> str:
    return f"{name}: muted until {format_time(one.until_ms, time_zone, now)}; visits are recorded"


def _id_of(target: Target, name: str) -> str:
    if name in WORDS:
        return WORDS[name]
    if person := find_person(target.table(), name, target.id):
        return person
    known = list(WORDS) + _names(target)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "there are: " + ", ".join(known)
    raise InputError(f"nobody is enrolled as {name!r}; {hint}")


def _names(target: Target) -> list[str]:
    """Return the names of people who have photos in the bucket."""
    pages = target.session.client("s3").get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=target.output("BucketName"), Prefix=PREFIX, Delimiter="/")
    return [one["Prefix"].split("/")[1] for page in found for one in page.get("CommonPrefixes", ())]


def _name_of(table: Table, who: str) -> str:
    words = {known: word for word, known in WORDS.items()}
    return words.get(who) or name_of(table, who)
