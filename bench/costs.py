"""What a camera costs a month: worked examples, idle stacks and the aims, by the calculator.

    PYTHONPATH=.:functions .whosthere/project/bin/python -m bench.costs

docs/costs.md has the same tables; test_examples.py does the sums by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from whosthere.costs.calculator import Cost, Usage, added, cost_of, dollars_text, line_rows
from whosthere.costs.plan import IMAGE_GB, INVOCATION_S, TRANSITIONS_OF_CHECK, TRANSITIONS_ONCE
from whosthere.costs.prices import price_table
from whosthere.costs.usage import (
    DETECT,
    READS_OF_IMAGE,
    SEARCH,
    WRITES_OF_IMAGE,
    usage_of_images,
    usage_of_storage,
)

DAYS, HOURS = 30, 720
GB_AN_HOUR = 0.675  # 1.5 Mbit/s, the least that AWS recommends for face search
TUTORIAL_TRANSITIONS = 3 * 60  # an hour: Wait, DescribeStreamProcessor, Choice, once a minute
MOTION_HOURS = 0.5 * DAYS


@dataclass(frozen=True, slots=True)
class FilmCounts:
    """What the demo film needs at an image a second, counted by `bench.alerts.searches`.

    `with_face` are the images that `--tag face` tags, and `face_detects` the calls of DetectFaces
    that these need, as the camera says where it saw faces.
    """

    images: int = 43
    detects: int = 39
    with_face: int = 28
    face_detects: int = 18
    searches: int = 11


FILM = FilmCounts()
# In a porch most motion shows no face: the share that the aims are made with. In the film, which
# leaves out what happens between two visits, it is two thirds.
FACE_SHARE = 0.3


def processor(hours: float, transitions: float) -> Usage:
    """Return a month of a stream processor that runs so many hours, with its shard."""
    gigabytes = GB_AN_HOUR * hours
    return {
        "face-search": 60 * hours,
        "video-in": gigabytes,
        "video-read": gigabytes,
        "transitions": transitions,
        **usage_of_storage("stream-processor", HOURS, gigabytes, 24),
    }


def images(seconds: float, detects: float, with_face: float) -> Usage:
    """Return a month of image-search at an image a second, `with_face` of them with a face.

    The camera sends only what it tags (`--only-tagged`), and a session runs two hours a day.
    """
    gigabytes = GB_AN_HOUR * seconds / 3600
    checks = DAYS * (120 * TRANSITIONS_OF_CHECK + TRANSITIONS_ONCE)
    return {
        DETECT: detects,
        SEARCH: with_face * FILM.searches / FILM.with_face,
        "video-in": gigabytes,
        "transitions": float(checks),
        "lambda-x86_64": seconds * IMAGE_GB * INVOCATION_S,
        "table-reads": READS_OF_IMAGE * seconds,
        "table-writes": WRITES_OF_IMAGE * seconds,
        "bucket-reads": seconds,
        **usage_of_images(seconds),
        **usage_of_storage("image-search", HOURS, gigabytes, 24),
    }


def examples() -> Mapping[str, Usage]:
    """Return the worked examples, by what they are."""
    motion = 3600 * MOTION_HOURS
    with_face = FACE_SHARE * motion
    # With `--tag motion` an image with a face has always changed, of the others as many as in the
    # film.
    changed = (FILM.detects - FILM.with_face) / (FILM.images - FILM.with_face)
    ours = float(DAYS * (120 * TRANSITIONS_OF_CHECK + TRANSITIONS_ONCE))
    return {
        "the tutorial: a stream processor all day": processor(HOURS, TUTORIAL_TRANSITIONS * HOURS),
        "stream-processor, two hours a day": processor(2 * DAYS, ours),
        "image-search, 30 minutes of motion a day, `--tag motion`": images(
            motion, with_face + (motion - with_face) * changed, with_face
        ),
        "image-search, 30 minutes of motion a day, `--tag face`": images(
            with_face, with_face * FILM.face_detects / FILM.with_face, with_face
        ),
    }


def idle() -> Mapping[str, Usage]:
    """Return a month in which no session runs, by engine, and what can be switched on."""
    kept = {"face-vectors": 100.0, "bucket-stored": 1.0, "table-stored": 0.1}
    sweep = {"lambda-requests": float(HOURS), "lambda-x86_64": 0.5 * HOURS * INVOCATION_S}
    return {
        "image-search": added([kept, sweep]),
        "stream-processor": added([kept, sweep, {"shard": float(HOURS)}]),
        "alarms and dashboard, where switched on": {
            "alarms": 7.0,
            "dashboards": 1.0,
            "metrics": 2.0,
        },
    }


def cost(usage: Usage) -> Cost:
    """Return what that costs in the Region of the price table."""
    return cost_of(usage, price_table("us-east-1"))


def rows(bills: Mapping[str, Usage]) -> list[tuple[str, str, str, str]]:
    """Return the lines of bills, each with its sum, as a table."""
    found = []
    for name, usage in bills.items():
        made = cost(usage)
        found += [(name, *row) for row in line_rows(made)]
        lacks = f"without {', '.join(made.without)}" if made.without else ""
        found.append((name, "**sum**", lacks, f"**{dollars_text(made.dollars)}**"))
    return found


if __name__ == "__main__":
    for row in rows({**examples(), **idle()}):
        print("  ".join(row))
