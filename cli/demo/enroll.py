"""Enrols people as a user would: puts photos under people/<name>/ and sees what becomes of them."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cli.demo.scenario import Photo
from cli.errors import InputError, VerbError
from cli.setup.laptop_stack import Stack, table_of
from local.laptop import LaptopAWS

ENROL_SECONDS = 60
POLL_SECONDS = 0.2
TYPES = {".png": "image/png"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A photo that enrols nobody, and why."""

    photo: Photo
    reason: str


def enrol(
    laptop: LaptopAWS, stack: Stack, people: Mapping[str, tuple[Photo, ...]]
) -> list[Refusal]:
    """Put every photo and wait for its row; gives the refused ones of people who have others.

    Raises InputError if all photos of a person are refused.
    """
    s3 = laptop.client("s3")
    for name, photos in people.items():
        for photo in photos:
            s3.put_object(
                Bucket=stack.bucket,
                Key=f"people/{name}/{photo.key}",
                Body=photo.path.read_bytes(),
                ContentType=TYPES.get(photo.path.suffix.lower(), "image/jpeg"),
            )
    verdicts = _verdicts(laptop, stack, people)
    refusals = []
    for name, photos in people.items():
        refused = [
            Refusal(photo, reason)
            for photo in photos
            if (reason := verdicts[name, photo.key]) is not None
        ]
        if len(refused) == len(photos):
            raise InputError(nobody_left(name, refused))
        refusals += refused
    return refusals


def nobody_left(name: str, refused: list[Refusal]) -> str:
    """Why a person cannot be enrolled: each photo with what is wrong with it."""
    lines = [f"{refusal.photo.path}: {refusal.reason}" for refusal in refused]
    return "\n".join([*lines, f"No photo of {name} can be used: give another --person."])


def _verdicts(
    laptop: LaptopAWS, stack: Stack, people: Mapping[str, tuple[Photo, ...]]
) -> dict[tuple[str, str], str | None]:
    """Per name and photo the reason it was refused, or None; waits until all are known."""
    wanted = {(name, photo.key) for name, photos in people.items() for photo in photos}
    table = table_of(laptop, stack)
    until = time.monotonic() + ENROL_SECONDS
    while True:
        known = dict(_rows(table))
        if wanted <= known.keys():
            return known
        if time.monotonic() > until:
            late = ", ".join(sorted(f"{name}/{key}" for name, key in wanted - known.keys()))
            raise VerbError(
                f"not enrolled within {ENROL_SECONDS} s: {late}; the function enroll_photo "
                "tells why in the log named below"
            )
        time.sleep(POLL_SECONDS)


def _rows(table: Any) -> Iterator[tuple[tuple[str, str], str | None]]:
    rows = table.scan(ConsistentRead=True)["Items"]
    names = {row["pk"]: row["name"] for row in rows if row["sk"] == "person"}
    for row in rows:
        if row["pk"] in names and row["sk"].startswith("photo#") and "status" in row:
            key = (names[row["pk"]], row["sk"].removeprefix("photo#"))
            yield key, row.get("reason", "") if row["status"] == "refused" else None
