"""Whatever a record holds, it is read or refused with a reason, and what is read can be used."""

import json
from datetime import UTC, datetime

from hypothesis import strategies

from tests.support.records.alert_harness import START
from tests.support.records.given_many import given_many
from tests.support.records.odd_records import odd_bytes, odd_records, odd_values
from whosthere.clock import iso
from whosthere.errors import RecordError
from whosthere.geometry import Box, distance
from whosthere.ingest import record as records
from whosthere.ingest.record import explain, read_frame
from whosthere.session.health import arrivals

REASON_LENGTH = 3000


def check(found):
    """Read a record, and do with its frame what later steps do."""
    try:
        frame = read_frame(found, "whosthere", id="1", recognised_ms=START)
    except RecordError as error:
        assert 0 < len(str(error)) < REASON_LENGTH
        assert str(error).encode()
        return
    assert len(frame.faces) <= records.FACES
    assert 0 <= frame.captured_ms < 10**13 and 0 <= frame.server_ms < 10**13
    assert iso(frame.captured_ms) and iso(frame.server_ms)
    for face in frame.faces:
        kept = Box.from_row(face.box.to_row())
        assert kept.width > 0 and kept.height > 0
        distance(kept, kept, 10**13)
        percents = (face.confidence, face.sharpness, face.brightness)
        similarities = [match.similarity for match in face.matches]
        assert all(0 <= percent <= 100 for percent in (*percents, *similarities))
        assert all(len(match.person_id.encode()) <= 1000 for match in face.matches)


@given_many(50_000, odd_records())
def test_an_odd_record_is_read_or_refused(found):
    check(found)


@given_many(45_000, odd_records())
def test_an_odd_record_is_the_same_after_it_has_been_json(found):
    check(json.loads(json.dumps(found)))


@given_many(5_000, odd_values() | strategies.dictionaries(strategies.text(), odd_values()))
def test_any_other_json_is_refused(found):
    check(found)


@given_many(5_000, odd_bytes())
def test_a_check_of_the_session_counts_any_record(content):
    moment = datetime.fromtimestamp(START / 1000, UTC)
    one = {"Data": content, "SequenceNumber": "1", "ApproximateArrivalTimestamp": moment}
    found = arrivals._added(arrivals.Arrived(), "shard", [one])
    assert found.records == 1 and found.faces + found.unreadable <= 1


@given_many(5_000, odd_records())
def test_what_the_schema_allows_is_read(found):
    texts = json.dumps(found, ensure_ascii=False)
    if texts.isascii() and "NaN" not in texts and not explain(found):
        read_frame(found, "whosthere", id="1", recognised_ms=START)
