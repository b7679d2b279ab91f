"""A worker that dies at any line loses no alert and doubles none.

Each line that handler and library execute is tried in turn: the worker is killed right
before it, the shard delivers the batch again (split, as the mappings are set), and in the
end there is one alert for each visit. By default some of the lines; with `--long` all of
them, when they are executed for the first and for the last time.
"""

from functools import partial

import boto3
import pytest

from tests.support.records.alert_harness import (
    RIGHT,
    START,
    a_table,
    empty,
    face,
    match,
    open_session,
    record,
)
from tests.support.records.crashing import Deadly, ShardOf, Sns, as_event, function
from tests.support.records.drawn_faces import Rekognition, Urls, Video
from whosthere.alerts.message import publish
from whosthere.people.store import person_key
from whosthere.strangers.review_queue import StrangerContext, StrangerFiles

pytestmark = pytest.mark.timeout(1800)  # with `--long` each takes minutes
ALICE, BETH = "p-alice", "p-beth"
BUCKET = "whosthere-crashes"
SAMPLED = 14


def alice(second):
    return record(second, face(match(ALICE)))


def both(second):
    return record(second, face(match(ALICE)), face(match(BETH), box=RIGHT))


def unsure(second):
    return record(second, face(match(ALICE, 85.0)))


PERSONS = as_event([both(0), both(0.4), alice(1), alice(70), alice(70.4)])
UNSURE = as_event([unsure(second) for second in (0, 0.4, 1, 70, 70.4, 71)])
FIRST, SECOND = f"{ALICE}-{START}", f"{ALICE}-{START + 70_000}"
BATCHES = {
    "sure": (PERSONS, [FIRST, SECOND, f"{BETH}-{START}"]),
    "unsure": (UNSURE, [FIRST, SECOND]),
}
STRANGER = as_event([record(second, face()) for second in (0, 0.4, 1)])


@pytest.fixture
def table():
    with a_table() as table:
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=BUCKET)
        yield table


def start_again(table, clock, sns):
    empty(table)
    open_session(table, probablySightings=3)
    for person, name in ((ALICE, "Alice"), (BETH, "Beth")):
        table.put_item(Item=person_key(person) | {"name": name, "version": 1})
    clock.moment_ms = START + 5000
    sns.accepted.clear()


def each_crash(lines, run, request, say, what):
    """Kill at executed lines in turn; say at how many of all."""
    points = chosen(lines, request)
    for point in points:
        run(Deadly(point))
    hit = {lines[point - 1] for point in points}
    say(
        f"{what}: killed {len(points)} times, at {len(hit)} of the {len(set(lines))} lines"
        f" that it executes ({len(lines)} executions)"
    )


def chosen(lines, request):
    """Where to kill: each line when executed for the first and for the last time, or some."""
    firsts = {line: at for at, line in reversed(list(enumerate(lines, 1)))}
    lasts = {line: at for at, line in enumerate(lines, 1)}
    if request.config.getoption("--long"):
        return sorted({*firsts.values(), *lasts.values()})
    ordered = sorted(firsts.values())
    return ordered[:: max(1, len(ordered) // SAMPLED)]


@pytest.mark.parametrize("batch", BATCHES)
def test_alert_person_survives_a_crash_at_any_line(batch, table, monkeypatch, request, say):
    records, wanted = BATCHES[batch]
    with function(monkeypatch, "alert_person", table, BUCKET=BUCKET) as (module, clock):
        sns = Sns()
        module.publisher = partial(publish, sns, "arn")
        shard = ShardOf(module, clock)

        def run(deadly):
            start_again(table, clock, sns)
            shard.deliver(records, deadly)
            visits = sorted(alert["visit"] for alert in sns.accepted)
            assert visits == wanted, deadly.lines[-1]

        run(Deadly())  # fills the caches, so that each run after it executes the same lines
        alive = Deadly()
        run(alive)
        assert len(set(alive.lines)) > 200
        each_crash(alive.lines, run, request, say, f"alert_person, {batch}")


def test_queue_stranger_survives_a_crash_at_any_line(table, monkeypatch, request, say):
    given = {
        "BUCKET": BUCKET,
        "STRANGERS_COLLECTION": "strangers",
        "PICTURE_ROLE_ARN": "arn:aws:iam::111122223333:role/picture",
    }
    with function(monkeypatch, "queue_stranger", table, **given) as (module, clock):
        sns, s3 = Sns(), boto3.client("s3")
        module.publisher = partial(publish, sns, "arn")
        shard = ShardOf(module, clock)

        def run(deadly):
            start_again(table, clock, sns)
            for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
                s3.delete_object(Bucket=BUCKET, Key=item["Key"])
            files = StrangerFiles(s3, Rekognition(), BUCKET, "strangers")
            module.strangers = StrangerContext(files, Urls(), Video().image)
            shard.deliver(STRANGER, deadly)
            keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
            assert len([key for key in keys if key.endswith(".jpg")]) == 1, deadly.lines[-1]
            assert len(files.rekognition.faces) == 1, deadly.lines[-1]
            assert len(sns.accepted) == 1, deadly.lines[-1]

        run(Deadly())  # fills the caches, so that each run after it executes the same lines
        alive = Deadly()
        run(alive)
        assert len(set(alive.lines)) > 300
        each_crash(alive.lines, run, request, say, "queue_stranger")
