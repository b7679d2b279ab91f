"""Measure how long a view of who was here takes, with 1,000 strangers and 50,000 visits.

On the laptop AWS's table, through the library that the verb calls: 20,000 visits of five persons
and 30 of each stranger, at four cameras over 90 days. Two of the strangers turned out to be the
first person.
"""

import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from functools import partial
from pathlib import Path
from typing import Any

from bench.measure import measure
from local.laptop import LaptopAWS
from whosthere.clock import utc
from whosthere.dynamodb import STAMP, Attributes, Table
from whosthere.geometry import Box
from whosthere.people.store import person_key
from whosthere.visits.history import (
    DAY_MS,
    PastVisit,
    Span,
    find_past_visits,
    past_visits,
    span_of_days,
)
from whosthere.visits.identities import STRANGERS
from whosthere.visits.store import closed_rows
from whosthere.visits.visit import REMEMBERED, SENT, Visit

DAYS, VISITS, PEOPLE, OTHERS = 90, 50_000, 5, 1000
VISITS_OF_A_STRANGER = 30
PICTURES = 5
CAMERAS = ("back-door", "front-door", "garage", "gate")
NAMED = 2
REPEATS = 5
NEWEST = 200  # what a page shows at once
END_MS = 1_800_037_799_999  # before midnight in India
GAP_MS = 300_000
ZONE = "Asia/Kolkata"
LIMITS = {"seconds of the slowest": 1.5, "most queries": 10, "scans": 0}


def once() -> Mapping[str, float]:
    """Fill a table, then time each view: the best of some, as the machine has others to serve."""
    with tempfile.TemporaryDirectory() as folder, LaptopAWS(Path(folder)) as laptop:
        table = empty_table(laptop)
        write_rows(table, rows())
        return slowest_of(_views(table), count_calls(table.meta.client.meta.events))


def write_rows(table: Table, new: Iterable[Attributes]) -> None:
    """Write rows as this version of Whosthere does."""
    with table.batch_writer() as writer:
        for row in new:
            writer.put_item(Item={**row, **STAMP, "version": 1})


def count_calls(events: Any) -> Counter[str]:
    """Count the calls of a client, or of all that a session makes from now on."""
    calls: Counter[str] = Counter()
    events.register("before-call.dynamodb", lambda model, **_more: calls.update([model.name]))
    return calls


def slowest_of(
    views: Mapping[str, Callable[[], Sized]], calls: Counter[str]
) -> Mapping[str, float]:
    """Time each view, and tell the calls that were counted."""
    slowest, queries, scans = 0.0, 0, 0
    for name, view in views.items():
        took = 1e9
        for _ in range(REPEATS):
            calls.clear()
            begun = time.monotonic()
            found = view()
            took = min(took, time.monotonic() - begun)
        print(f"{name}: {len(found)} in {took:.2f} s by {dict(calls)}")
        slowest, queries = max(slowest, took), max(queries, calls["Query"])
        scans += calls["Scan"]
    return {"seconds of the slowest": slowest, "most queries": queries, "scans": scans}


def empty_table(laptop: LaptopAWS) -> Table:
    """Create a table like the stack's."""
    database = laptop.session().resource("dynamodb", endpoint_url=laptop.endpoint)
    table: Table = database.create_table(
        TableName="history",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    )
    table.wait_until_exists()
    return table


def rows(end_ms: int = END_MS) -> Iterator[Attributes]:
    """Yield the rows of people, strangers and visits before a moment."""
    for number in range(PEOPLE):
        yield {**person_key(_person(number)), "name": f"Person {number}"}
    for number in range(OTHERS):
        who = _stranger(number)
        decided = {"status": "named", "person": _person(0)} if number < NAMED else {}
        status = {"status": "pending", **_seen(number, end_ms), **decided}
        yield {"pk": STRANGERS, "sk": who, "status": status["status"]}
        yield {"pk": f"stranger#{who}", "sk": "stranger", **status}
    chance = random.Random(1)  # noqa: S311
    ids = [_stranger(number) for number in range(OTHERS) for _ in range(VISITS_OF_A_STRANGER)]
    ids += [_person(number % PEOPLE) for number in range(VISITS - len(ids))]
    for who in ids:
        yield from closed_rows(make_visit(who, end_ms - chance.randrange(DAYS * DAY_MS), chance))


def _seen(number: int, end_ms: int) -> Attributes:
    """Return what the page shows of a stranger."""
    one = {"etag": "", "captured": end_ms, "camera": CAMERAS[0], "score": 1, "file": "1.jpg"}
    return {
        "cameras": {CAMERAS[number % len(CAMERAS)]},
        "firstSeen": end_ms - DAYS * DAY_MS,
        "lastSeen": end_ms - number * 60_000,
        "sightings": 100,
        "visits": VISITS_OF_A_STRANGER,
        "pictures": {f"{number:058}{each:06}": one for each in range(PICTURES)},
    }


def _person(number: int) -> str:
    return f"p-{number:024x}"


def _stranger(number: int) -> str:
    return f"s-{number:012x}"


def make_visit(who: str, opened_ms: int, chance: random.Random) -> Visit:
    """Return a visit of some seconds at one of the cameras."""
    return Visit(
        camera=chance.choice(CAMERAS),
        who=who,
        session=f"session-{opened_ms // DAY_MS}",
        opened_ms=opened_ms,
        first_ms=opened_ms,
        last_ms=opened_ms + 1000 * REMEMBERED,
        times=tuple(opened_ms + 1000 * second for second in range(REMEMBERED)),
        sightings=REMEMBERED,
        similarity=97.5,
        persons=(who,) if who.startswith("p-") else (),
        box=Box(0.4, 0.3, 0.1, 0.2),
        box_ms=opened_ms,
        alert=SENT,
        sent_ms=opened_ms,
    )


def _views(table: Table) -> dict[str, Callable[[], list[PastVisit]]]:
    def days(number: int) -> Span:
        return span_of_days(utc(END_MS).date(), number, ZONE)

    def gap_of(_camera: str) -> int:
        return GAP_MS

    view = partial(past_visits, table, gap_of=gap_of, newest=NEWEST)
    one = view(days(1))[0]
    return {
        "a day": partial(view, days(1)),
        "a day, without a bound": partial(past_visits, table, days(1), gap_of),
        "a day of one camera": partial(view, days(1), camera=CAMERAS[0]),
        "a day of one person": partial(view, days(1), who=_person(0)),
        "a week": partial(view, days(7)),
        "a week of one person": partial(view, days(7), who=_person(0)),
        "90 days of one person": partial(view, days(DAYS), who=_person(0)),
        "90 days of one stranger": partial(view, days(DAYS), who=_stranger(NAMED)),
        "one visit": partial(find_past_visits, table, one.id, gap_of),
    }


if __name__ == "__main__":
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    sys.exit(0 if measure(once, LIMITS, runs=1) else 1)
