"""The people of a stack: who, with which photos, and when they were seen last."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from cli.aws.people.photo_verdicts import alike_text, photo_json, photo_text
from cli.aws.target import Target
from cli.aws.time_formats import format_time
from whosthere.clock import iso
from whosthere.dynamodb import Table
from whosthere.people import photo_keys, photo_store, store
from whosthere.people.differences import list_photos
from whosthere.people.person_names import folded_name
from whosthere.people.photo_keys import PREFIX
from whosthere.people.photo_store import PhotoRow
from whosthere.people.reconcile import ENROLLED
from whosthere.people.store import Person
from whosthere.visits.queries import last_visits


@dataclass(frozen=True, slots=True)
class LastSeen:
    """When a person was seen last, and at which camera."""

    moment_ms: int
    camera: str


@dataclass(frozen=True, slots=True)
class PeopleList:
    """Everybody, as JSON by name, and the photos that are not judged yet or nobody's."""

    people: list[dict[str, Any]]
    waiting: list[str]
    misplaced: dict[str, str]


def read_people(target: Target) -> PeopleList:
    """Read everybody with their photos and the latest visit of each."""
    table = target.table()
    persons = store.read_people(table)
    seen = _last_seen(table, target.cameras, persons)
    listed, _ = list_photos(target.people())
    keys = [key for key in listed if not key.endswith("/")]
    photos = photo_store.read_listed_photos(table, persons, keys)
    found = [
        _person_json(table, person, seen.get(person.id), photos.get(person.id, ()))
        for person in persons
        if not person.merged_into
    ]
    misplaced = {key: reason for key in keys if (reason := photo_keys.why_no_photo(key))}
    judged = {photo["key"] for person in found for photo in person["photos"]}
    return PeopleList(
        people=sorted(found, key=lambda person: folded_name(person["name"])),
        waiting=sorted(set(keys) - judged - misplaced.keys()),
        misplaced=misplaced,
    )


def _last_seen(
    table: Table, cameras: Sequence[str], persons: Iterable[Person]
) -> dict[str, LastSeen]:
    """Return when each person was seen last, under the id of today."""
    heirs = {person.id: person.merged_into or person.id for person in persons}
    for _ in range(store.MOST_MERGES):
        heirs |= {one: heirs.get(heir, heir) for one, heir in heirs.items()}
    visits = sorted(last_visits(table, cameras, heirs), key=attrgetter("last_ms"))
    return {heirs[visit.who]: LastSeen(visit.last_ms, visit.camera) for visit in visits}


def _person_json(
    table: Table, person: Person, seen: LastSeen | None, rows: Iterable[PhotoRow]
) -> dict[str, Any]:
    photos = [photo_json(table, person.id, row) for row in rows]
    alike = [photo["looksLike"] for photo in photos if photo["looksLike"]]
    most = {one["name"]: one for one in sorted(alike, key=lambda one: float(one["similarity"]))}
    return {
        "name": person.name,
        "id": person.id,
        "good": sum(photo["status"] == ENROLLED for photo in photos),
        "lastSeen": iso(seen.moment_ms) if seen else None,
        "lastSeenMs": seen.moment_ms if seen else None,
        "camera": seen.camera if seen else None,
        "looksLike": list(most.values()),
        "lookAlikes": len(person.look_alikes),
        "photos": photos,
    }


def person_row(person: dict[str, Any], time_zone: str, now_ms: int) -> tuple[str, str, str, str]:
    """Return the line of a person, as the columns of a table."""
    good, all_ = person["good"], len(person["photos"])
    photos = f"{good} good photo{'' if good == 1 else 's'}"
    if good != all_:
        photos += f", {all_ - good} refused"
    if number := person["lookAlikes"]:
        photos += f", not {person['name']}: {number} picture{'' if number == 1 else 's'}"
    seen = "never seen"
    if person["lastSeenMs"]:
        seen = f"seen {format_time(person['lastSeenMs'], time_zone, now_ms)} at {person['camera']}"
    return person["name"], photos, seen, ", ".join(map(alike_text, person["looksLike"]))


def photo_lines(found: PeopleList, *, good: bool) -> list[str]:
    """Return a line for each photo that enrolls nobody, or for `good` ones too."""
    photos = [photo for person in found.people for photo in person["photos"]]
    lines = [photo_text(photo) for photo in photos if good or photo["status"] != ENROLLED]
    lines += [f"{key.removeprefix(PREFIX)}: not judged yet" for key in found.waiting]
    return lines + [f"{key}: refused: {reason}" for key, reason in found.misplaced.items()]
