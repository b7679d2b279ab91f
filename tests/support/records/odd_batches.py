"""Batches in which good records lie among odd ones, and what has to become of each."""

import base64
import json
from types import SimpleNamespace

from hypothesis import strategies

from tests.support.records.alert_harness import START
from tests.support.records.odd_records import odd_bytes
from whosthere.errors import RecordError
from whosthere.ingest.dead_letter import DeadLetters
from whosthere.ingest.kinesis import KinesisSource, process_batch
from whosthere.ingest.record import read_frame
from whosthere.metrics import ApiCallCounter
from whosthere.session.report import as_json, as_lines, make_report
from whosthere.session_store import read_session

SIZE = 10  # odd records of one batch
FAR_S = 100  # from one batch's time to the next one's: longer than a visit's gap
ROUNDS = 20  # batches after which the rows are removed: a table in memory searches all of them
ARN = "arn:aws:kinesis:us-east-1:111122223333:stream/whosthere-front-door"


def silent(*_given, **_more):
    """What logs and measures nothing."""


class LettersBucket:
    """A bucket that remembers the dead letters."""

    def __init__(self):
        self.letters = {}

    def put_object(self, *, Key, Body, **_given):
        self.letters[Key] = json.loads(Body)


class OddBatches:
    """Gives a function one batch after another, and looks at what it answers."""

    def __init__(self, harness_of, work_of):
        self.harness_of, self.work_of = harness_of, work_of
        self.number, self.harness = 0, None

    def next_second(self):
        """The time of the next batch, on a table that is emptied now and then."""
        if self.number % ROUNDS == 0:
            self.check_report()
            self.harness = self.harness_of()
        self.number += 1
        return FAR_S * (self.number % ROUNDS)

    def deliver(self, contents):
        """Deliver records of these contents: nothing is raised and nothing is retried."""
        records = [
            self.kinesis_record(f"{self.number}{n:03}", one) for n, one in enumerate(contents)
        ]
        bucket, harness = LettersBucket(), self.harness
        said = SimpleNamespace(info=silent, warning=silent, add_metric=silent)
        letters = DeadLetters(bucket, "bucket", said, said)
        source = KinesisSource(harness.table, "whosthere", letters, ApiCallCounter(), said)
        answer = process_batch(source, records, self.work_of(harness))
        reasons = [letter["reason"] for letter in bucket.letters.values()]
        assert answer == {"batchItemFailures": []}, reasons
        unreadable = [record for record in records if not self.is_readable(record)]
        assert [letter["given"] for letter in bucket.letters.values()] == unreadable, reasons
        assert all(reasons)

    def kinesis_record(self, number, content):
        data = base64.b64encode(content).decode()
        moment = START / 1000 + 2
        kinesis = {"sequenceNumber": number, "data": data, "approximateArrivalTimestamp": moment}
        return {"kinesis": kinesis, "eventSourceARN": ARN}

    def is_readable(self, record):
        try:
            content = json.loads(base64.b64decode(record["kinesis"]["data"]))
            read_frame(content, "whosthere", id="1", recognised_ms=START)
        except (RecordError, ValueError, RecursionError):
            return False
        return True

    def check_report(self):
        """The report of all that the session has seen can be made."""
        if self.harness:
            table = self.harness.table
            report = make_report(table, read_session(table, "one"), "", "", {})
            assert as_json(report) and as_lines(report)


odd_contents = strategies.lists(odd_bytes(), min_size=SIZE, max_size=SIZE)
