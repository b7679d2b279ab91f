"""Odd records among those of a stranger: the stranger is alerted, and nothing is retried."""

import json
from functools import partial

import pytest
from boto3.dynamodb.types import TypeSerializer
from hypothesis import strategies

from tests.support.records.alert_harness import (
    START,
    a_table,
    face,
    match,
    received,
    record,
    values,
)
from tests.support.records.drawn_faces import BLUE
from tests.support.records.given_many import given_many
from tests.support.records.odd_batches import SIZE, OddBatches, odd_contents
from tests.support.records.stranger_harness import a_table_and_a_bucket, new_harness
from whosthere import settings
from whosthere.clock import iso
from whosthere.faces import track_store, tracker
from whosthere.faces.match import Sighting, classify_face
from whosthere.geometry import Box
from whosthere.ingest import record as records
from whosthere.ingest.record import AnalysedFrame, Face
from whosthere.strangers.process import queue_strangers

PLACE = (0.05, 0.7, 0.1, 0.2)
APART_S = 30  # from the odd records: what is known at that time and place is no stranger


def work_of(harness):
    """What the function does with a session's frames."""
    return partial(queue_strangers, harness.worker(), harness.context())


@pytest.fixture
def batches():
    with a_table_and_a_bucket() as shared:
        made = OddBatches(lambda: new_harness(shared), work_of)
        yield made
        made.check_report()


@given_many(20_000, odd_contents, strategies.integers(0, SIZE), size=SIZE)
def test_every_stranger_beside_an_odd_record_is_alerted(batches, contents, place):
    second = batches.next_second() + APART_S
    harness = batches.harness
    written = []
    for moment in (second, second + 1):
        harness.video.shows(START + 1000 * moment, (PLACE, BLUE))
        written.append(json.dumps(record(moment, face(box=PLACE))).encode())
    harness.subscriber.alerts.clear()
    batches.deliver([*contents[:place], written[0], *contents[place:], written[1]])
    seen = [one.facts["captured"] for one in harness.subscriber.alerts]
    assert seen.count(iso(START + 1000 * (second + 1))) == 1


def test_a_crowd_drives_out_no_stranger_who_is_still_to_be_told_of():
    made = settings.from_values(values())
    waiting = tracker.FaceTrack("s-1", Box(*PLACE), START, START, state=tracker.TrackState.DUE)
    faces = [face(box=(0.009 * n, 0.1, 0.001, 0.01)) for n in range(records.FACES)]
    follower = tracker.FaceTracker(tracker.TrackerState((waiting,)), made, START + 1000)
    follower.follow([received(30, *faces)])
    assert len(follower.state.tracks) == tracker.MAX_TRACKS
    assert follower.state.tracks[0] == waiting


def test_of_many_alike_the_likeliest_are_named():
    made = settings.from_values(values())
    alike = face(*(match(f"p-{n}", 99 - n / 100) for n in range(50)))
    frame = received(0, alike)
    sighting = classify_face(frame, frame.faces[0], made)
    assert sighting.who == ("p-0", "p-1", "p-2", "p-3")


def test_the_fullest_row_of_tracks_fits_dynamodb():
    last_ms = 10**13 - 1
    boxes = [Box(-0.99991 + n / 1000, 0.99991, 99.99991, 99.99991) for n in range(records.FACES)]
    faces = tuple(Face(box, 99.991, 99.991, 99.991, -179.991, ()) for box in boxes)
    fragment = "9" * records.FRAGMENT_DIGITS
    frames = [
        AnalysedFrame("1", "front-door", fragment, last_ms, last_ms - n, last_ms, last_ms, faces)
        for n in range(tracker.MAX_SIGHTINGS)
    ]
    track = tracker.FaceTrack(
        id="s-" + 12 * "0",
        box=boxes[0],
        box_ms=last_ms,
        updated_ms=last_ms,
        who="p" * records.TEXT_BYTES,
        path=tuple((last_ms - n, boxes[0]) for n in range(tracker.MAX_STEPS)),
        sightings=tuple(Sighting(frame, faces[0]) for frame in frames),
        unsure_ms=last_ms,
        state=tracker.TrackState.CLAIMED,
        claim=32 * "0",
        lease_ms=last_ms,
    )
    state = tracker.TrackerState((track,) * tracker.MAX_TRACKS, (last_ms,) * tracker.MAX_FRAMES)
    with a_table() as table:
        track_store._write(table, "front-door", state, 0, last_ms)
        (row,) = table.scan()["Items"]
    assert size_of(TypeSerializer().serialize(row)["M"]) < 400 * 1024
    assert len(row["tracks"]) == tracker.MAX_TRACKS


def size_of(value):
    """The bytes of an attribute, as DynamoDB's developer guide counts them (item sizes)."""
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("S", "N", "M", "L"):
        ((kind, inner),) = value.items()
        if kind == "S":
            return len(inner.encode())
        if kind == "N":
            return len(inner.strip("-").replace(".", "").strip("0")) / 2 + 2
        return 3 + size_of(inner)
    if isinstance(value, dict):
        return sum(1 + len(name.encode()) + size_of(below) for name, below in value.items())
    return sum(1 + size_of(below) for below in value)
