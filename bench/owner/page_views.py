"""Measure how long a view of the owner's page takes, with 1,000 strangers and 50,000 visits.

Through the page's own queries at the laptop AWS, as bench.owner.history does, with 60 people of
three photos each, four cameras that run a session, and a current visit of each stranger at each.
"""

import os
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3

from bench.measure import measure
from bench.owner.history import (
    CAMERAS,
    DAYS,
    LIMITS,
    OTHERS,
    count_calls,
    empty_table,
    make_visit,
    rows,
    slowest_of,
    write_rows,
)
from cli.aws.target import Target
from cli.review.queries import StackPage
from local.laptop import LaptopAWS
from whosthere import settings
from whosthere.clock import now_ms
from whosthere.dynamodb import Attributes
from whosthere.people.photo_store import photo_key
from whosthere.people.store import person_key
from whosthere.session.lock import open_session
from whosthere.session_store import Session
from whosthere.visits.history import DAY_MS
from whosthere.visits.store import closed_rows, current_key

PEOPLE, PHOTOS, BUCKET = 60, 3, "views"


def once() -> Mapping[str, float]:
    """Fill a table and a bucket, then time each view."""
    with tempfile.TemporaryDirectory() as folder, LaptopAWS(Path(folder)) as laptop:
        variables = laptop.environment()
        os.environ |= {name: value for name, value in variables.items() if "AWS" in name}
        table, s3 = empty_table(laptop), laptop.client("s3")
        now = now_ms()
        write_rows(table, _people_rows())
        write_rows(table, _current_rows(now))
        write_rows(table, rows(now))
        s3.create_bucket(Bucket=BUCKET)
        for key in _keys():
            s3.put_object(Bucket=BUCKET, Key=key, Body=b"photo")
        for camera in CAMERAS:
            open_session(table, _session(camera, now), settings.defaults())
        session = boto3.Session()
        calls = count_calls(session.events)
        outputs = {"TableName": table.name, "BucketName": BUCKET}
        target = Target("views", "", "", laptop.endpoint, CAMERAS, session, outputs=outputs)
        return slowest_of(_views(StackPage(target)), calls)


def _session(camera: str, now: int) -> Session:
    return Session(
        id=f"session-{camera}",
        camera=camera,
        engine="stream-processor",
        execution="",
        started_ms=now - DAY_MS // 2,
        deadline_ms=now + DAY_MS // 2,
        ended_ms=None,
        ended_by=None,
        held=True,
        settings=settings.from_values(settings.defaults()),
    )


def _views(page: StackPage) -> dict[str, Any]:
    return {
        "overview": page.overview,
        "review": lambda: page.strangers("pending")["strangers"],
        "today": lambda: page.visits("", "")["visits"],
        "all visits of a person": lambda: page.visits("", f"p-{0:024x}")["visits"],
        "all visits of a stranger": lambda: page.visits("", f"s-{9:012x}")["visits"],
        "people": lambda: page.people()["people"],
        "cameras": lambda: page.cameras()["cameras"],
    }


def _keys() -> list[str]:
    return [f"people/Person {one}/{photo}.jpg" for one in range(PEOPLE) for photo in range(PHOTOS)]


def _people_rows() -> Iterator[Attributes]:
    for number in range(PEOPLE):
        yield {**person_key(f"p-{number:024x}"), "name": f"Person {number}"}
    for number, key in enumerate(_keys()):
        row = {"key": key, "etag": "", "faceId": key, "status": "enrolled", "reason": ""}
        yield {**photo_key(f"p-{number // PHOTOS:024x}", key), **row, "stale": []}


def _current_rows(now: int) -> Iterator[Attributes]:
    """Yield the current visit of each stranger at each camera: some of today's sessions."""
    chance = random.Random(2)  # noqa: S311
    for number in range(OTHERS):
        for camera in CAMERAS:
            visit = make_visit(f"s-{number:012x}", now - chance.randrange(DAYS * DAY_MS), chance)
            visit = replace(visit, camera=camera, session=f"session-{camera}")
            row, *index = closed_rows(visit)
            yield {**row, **current_key(camera, visit.who)}
            for one in index:
                yield {name: one[name] for name in one if not name.startswith("closed")}


if __name__ == "__main__":
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    sys.exit(0 if measure(once, LIMITS, runs=1) else 1)
