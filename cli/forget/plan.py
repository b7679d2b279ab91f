"""Who is to be forgotten: every id that stands for one human, and where their objects lie.

A plan is written into the table before anything is removed, and goes last. So the next call ends
what an interrupted one has begun, although the rows that led to the plan may be gone.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from boto3.dynamodb.conditions import Key

from cli.aws.target import Target
from cli.errors import InputError
from whosthere import dynamodb
from whosthere.dynamodb import Table
from whosthere.people import photo_keys
from whosthere.people import store as people_store
from whosthere.people.ownership import called
from whosthere.people.person_names import folded_name, written_name
from whosthere.people.photo_keys import PREFIX
from whosthere.people.store import NAMELESS
from whosthere.strangers import look_alikes
from whosthere.strangers.review_queue import FOLDERS, REVIEW, folder_of
from whosthere.strangers.store import list_strangers, listed, who_is
from whosthere.strangers.stranger import DISCARDED, IGNORED, MERGED, NAMED, PENDING, Stranger

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PLANS = "forget"
STRANGER_ID = re.compile(r"s-[0-9a-f]{12}(-[0-9]+)?")
PART_OF_ID = re.compile(r"s-[0-9a-f]{4,12}(-[0-9]+)?")
MOST_NAMESAKES = 10  # persons who had one name, one after the other, and left rows behind


@dataclass(frozen=True, slots=True)
class ForgetPlan:
    """What is to be removed: ids of persons and strangers, prefixes of keys in S3, single keys."""

    ids: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()

    def __or__(self, other: "ForgetPlan") -> "ForgetPlan":
        """Return the plan to remove both."""
        return ForgetPlan(
            self.ids | other.ids, self.folders | other.folders, self.keys | other.keys
        )

    @property
    def strangers(self) -> list[str]:
        """Return the ids of strangers."""
        return sorted(id for id in self.ids if STRANGER_ID.fullmatch(id))


def plan_person(target: Target, name: str) -> ForgetPlan:
    """Plan to forget a person: by any form of the name, with the strangers who are the same human.

    The ids that the name had before are in it: visits stay when photos are deleted.
    """
    table, salt = target.table(), target.id
    persons = people_store.read_people(table)
    before = {photo_keys.person_id(name, salt, n + 1) for n in range(MOST_NAMESAKES)}
    before.add(photo_keys.first_schema_id(name, salt))
    unused = before - {person.id for person in persons}  # else somebody's by another name now
    strangers = _all_strangers(table)
    merged = [(person.id, person.merged_into) for person in persons]
    ids = _closure({*called(persons, name), *unused}, [*merged, *_successors(strangers)])
    names = {name} | {
        known for person in persons if person.id in ids for known in (person.name, *person.folders)
    }
    people = target.people()
    folders = set(_people_folders(people.s3, people.bucket, names))
    folders |= {f"{PREFIX}{written_name(known)}/" for known in names if known}
    folders |= {look_alikes.folder_of(id) for id in ids if not STRANGER_ID.fullmatch(id)}
    return ForgetPlan(ids, frozenset(folders)) | _review_objects(target, ids, strangers)


def plan_strangers(target: Target, found: Iterable[str]) -> ForgetPlan:
    """Plan to forget strangers, and who was merged with them; persons stay."""
    table = target.table()
    strangers = _all_strangers(table)
    # A part of an id that is nobody's any more stands for nobody.
    whole = {id: who_is(table, id) for id in found if STRANGER_ID.fullmatch(id)}
    named = {*whole, *(known.id for known in whole.values() if known)}
    ids = _closure(named, [(one.id, one.merged_into) for one in strangers])
    return ForgetPlan(ids) | _review_objects(target, ids, strangers)


def find_stranger(table: Table, text: str) -> str | None:
    """Return the id of the stranger that a text is the beginning of; None if it is a name.

    It is the text itself if there is no such stranger, perhaps any more. Raises InputError if
    there are several.
    """
    if not PART_OF_ID.fullmatch(text):
        return None
    ids = listed(table)
    found = [text] if text in ids else [id for id in ids if id.startswith(text)]
    if len(found) > 1:
        raise InputError(f"{text} may be one of {', '.join(sorted(found))}: say more of it")
    return found[0] if found else text


def refuse_named(table: Table, stranger: str) -> None:
    """Raise InputError if a stranger is a person by now: then that person can be forgotten."""
    known = who_is(table, stranger)
    name = people_store.name_of(table, known.person) if known and known.person else NAMELESS
    if name != NAMELESS:
        raise InputError(
            f"{stranger} was named {name}: forget {name}, or put the stranger back first"
            f" (./whosthere strangers {stranger} --back)"
        )


def write_plan(table: Table, plan: ForgetPlan) -> None:
    """Write a plan before anything of it is done; the same one twice is one row."""
    table.put_item(
        Item=_plan_key(plan)
        | dynamodb.STAMP
        | {"ids": sorted(plan.ids), "folders": sorted(plan.folders), "keys": sorted(plan.keys)}
    )


def read_plans(table: Table) -> ForgetPlan:
    """Return what all plans say that are not done yet."""
    return reduce(or_, _plans(table), ForgetPlan())


def remove_plans(table: Table, done: ForgetPlan) -> None:
    """Remove the plans that are done; one that was written meanwhile stays."""
    for plan in _plans(table):
        if plan | done == done:
            table.delete_item(Key=_plan_key(plan))


def _plans(table: Table) -> Iterator[ForgetPlan]:
    for row in dynamodb.query(table, Key("pk").eq(PLANS)):
        yield ForgetPlan(*(frozenset(row[part]) for part in ("ids", "folders", "keys")))


def _plan_key(plan: ForgetPlan) -> dict[str, str]:
    parts = [sorted(plan.ids), sorted(plan.folders), sorted(plan.keys)]
    return {"pk": PLANS, "sk": hashlib.sha256(repr(parts).encode()).hexdigest()}


def _all_strangers(table: Table) -> list[Stranger]:
    return list_strangers(table, PENDING, IGNORED, NAMED, DISCARDED, MERGED)


def _successors(strangers: Iterable[Stranger]) -> Iterator[tuple[str, str]]:
    for one in strangers:
        yield one.id, one.merged_into
        yield one.id, one.person


def _closure(ids: Iterable[str], successors: list[tuple[str, str]]) -> frozenset[str]:
    """Return ids with all that stand for one of them, over however many steps."""
    found = set(ids)
    while more := {one for one, other in successors if other in found} - found:
        found |= more
    return frozenset(found)


def _people_folders(s3: "S3Client", bucket: str, names: Iterable[str]) -> Iterator[str]:
    """Yield the folders of names as they are written in S3, also of deleted versions."""
    wanted = {folded_name(name) for name in names if name}
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=PREFIX)
    for page in pages:
        for item in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            folder, _, rest = item["Key"].removeprefix(PREFIX).partition("/")
            if rest and folded_name(folder) in wanted:
                yield f"{PREFIX}{folder}/"


def _review_objects(
    target: Target, ids: frozenset[str], strangers: Iterable[Stranger]
) -> ForgetPlan:
    """Return the folders of strangers, and the keys of copies of their pictures in `review/`."""
    own = [id for id in ids if STRANGER_ID.fullmatch(id)]
    folders = frozenset(folder_of(status, id) for status in FOLDERS for id in own)
    etags = {one.etag for known in strangers if known.id in ids for one in known.pictures}
    people = target.people()
    pages = people.s3.get_paginator("list_objects_v2").paginate(Bucket=people.bucket, Prefix=REVIEW)
    items = [item for page in pages for item in page.get("Contents", ())]
    copies = {item["Key"] for item in items if item["ETag"] in etags}
    taken = {key for key, stranger in _look_alike_pictures(target) if stranger in own}
    return ForgetPlan(folders=folders, keys=frozenset(copies | taken))


def plan_look_alikes(target: Target, labels: Iterable[str]) -> ForgetPlan:
    """Plan to forget pictures of whoever was taken for a person, by the labels of their faces."""
    wanted = set(labels)
    keys = {key for key, _ in _look_alike_pictures(target) if label_of(target, key) in wanted}
    return ForgetPlan(keys=frozenset(keys))


def label_of(target: Target, key: str) -> str:
    """Return the label of the face in a look-alike's picture; empty for any other key."""
    person = look_alikes.person_of_key(key)
    return photo_keys.face_label(person, key, target.id) if person else ""


def _look_alike_pictures(target: Target) -> Iterator[tuple[str, str]]:
    """Yield each look-alike's picture, with the stranger who was taken for a person."""
    s3, bucket = target.people().s3, target.people().bucket
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=look_alikes.PREFIX)
    for page in pages:
        for item in page.get("Contents", ()):
            facts = s3.head_object(Bucket=bucket, Key=item["Key"])["Metadata"]
            yield item["Key"], facts.get(look_alikes.STRANGER, "")
