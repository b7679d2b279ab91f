"""What the owner does with strangers: each act only moves pictures in S3.

The functions see what lies where and do the rest, as if the owner had moved them by hand.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from cli.aws.target import Target
from cli.errors import InputError
from whosthere.people.ownership import find_person
from whosthere.people.person_names import why_no_name, written_name
from whosthere.people.store import PREFIX, read_photos
from whosthere.strangers.decisions import UNDO_MS, VIA
from whosthere.strangers.review_queue import GONE, PICTURE, StrangerFiles, folder_of, objects_of
from whosthere.strangers.store import (
    DISCARDED,
    IGNORED,
    MERGED,
    PENDING,
    Stranger,
    read_stranger,
)

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
        self._files = StrangerFiles(
            target.session.client("s3"),
            target.session.client("rekognition"),
            target.output("BucketName"),
            f"{target.stack}-strangers",
        )
        self._done: dict[str, Moves] = {}

    def name(self, strangers: Sequence[str], name: str) -> Act:
        """Name strangers: their pictures become photos of a person, who may be new."""
        if reason := why_no_name(name):
            raise InputError(reason)
        known = self._read(strangers)
        copies: Moves = []
        folder = f"{PREFIX}{written_name(name)}/"
        for stranger in known:
            for key in self._pictures(stranger.id):
                copies.append((key, f"{folder}{stranger.id}-{key.rpartition('/')[2]}"))
        if not copies:
            raise InputError("there is no picture of this stranger that could enroll anybody")
        for key, target in copies:
            self._copy(key, target)
        self._done[act := _act_id("name", known)] = [(target, "") for _, target in copies]
        return Act(f"{written_name(name)}: {self._verdict(name, [key for _, key in copies])}", act)

    def ignore(self, strangers: Sequence[str]) -> Act:
        """Ignore strangers: no further alert, still counted."""
        known = self._read(strangers)
        self._done[act := _act_id("ignore", known)] = self._move(known, IGNORED)
        return Act(f"{self._who(known)} ignored: no further alert, visits are still counted", act)

    def discard(self, strangers: Sequence[str]) -> Act:
        """Discard strangers: forgotten for good in ten minutes."""
        known = self._read(strangers)
        self._done[act := _act_id("discard", known)] = self._move(known, DISCARDED)
        return Act(f"{self._who(known)} discarded: gone for good after {UNDO_MINUTES} minutes", act)

    def back(self, strangers: Sequence[str]) -> Act:
        """Put strangers back into the queue, whatever was decided; photos of them go."""
        known = self._read(strangers)
        for stranger in known:
            photos = [key for key in stranger.elsewhere if key.startswith(PREFIX)]
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
        moves = []
        for stranger in others:
            for key in self._pictures(stranger.id):
                moves.append((key, f"{folder_of(PENDING, first.id)}{key.rpartition('/')[2]}"))
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
        known, stranger = self._read(strangers)[0], strangers[0]
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
        """Undo an act of this page."""
        moves = self._done.pop(act, None)
        if moves is None:
            raise InputError("this was undone already, or done by an earlier page")
        for key, target in moves:
            if target:
                self._copy(key, target)
            self._delete(key)
        return Act("Undone", "")

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

    def _pictures(self, stranger: str) -> list[str]:
        return sorted(key for key in objects_of(self._files, stranger) if key.endswith(PICTURE))

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

    def _copy(self, key: str, target: str) -> None:
        source: CopySourceTypeDef = {"Bucket": self._files.bucket, "Key": key}
        kind = "image/jpeg" if key.endswith(PICTURE) else "application/json"
        try:
            self._files.s3.copy_object(
                Bucket=self._files.bucket,
                Key=target,
                CopySource=source,
                Metadata={VIA: self._via},
                MetadataDirective="REPLACE",
                ContentType=kind,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in GONE:
                raise

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
