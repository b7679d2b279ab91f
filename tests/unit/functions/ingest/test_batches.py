"""Batches: a record that is none is set aside, and no record hides its neighbours."""

import base64
import json
from collections import Counter

import boto3

from tests.support.door import open_session, record
from whosthere.ingest import dead_letter as failures
from whosthere.ingest.batches import Delivery, deliver
from whosthere.ingest.record import Outcome


def delivery(id, body):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Delivery(id, base64.b64encode(data).decode(), 5, {"kinesis": {"sequenceNumber": id}})


class Bench:
    """Work that notes what it got, and may refuse some."""

    def __init__(self, table, *, fails=()):
        self.table, self.fails, self.worked, self.aside = table, fails, [], {}

    def deliver(self, *deliveries):
        return deliver(
            self.table, "whosthere", deliveries, work=self.work, set_aside=self.set_aside
        )

    def work(self, session, received):
        self.worked += [one.id for one in received]
        errors = {one.id: OSError() for one in received if one.id in self.fails}
        return Outcome(errors, Counter({"records": len(received) - len(errors)}))

    def set_aside(self, delivery, reason):
        self.aside[delivery.id] = reason


def test_poison_is_set_aside_with_the_reason_and_the_rest_goes_on(table):
    open_session(table)
    bench = Bench(table)
    broken = record(1)
    del broken["FaceSearchResponse"]
    failed = bench.deliver(
        delivery("1", record(0)),
        delivery("2", broken),
        delivery("3", b"no json"),
        delivery("4", record(2)),
    )
    assert failed == {}
    assert bench.worked == ["1", "4"]
    assert set(bench.aside) == {"2", "3"}
    assert "FaceSearchResponse" in bench.aside["2"]
    counts = table.get_item(Key={"pk": "session#one", "sk": "session"})["Item"]["counts"]
    assert counts == {"records": 2}


def test_poison_that_cannot_be_set_aside_comes_again(table):
    open_session(table)
    bench = Bench(table)

    def refuses(_delivery, _reason):
        raise OSError

    bench.set_aside = refuses
    assert set(bench.deliver(delivery("1", b"?"), delivery("2", record(0)))) == {"1"}
    assert bench.worked == ["2"]


def test_what_failed_is_told_and_nothing_else(table):
    open_session(table)
    failed = Bench(table, fails=["2"]).deliver(*(delivery(id, record(0)) for id in "123"))
    assert set(failed) == {"2"}


def test_all_records_of_a_camera_fail_when_its_session_cannot_be_read(table):
    class Down:
        def get_item(self, **_given):
            raise OSError

    assert set(Bench(Down()).deliver(delivery("1", record(0)))) == {"1"}


def test_records_of_a_camera_that_was_never_watched_are_dropped(table):
    bench = Bench(table)
    assert bench.deliver(delivery("1", record(0))) == {}
    assert bench.worked == []


def test_what_is_set_aside_lies_whole_under_a_name_that_a_retry_gives_again(aws):
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="whosthere-failures")
    given = {"kinesis": {"data": "e30="}, "eventSourceARN": "arn"}
    for _ in range(2):
        key = failures.keep(s3, "whosthere-failures", "495", "a field is missing", given)
    found = s3.list_objects_v2(Bucket="whosthere-failures")["Contents"]
    assert [item["Key"] for item in found] == [key] == ["failures/records/495.json"]
    body = json.loads(s3.get_object(Bucket="whosthere-failures", Key=key)["Body"].read())
    assert body == {"reason": "a field is missing", "given": given}
