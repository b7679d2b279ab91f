"""Past visits as the verbs read and write them: on the owner's clock, by name, as CSV."""

import csv
import difflib
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from boto3.dynamodb.conditions import Key

from cli.aws.effective_settings import read_settings
from cli.aws.target import Target
from cli.errors import InputError
from whosthere import dynamodb
from whosthere.clock import DAY_S, iso, now_ms
from whosthere.dynamodb import KEEP_ROWS_S
from whosthere.names import STRANGER_PREFIX
from whosthere.people.ownership import called
from whosthere.people.person_names import folded_name
from whosthere.people.store import read_people
from whosthere.visits.history import (
    ALL,
    PastVisit,
    delete_past_visits,
    find_past_visits,
    past_visits,
    span_of_days,
)
from whosthere.visits.identities import STRANGERS

KEPT_DAYS = KEEP_ROWS_S // DAY_S
SHORT_ID = 10
FIRST_YEAR, LAST_YEAR = 1971, 2285  # moments are 13 digits of milliseconds since 1970
# A program for tables calculates a cell that begins with one of these (OWASP, CSV Injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
COLUMNS = (
    *("visit", "camera", "who", "name", "first", "last"),
    *("seconds", "sightings", "similarity", "alert", "session"),
)


class VisitHistory:
    """The visits of a stack, by the owner's settings."""

    def __init__(self, target: Target) -> None:
        """Read the settings."""
        self._target, self._table = target, target.table()
        self._settings = read_settings(target)
        self.time_zone = self._settings("").time_zone

    def visits(
        self, last: date, days: int, *, camera: str, who: str, newest: int = ALL
    ) -> list[PastVisit]:
        """Return the visits of so many days up to and with the last one, newest first."""
        span = span_of_days(last, days, self.time_zone)
        return past_visits(self._table, span, self._gap_ms, camera=camera, who=who, newest=newest)

    def all_visits(self, camera: str) -> list[PastVisit]:
        """Return every visit at a camera that has rows, also if its clock is a day ahead."""
        tomorrow = self.parse_day("today") + timedelta(days=1)
        return self.visits(tomorrow, KEPT_DAYS + 2, camera=camera, who="")

    def visit(self, visit_id: str) -> PastVisit:
        """Return the visit of that name, which may be shortened; InputError if there is none."""
        found = find_past_visits(self._table, visit_id, self._gap_ms)
        if not found:
            raise InputError(f"there is no visit {visit_id}; `./whosthere visits` lists them")
        if len(found) > 1:
            ids = ", ".join(one.id for one in found)
            raise InputError(f"{visit_id} may be one of {ids}: say more of it")
        return found[0]

    def delete(self, visits: Sequence[PastVisit]) -> list[PastVisit]:
        """Delete visits; return those that stay, as they are going on."""
        now = now_ms()
        kept = [one for one in visits if one.goes_on(now, self._gap_ms(one.camera))]
        return kept + delete_past_visits(self._table, [one for one in visits if one not in kept])

    def parse_day(self, text: str) -> date:
        """Parse a day as people write it: today and yesterday are the owner's."""
        today = datetime.fromtimestamp(now_ms() / 1000, ZoneInfo(self.time_zone)).date()
        words = {"today": today, "yesterday": today - timedelta(days=1)}
        if text in words:
            return words[text]
        try:
            day = date.fromisoformat(text)
        except ValueError:
            day = None
        if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise InputError(f"{text!r} is no day: say today, yesterday or {today}")
        return day

    def find_who(self, text: str) -> str:
        """Return the id that a name, or the beginning of a stranger's id, means; or InputError."""
        if text.startswith(STRANGER_PREFIX):
            ids = Key("pk").eq(STRANGERS) & Key("sk").begins_with(text)
            strangers = {str(row["sk"]) for row in dynamodb.query(self._table, ids)}
            if len(strangers) > 1:
                several = ", ".join(sorted(strangers))
                raise InputError(f"{text} may be one of {several}: say more of it")
            return strangers.pop() if strangers else text
        persons = read_people(self._table)
        if found := called(persons, text):
            return found[0]
        names = {folded_name(person.name): person.name for person in persons if person.name}
        near = difflib.get_close_matches(folded_name(text), names, n=1, cutoff=0.5)
        known = ", ".join(sorted(names.values())) or "nobody"
        hint = f"did you mean {names[near[0]]}?" if near else f"there are: {known}"
        raise InputError(f"nobody is enrolled as {text!r}; {hint}")

    def write_csv(self, visits: Iterable[PastVisit], file: TextIO) -> None:
        """Write visits as CSV, with times on the owner's clock and cells that no program runs."""
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for visit in visits:
            content = visit_json(visit) | {
                "name": name_text(visit),
                "first": self._local(visit.first_ms),
                "last": self._local(visit.last_ms),
            }
            writer.writerow(_safe(content[name]) for name in COLUMNS)

    def _local(self, moment_ms: int) -> str:
        there = datetime.fromtimestamp(moment_ms / 1000, ZoneInfo(self.time_zone))
        return there.isoformat(timespec="milliseconds")

    def _gap_ms(self, camera: str) -> int:
        return self._settings(camera).gap_ms


def visit_json(visit: PastVisit) -> dict[str, Any]:
    """Return a visit as JSON has it; times in UTC."""
    return {
        "visit": visit.id,
        "camera": visit.camera,
        "who": visit.who,
        "names": list(visit.names),
        "first": iso(visit.first_ms),
        "last": iso(visit.last_ms),
        "seconds": round((visit.last_ms - visit.first_ms) / 1000, 3),
        "sightings": visit.sightings,
        "similarity": visit.similarity,
        "alert": visit.alert,
        "session": visit.session,
        "picture": visit.picture_key or None,
    }


def name_text(visit: PastVisit) -> str:
    """Return who it was, as people read it."""
    return " or ".join(visit.names) or f"stranger {visit.who[:SHORT_ID]}"


def short_id(visit: PastVisit) -> str:
    """Return a visit's name for people to copy, with a part of the person's id."""
    first = visit.stored[0].visit
    return f"{first.who[:SHORT_ID]}-{first.opened_ms}"


def _safe(cell: str | float) -> str | float:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
