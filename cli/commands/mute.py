"""`./whosthere mute`: no word of a person, of strangers or of anybody for a while."""

import argparse
import difflib
from typing import Any

from cli.aws.connect import add_options, talking, tell
from cli.aws.durations import minutes_in, shown
from cli.aws.target import Target
from cli.errors import InputError
from cli.interrupts import Interrupts
from whosthere import settings, settings_file
from whosthere.alerts import mute as mutes
from whosthere.alerts.mute import EVERYBODY, STRANGERS, Mute
from whosthere.clock import iso, now_ms
from whosthere.people import store as people

HELP = "tell nothing of somebody for a while; without a name: who is muted"
EXAMPLE = "./whosthere mute Alice 2h"
WORDS = {"strangers": STRANGERS, "everybody": EVERYBODY}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("who", nargs="?", help="a person's name, `strangers` or `everybody`")
    parser.add_argument("length", nargs="?", help="45m, 2h, 1h30m, 1d")
    add_options(parser, camera=False)
    parser.add_argument("--off", action="store_true", help="tell of them again")


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Mute, unmute or list, and give the exit code."""
    minutes = minutes_in(arguments.length) if arguments.length else 0
    if arguments.who and bool(minutes) == arguments.off:
        raise InputError("say for how long, or --off: ./whosthere mute Alice 2h")
    with talking(arguments) as target:
        table = target.table()
        if arguments.who:
            who = _id_of(target, arguments.who)
            if arguments.off:
                mutes.unmute(table, who)
            else:
                mutes.mute(table, who, now_ms() + 60_000 * minutes)
        now = now_ms()
        held = [one for one in mutes.mutes(table) if one.holds(now)]
        names = {one.who: _name_of(table, one.who) for one in held}
        time_zone = _time_zone(target)
    content = {"mutes": [{"who": names[one.who], "until": iso(one.until_ms)} for one in held]}
    lines = [_line(one, names[one.who], time_zone, now) for one in held]
    tell(arguments, content, "\n".join(lines) or "nobody is muted")
    return 0


def _line(one: Mute, name: str, time_zone: str, now: int) -> str:
    return f"{name}: muted until {shown(one.until_ms, time_zone, now)}; visits are kept"


def _id_of(target: Target, name: str) -> str:
    if name in WORDS:
        return WORDS[name]
    person = people.person_id(name, target.id)
    if people.name_of(target.table(), person) != people.NAMELESS:
        return person
    known = list(WORDS) + _names(target)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "there are: " + ", ".join(known)
    raise InputError(f"nobody is enrolled as {name!r}; {hint}")


def _names(target: Target) -> list[str]:
    """Names of those who have photos in the bucket."""
    pages = target.client("s3").get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=target.output("BucketName"), Prefix="people/", Delimiter="/")
    return [one["Prefix"].split("/")[1] for page in found for one in page.get("CommonPrefixes", ())]


def _name_of(table: Any, who: str) -> str:
    words = {known: word for word, known in WORDS.items()}
    return words.get(who) or people.name_of(table, who)


def _time_zone(target: Target) -> str:
    file = settings_file.read(target.client("s3"), target.output("BucketName"))
    return str(settings.merge(file, "", {})["timeZone"])
