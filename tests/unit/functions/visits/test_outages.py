"""A service that refuses for five minutes, an answer that is lost, a day that is replayed."""

import random
from dataclasses import replace
from functools import partial

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError

from tests.support.records.alert_harness import (
    START,
    AlertHarness,
    a_table,
    empty,
    face,
    match,
    open_session,
    received,
    record,
    refusal,
)
from tests.support.records.crashing import ShardOf, Sns, as_event, function
from whosthere.alerts.message import publish
from whosthere.visits.queries import visits_of

ALICE, BETH = "p-alice", "p-beth"
BUCKET = "whosthere-outages"
OUTAGE_MS = 300_000


@pytest.fixture(scope="module")
def shared():
    with a_table() as table:
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=BUCKET)
        yield table


@pytest.fixture
def table(shared):
    empty(shared)
    return shared


class Refusing:
    """A client, or the table, that refuses every call for the first five minutes."""

    def __init__(self, behind, clock):
        self.behind, self.clock, self.refused = behind, clock, 0
        self.name, self.meta, self.client = getattr(behind, "name", ""), self, self

    def __getattr__(self, name):
        behind = self.behind
        if name == "transact_write_items":
            behind = behind.meta.client
        call = getattr(behind, name)

        def refusing(**given):
            if self.clock() < START + OUTAGE_MS:
                self.refused += 1
                raise refusal(name)
            return call(**given)

        return refusing


def broken(second):
    made = record(second, face(match(ALICE)))
    del made["FaceSearchResponse"][0]["DetectedFace"]["BoundingBox"]
    return made


@pytest.mark.parametrize("service", ["sns", "dynamodb", "s3"])
def test_five_minutes_of_refusals_lose_and_double_nothing(table, monkeypatch, service):
    with function(monkeypatch, "alert_person", table, BUCKET=BUCKET) as (module, clock):
        open_session(table)
        sns, s3 = Sns(), boto3.client("s3", region_name="us-east-1")
        down = {
            "sns": Refusing(sns, clock),
            "dynamodb": Refusing(table, clock),
            "s3": Refusing(s3, clock),
        }[service]
        module.publisher = partial(publish, down if service == "sns" else sns, "arn")
        module.table = down if service == "dynamodb" else table
        letters = replace(module.dead_letters, s3=down if service == "s3" else s3)
        module.source = replace(module.source, table=module.table, dead_letters=letters)
        shard = ShardOf(module, clock)
        batches = [
            [record(second, face(match(ALICE))) for second in (0, 0.4, 1)] + [broken(1.2)],
            [record(second, face(match(BETH))) for second in (100, 100.4)],
            [record(second, face(match(ALICE))) for second in (400, 400.4)],
        ]
        number = 0
        for batch in batches:
            events = as_event(batch)
            for event in events:  # of one shard, so they go on rising
                event["kinesis"]["sequenceNumber"] = str(number)
                number += 1
            shard.deliver(events)
        assert down.refused > 3
        assert [alert["visit"] for alert in sns.accepted] == [
            f"{ALICE}-{START}",
            f"{BETH}-{START + 100_000}",
            f"{ALICE}-{START + 400_000}",
        ]
        late = "This comes late" in sns.accepted[0]["message"]
        assert late == (service != "s3")
        visits = visits_of(table, "one", "front-door")
        assert [visit.sightings for visit in visits] == [3, 2, 2]
        kept = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
        assert [item["Key"] for item in kept] == ["failures/records/3.json"]
        s3.delete_object(Bucket=BUCKET, Key="failures/records/3.json")


def test_an_answer_that_is_lost_after_acceptance_is_the_one_thing_that_doubles_an_alert(table):
    """And a machine can tell: both carry the same visit."""
    harness = AlertHarness(table, open_session(table))

    def accepts_and_is_not_heard(alert):
        harness.subscriber(alert)
        raise ReadTimeoutError(endpoint_url="https://sns")

    batch = [received(second, face(match(ALICE))) for second in (0, 1)]
    assert harness.sees(*batch, worker=harness.worker(publish=accepts_and_is_not_heard)).failed
    for _ in range(2):
        assert not harness.sees(*batch).failed
    assert [alert.facts["visit"] for alert in harness.subscriber.alerts] == [f"{ALICE}-{START}"] * 2


def test_a_day_that_is_replayed_in_any_order_alerts_nothing_twice(table):
    harness = AlertHarness(table, open_session(table))
    harness.name(ALICE, "Alice")
    frames = [
        received(3600 * hour + second, face(match(who)))
        for hour in range(0, 24, 3)
        for who, begin in ((ALICE, 0), (BETH, 1000))
        for second in (begin, begin + 1, begin + 2)
    ]
    shuffled = random.Random(7).sample(frames, len(frames))
    for day in (frames, frames, shuffled):
        for at in range(0, len(day), 24):
            assert not harness.sees(*day[at : at + 24]).failed
        assert len(harness.subscriber.alerts) == 16
    visits = visits_of(table, "one", "front-door")
    assert [visit.sightings for visit in visits] == [3] * 16


def test_a_fragment_resent_after_a_cut_alerts_late_with_its_real_time(table):
    """The camera was cut off for ten minutes: AWS gets at 10:00 what was captured at 0:00."""
    harness = AlertHarness(table, open_session(table))
    harness.name(ALICE, "Alice")
    harness.clock.forward(600)
    harness.sees(*(received(s, face(match(ALICE)), server_ahead=600) for s in (0, 1)))
    (alert,) = harness.subscriber.alerts
    assert alert.facts["captured"] == "2027-01-15T08:00:01.000Z"
    assert "at 08:00:01" in alert.text and "it happened 10 min ago" in alert.text
