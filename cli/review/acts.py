"""What the owner does with strangers: each act only moves pictures in S3.

The functions see what lies where and do the rest, as if the owner had moved them by hand.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from cli.aws.people.rename import free_key
from cli.aws.target import Target
from cli.errors import InputError
from whosthere.people.differences import list_photos
from whosthere.people.ownership import find_person
from whosthere.people.person_names import why_no_name, written_name
from whosthere.people.photo_keys import PREFIX
from whosthere.people.photo_store import read_photos
from whosthere.strangers.decisions.changed_object import via_metadata
from whosthere.strangers.decisions.settle import UNDO_MS
from whosthere.strangers.review_queue import GONE, PICTURE, folder_of, objects_of, stranger_of
from whosthere.strangers.store import read_stranger
from whosthere.strangers.stranger import DISCARDED, IGNORED, MERGED, PENDING, Stranger

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CopySourceTypeDef

VERDICT_S = 20.0  # until every photo of a new person is judged; usually two or three seconds
POLL_S = 0.3
UNDO_MINUTES = UNDO_MS // 60_000
PAGE = "page"
Moves = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Act:
    """What was done: a sentence, and the id that it is undone by; empty if it cannot be."""

    text: str
    id: str


class Acts:
    """The owner's acts on the strangers of one stack; `via` says what they were done with."""

    def __init__(self, target: Target, via: str = PAGE) -> None:
        """Begin with nothing done."""
        self._target, self._via = target, via
        self._table = target.table()
        self._files = target.stranger_files()
        self._done: dict[str, Moves] = {}

    def name(self, strangers: Sequence[str], name: str) -> Act:
        """Name strangers: their pictures become photos of a person, who may be new."""
        if reason := why_no_name(name):
            raise InputError(reason)
        known = self._unnamed(strangers)
        copies: Moves = []
        folder = f"{PREFIX}{written_name(name)}/"
        for stranger in known:
            for key in self._required_pictures(stranger.id):
                copies.append((key, f"{folder}{stranger.id}-{key.rpartition('/')[2]}"))
        for key, target in copies:
            self._copy(key, target)
        self._done[act := _act_id("name", known)] = [(target, "") for _, target in copies]
        return Act(f"{written_name(name)}: {self._verdict(name, [key for _, key in copies])}", act)

    def ignore(self, strangers: Sequence[str]) -> Act:
        """Ignore strangers: no further alert, still counted."""
        known = self._unnamed(strangers)
        self._done[act := _act_id("ignore", known)] = self._move(known, IGNORED)
        return Act(f"{self._who(known)} ignored: no further alert, visits are still counted", act)

    def discard(self, strangers: Sequence[str]) -> Act:
        """Discard strangers: forgotten for good in ten minutes."""
        known = self._unnamed(strangers)
        self._done[act := _act_id("discard", known)] = self._move(known, DISCARDED)
        return Act(f"{self._who(known)} discarded: gone for good after {UNDO_MINUTES} minutes", act)

    def back(self, strangers: Sequence[str]) -> Act:
        """Put strangers back into the queue, whatever was decided; photos of them go."""
        known = self._read(strangers)
        for stranger, photos in self._photos(known):
            if not self._pictures(stranger.id):
                for key in photos:
                    file = key.rpartition("/")[2].removeprefix(f"{stranger.id}-")
                    self._copy(key, f"{folder_of(PENDING, stranger.id)}{file}")
            for key in photos:
                self._delete(key)
        self._move(known, PENDING)
        return Act(f"{self._who(known)} back in the queue", "")

    def merge(self, strangers: Sequence[str]) -> Act:
        """Make one stranger of several: the first one's from now on."""
        known = self._read(strangers)
        if len(known) < 2:
            raise InputError("two strangers or more can be merged")
        first, *others = known
        folder, moves = folder_of(PENDING, first.id), []
        # Pictures of one frame have the same name, also in folders of other statuses.
        own = objects_of(self._files, first.id)
        taken = {f"{folder}{key.rpartition('/')[2]}": etag for key, etag in own.items()}
        for stranger in self._unnamed(one.id for one in others):
            for key, etag in self._required_pictures(stranger.id).items():
                target = free_key(f"{folder}{key.rpartition('/')[2]}", etag, taken)
                taken[target] = etag
                moves.append((key, target))
        for key, target in moves:
            self._copy(key, target)
        for stranger in others:
            for key in objects_of(self._files, stranger.id):
                self._delete(key)
        self._done[act := _act_id("merge", known)] = [(target, key) for key, target in moves]
        who = "They" if self._via == PAGE else f"{self._who(others)} and {first.id}"
        return Act(f"{who} are one stranger from now on", act)

    def split(self, strangers: Sequence[str], files: Sequence[str]) -> Act:
        """Make another stranger of some of one's pictures."""
        if len(strangers) != 1:
            raise InputError("say of which stranger the pictures are: one id")
        known, stranger = self._unnamed(strangers)[0], strangers[0]
        pictures = {key.rpartition("/")[2]: key for key in self._pictures(known.id)}
        if unknown := [file for file in files if file not in pictures]:
            there = ", ".join(pictures)
            raise InputError(f"{stranger} has no picture {unknown[0]}; there are: {there}")
        if len(files) == len(pictures):
            raise InputError("leave one picture at least, or nobody would be split off")
        moved = [one for one in known.pictures if one.file in files]
        new = f"s-{moved[0].sha256[:12]}" if moved else f"{stranger}-2"
        moves = [(pictures[file], f"{folder_of(PENDING, new)}{file}") for file in files]
        for key, target in moves:
            self._copy(key, target)
            self._delete(key)
        self._done[act := _act_id("split", [known])] = [(target, key) for key, target in moves]
        if self._via == PAGE:
            return Act("What it shows is another stranger from now on", act)
        return Act(f"{new} is another stranger than {stranger} from now on", act)

    def undo(self, act: str) -> Act:
        """Undo an act of this page; InputError names who is gone for good."""
        moves = self._done.get(act)
        if moves is None:
            raise InputError("this was undone already, or done by an earlier page")
        missed = set()
        for key, target in moves:
            if target and not self._copy(key, target):
                missed.add(stranger_of(target) or "")
            self._delete(key)
        del self._done[act]  # not before: what AWS refuses halfway can be undone again
        if lost := [id for id in sorted(missed) if not objects_of(self._files, id)]:
            raise InputError(f"it is too late: {', '.join(lost)} gone for good")
        return Act("undone", "")

    def _who(self, strangers: Sequence[Stranger]) -> str:
        """Return who was decided on: how many, on the page, which shows no ids."""
        if self._via != PAGE:
            return ", ".join(stranger.id for stranger in strangers)
        return "Stranger" if len(strangers) == 1 else f"{len(strangers)} strangers"

    def _read(self, strangers: Iterable[str]) -> list[Stranger]:
        found = []
        for id in dict.fromkeys(strangers):
            stranger = read_stranger(self._table, id)
            if stranger is None or stranger.status == MERGED:
                raise InputError(f"there is no stranger {id}; `./whosthere strangers` lists them")
            found.append(stranger)
        if not found:
            raise InputError("say which stranger; `./whosthere strangers` lists them")
        return found

    def _unnamed(self, strangers: Iterable[str]) -> list[Stranger]:
        """Read strangers; InputError for a named one, as the name counts before what follows."""
        known = self._read(strangers)
        if named := [stranger.id for stranger, photos in self._photos(known) if photos]:
            raise InputError(
                f"{named[0]} has a name, which counts before all else; first take it back: "
                f"`./whosthere strangers {named[0]} --back`"
            )
        return known

    def _photos(self, strangers: Iterable[Stranger]) -> Iterator[tuple[Stranger, list[str]]]:
        """Yield strangers with the photos that name them; their rows say so seconds later."""
        listed, _ = list_photos(self._target.people())
        for one in strangers:
            etags = {picture.etag for picture in one.pictures}
            yield one, [key for key in listed if listed[key] in etags or key in one.elsewhere]

    def _required_pictures(self, stranger: str) -> dict[str, str]:
        """Return the ETags of a stranger's pictures by key; InputError if there are none."""
        if found := self._pictures(stranger):
            return found
        raise InputError(f"there is no picture of {stranger} to name or merge by")

    def _pictures(self, stranger: str) -> dict[str, str]:
        found = objects_of(self._files, stranger)
        return {key: found[key] for key in sorted(found) if key.endswith(PICTURE)}

    def _move(self, strangers: Sequence[Stranger], status: str) -> Moves:
        """Move what lies in strangers' folders into those of a status; return what undoes it."""
        done = []
        for stranger in strangers:
            folder = folder_of(status, stranger.id)
            for key in objects_of(self._files, stranger.id):
                target = f"{folder}{key.rpartition('/')[2]}"
                if key != target:
                    self._copy(key, target)
                    self._delete(key)
                    done.append((target, key))
        return done

    def _copy(self, key: str, target: str) -> bool:
        """Copy an object; return whether it was still there."""
        source: CopySourceTypeDef = {"Bucket": self._files.bucket, "Key": key}
        kind = "image/jpeg" if key.endswith(PICTURE) else "application/json"
        try:
            self._files.s3.copy_object(
                Bucket=self._files.bucket,
                Key=target,
                CopySource=source,
                Metadata=via_metadata(self._via, target),
                MetadataDirective="REPLACE",
                ContentType=kind,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in GONE:
                raise
            return False
        return True

    def _delete(self, key: str) -> None:
        self._files.s3.delete_object(Bucket=self._files.bucket, Key=key)

    def _verdict(self, name: str, keys: Sequence[str]) -> str:
        """Return how many of the photos were good enough, and what is wrong with the others."""
        until = time.monotonic() + VERDICT_S
        while True:
            person = find_person(self._table, name, self._target.id)
            rows = read_photos(self._table, person) if person else []
            judged = [row for row in rows if row.key in keys]
            if len(judged) == len(set(keys)) or time.monotonic() > until:
                break
            time.sleep(POLL_S)
        good = sum(bool(row.face_id) for row in judged)
        text = f"{good} of {len(keys)} pictures were good enough"
        reasons = dict.fromkeys(row.reason for row in judged if row.reason)
        if len(judged) < len(keys):
            text += f", {len(keys) - len(judged)} are still being looked at"
        return text + (f"; the others: {' '.join(reasons)}" if reasons else "")


def _act_id(act: str, strangers: Sequence[Stranger]) -> str:
    return ":".join([act, *(stranger.id for stranger in strangers), f"{time.time_ns()}"])
