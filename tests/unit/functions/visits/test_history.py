"""Who was here: the index rows of visits, what is read by them, and what a deletion leaves."""

from dataclasses import replace
from datetime import date

import pytest

from tests.support.records.alert_harness import (
    START,
    AlertHarness,
    RacingTable,
    face,
    match,
    open_session,
    received,
)
from whosthere.clock import iso
from whosthere.dynamodb import PAUSES_MS, read_many
from whosthere.errors import TryAgainError
from whosthere.faces.match import Sighting
from whosthere.visits import index, queries, store
from whosthere.visits.history import (
    BY_DAYS_MS,
    DAY_MS,
    Span,
    delete_past_visits,
    find_past_visits,
    past_visits,
    span_of_days,
)
from whosthere.visits.queries import visits_of
from whosthere.visits.record_sightings import record_sightings

ALICE, BETH, GUEST, OTHER = "p-alice", "p-beth", "s-guest", "s-other"
GAP_MS = 60_000
HOUR = 3600
AROUND = Span(START - 100_000, START + 4 * DAY_MS)
LONG = Span(START - BY_DAYS_MS, START + 7 * DAY_MS)
SPANS = pytest.mark.parametrize("span", [AROUND, LONG], ids=["by days", "by person"])


@pytest.fixture
def harness(table):
    harness = AlertHarness(table, open_session(table))
    harness.name(ALICE, "Alice")
    harness.name(BETH, "Beth")
    return harness


def alice(*seconds):
    return [received(second, face(match(ALICE))) for second in seconds]


def visit(harness, who, *seconds):
    """Sightings of a person or stranger, without alerts; 0.5 s later a second one of each."""
    frames = [received(at, face()) for second in seconds for at in (second, second + 0.5)]
    sightings = [Sighting(frame, frame.faces[0], (who,), 0.0) for frame in frames]
    list(record_sightings(harness.worker(), harness.session, who, sightings, alerts=False))


def decide(table, stranger, **row):
    """The rows of a stranger, as the owner's decision leaves them."""
    table.put_item(Item={"pk": f"stranger#{stranger}", "sk": "stranger", **row})
    table.put_item(Item={"pk": "strangers", "sk": stranger, "status": row["status"]})


def seen(table, span=AROUND, **more):
    return past_visits(table, span, lambda _camera: GAP_MS, **more)


def told(visits):
    """When, in seconds from the start, who, and how often."""
    return [((one.first_ms - START) / 1000, one.who, one.sightings) for one in visits]


def rows_of(table, *kinds):
    return {
        (row["pk"], row["sk"]): row for row in table.scan()["Items"] if row["pk"].startswith(kinds)
    }


def test_a_visit_is_in_both_indexes_as_soon_as_it_opens(harness, table):
    harness.sees(*alice(0))
    keys = (
        ("day#2027-01-15", f"{START}#front-door#{ALICE}"),
        (
            f"visits#{ALICE}",
            f"front-door#{START}",
        ),
    )
    opened = rows_of(table, "day#", "visits#")
    assert set(opened) == set(keys)
    harness.sees(*alice(100))
    closed = rows_of(table, "day#", "visits#")
    assert len(closed) == 4
    for key in keys:
        assert "closedPk" not in opened[key]
        assert closed[key]["closedSk"] == f"visit#{START}#{ALICE}"
        assert closed[key]["expires"] == START // 1000 + 90 * 86_400


def test_what_is_seen_is_what_is_in_the_rows(harness, table):
    harness.sees(*alice(0, 1, 30))
    (one,) = seen(table)
    assert (one.who, one.names, one.camera, one.session) == (ALICE, ("Alice",), "front-door", "one")
    assert (one.first_ms, one.last_ms) == (START, START + 30_000)
    assert (one.sightings, one.similarity, one.alert) == (3, 99.0, "sent")
    assert one.is_confirmed and one.id == f"{ALICE}-{START}"
    for now, goes_on in ((-30_001, False), (-30_000, True), (90_000, True), (90_001, False)):
        assert one.goes_on(START + now, GAP_MS) is goes_on


@SPANS
def test_the_current_visit_closed_ones_and_late_ones_are_found_newest_first(harness, table, span):
    for second in (0, 300, 100):
        harness.sees(*alice(second, second + 1))
    assert told(seen(table, span, who=ALICE)) == [(300, ALICE, 2), (100, ALICE, 2), (0, ALICE, 2)]


def test_a_camera_or_a_person_alone(harness, table):
    visit(harness, ALICE, 0)
    visit(harness, BETH, 10)
    assert [one.who for one in seen(table, camera="front-door")] == [BETH, ALICE]
    assert seen(table, camera="back-door") == []
    assert [one.who for one in seen(table, who=BETH)] == [BETH]


@SPANS
@pytest.mark.parametrize(
    "row", [{"status": "named", "person": ALICE}, {"status": "merged", "mergedInto": OTHER}]
)
def test_a_stranger_is_read_as_who_he_is_by_now_and_as_before_once_that_is_undone(
    harness, table, span, row
):
    decide(table, OTHER, status="named", person=ALICE)
    visit(harness, GUEST, 0)
    visit(harness, ALICE, 200)
    decide(table, GUEST, **row)
    expected = [(200, ALICE, 2), (0, ALICE, 2)]
    assert told(seen(table, span, who=ALICE)) == expected
    assert told(seen(table, span, who=GUEST)) == expected
    assert [one.names for one in seen(table)] == [("Alice",)] * 2
    decide(table, GUEST, status="pending")
    assert told(seen(table, span, who=ALICE)) == [(200, ALICE, 2)]
    assert told(seen(table, span, who=GUEST)) == [(0, GUEST, 2)]
    assert [one.names for one in seen(table)] == [("Alice",), ()]


def test_two_that_are_merged_into_each_other_are_still_read(harness, table):
    decide(table, GUEST, status="merged", mergedInto=OTHER)
    decide(table, OTHER, status="merged", mergedInto=GUEST)
    visit(harness, GUEST, 0)
    assert len(seen(table)) == 1


def test_visits_of_one_person_by_several_ids_are_one_if_they_lie_within_the_gap(harness, table):
    decide(table, GUEST, status="named", person=ALICE, pictureKey="review/named/s-guest/1.jpg")
    visit(harness, ALICE, 0, 40)
    visit(harness, GUEST, 20, 75)
    visit(harness, GUEST, 400)
    later, joined = seen(table)
    assert told([later, joined]) == [(400, ALICE, 2), (0, ALICE, 8)]
    assert [row.visit.who for row in joined.stored] == [ALICE, GUEST]
    assert joined.picture_key == "review/named/s-guest/1.jpg"
    assert joined.last_ms == START + 75_500


def test_the_gap_is_the_one_of_the_camera(harness, table):
    decide(table, GUEST, status="named", person=ALICE)
    visit(harness, ALICE, 0)
    visit(harness, GUEST, 20)
    gaps = {"": 60_000, "front-door": 10_000}
    assert len(past_visits(table, AROUND, gaps.__getitem__)) == 2


def test_persons_who_are_hard_to_tell_apart_are_all_named(harness, table):
    for second in (0, 1):
        harness.sees(received(second, face(match(ALICE, 97), match(BETH, 96))))
    assert seen(table)[0].names == ("Alice", "Beth")
    table.delete_item(Key={"pk": "people", "sk": BETH})
    assert seen(table)[0].names == ("Alice", "Somebody you know")


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        ("Europe/Berlin", "2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z"),
        ("Pacific/Auckland", "2026-10-24T11:00:00.000Z", "2026-10-25T11:00:00.000Z"),
    ],
)
def test_a_day_is_the_one_on_the_owners_clock(zone, first, last):
    span = span_of_days(date(2026, 10, 25), 1, zone)
    assert (iso(span.from_ms), iso(span.to_ms)) == (first, last)
    week = span_of_days(date(2026, 10, 25), 7, zone)
    assert week.to_ms == span.to_ms and 6 * DAY_MS <= span.from_ms - week.from_ms < 7 * DAY_MS


def test_a_visit_is_on_each_day_that_it_touches(harness, table):
    midnight = START + 1000 * HOUR
    visit(harness, ALICE, HOUR - 30, HOUR + 20)
    for span in (Span(midnight - DAY_MS, midnight), Span(midnight, midnight + DAY_MS)):
        assert told(seen(table, span)) == [(HOUR - 30, ALICE, 4)]
    assert seen(table, Span(midnight + 20_501, midnight + DAY_MS)) == []
    assert seen(table, Span(midnight - DAY_MS, midnight - 30_000)) == []


@pytest.mark.parametrize("days", [1, 7, 8])
def test_a_view_takes_few_queries_and_no_scan(harness, table, days):
    for who, second in ((ALICE, 0), (GUEST, 100), (OTHER, HOUR)):
        visit(harness, who, second)
    decide(table, GUEST, status="named", person=ALICE)
    asked = Asked(table)
    span = span_of_days(date(2027, 1, 15), days, "Asia/Kolkata")
    assert len(seen(asked, span)) == 3
    assert asked.calls["query"] <= min(10, days + 2)
    asked.calls.clear()
    assert len(seen(asked, span, who=ALICE)) == 2
    assert asked.calls["query"] <= 8
    assert set(asked.calls) == {"query", "batch_get_item"}


def test_the_whole_history_of_a_person_takes_few_queries_too(harness, table):
    visit(harness, ALICE, *range(0, 3000, 100))
    visit(harness, GUEST, 50)
    decide(table, GUEST, status="named", person=ALICE)
    asked = Asked(table)
    assert len(seen(asked, LONG, who=ALICE)) == 29  # hers at 0 and 100 and his are one
    assert asked.calls["query"] <= 6


class Asked:
    """The table, and how often which of its calls was made."""

    def __init__(self, table):
        self._table, self.calls = table, {}
        self.name, self.meta, self.client = table.name, self, self

    def __getattr__(self, name):
        of = self._table.meta.client if name == "batch_get_item" else self._table

        def counted(**given):
            self.calls[name] = self.calls.get(name, 0) + 1
            return getattr(of, name)(**given)

        return counted


@SPANS
def test_of_many_visits_the_newest_are_read(harness, table, span):
    visit(harness, ALICE, *range(0, 2000, 100))
    assert [at for at, _, _ in told(seen(table, span, who=ALICE, newest=3))] == [1900, 1800, 1700]


def test_of_each_camera_the_newest_before_the_end_are_read(harness, table):
    for camera in ("aa", "front-door", "zz"):
        for minute in range(10):
            opened = START + minute * 60_000
            key = {"pk": f"visits#{ALICE}", "sk": f"{camera}#{opened:013d}"}
            table.put_item(Item={**key, "camera": camera, "opened": opened})
    for newest in (1, 2, 7, 10, 30, 99):
        for to in (0, 4, 10):
            found = index.visits_of_one(table, ALICE, START, START + to * 60_000, newest)
            at = {(row["camera"], (int(row["opened"]) - START) // 60_000) for row in found}
            expected = {
                (camera, minute)
                for camera in ("aa", "front-door", "zz")
                for minute in range(max(0, to - newest), to)
            }
            assert at >= expected, (newest, to)


def test_of_many_cameras_the_newest_are_read_by_one_query(table):
    for camera in range(20):
        key = {"pk": f"visits#{ALICE}", "sk": f"camera-{camera}#{START:013d}"}
        table.put_item(Item={**key, "camera": f"camera-{camera}", "opened": START})
    asked = Asked(table)
    assert len(list(index.visits_of_one(asked, ALICE, START, START + 1, 3))) == 20
    assert asked.calls == {"query": 1}


def test_a_visit_that_closes_while_it_is_read_is_found(harness, table):
    visit(harness, ALICE, 0)
    rows = index.visits_of_day(table, "2027-01-15", START, START + 1)
    visit(harness, ALICE, 100)
    rows += index.visits_of_day(table, "2027-01-15", START + 1, START + DAY_MS)
    rows[1].pop("closedPk", None)
    found = queries.read_indexed(table, rows)
    assert sorted(one.visit.first_ms for one in found) == [START, START + 100_000]


def test_a_visit_that_is_shown_has_all_of_its_row_but_the_times(harness, table):
    harness.sees(*alice(0, 1, 30))
    (shown,) = seen(table)
    current = store.read_current(table, "front-door", ALICE)
    assert shown.stored == (replace(current, visit=replace(current.visit, times=())),)


def test_rows_that_are_throttled_are_asked_for_again(table, monkeypatch):
    monkeypatch.setattr("whosthere.dynamodb.wait", lambda _ms: None)
    keys = [{"pk": "people", "sk": str(number)} for number in range(150)]
    for key in keys:
        table.put_item(Item=key)
    busy = Busy(table, 3)
    assert {row["sk"] for row in read_many(busy, keys)} == {key["sk"] for key in keys}
    with pytest.raises(TryAgainError):
        read_many(Busy(table, len(PAUSES_MS)), keys)


class Busy:
    """A table that returns one row an answer for a while."""

    def __init__(self, table, times):
        self._table, self._times = table, times
        self.name, self.meta, self.client = table.name, self, self

    def batch_get_item(self, RequestItems):
        keys = RequestItems[self.name]["Keys"]
        assert len(keys) <= 100
        given = keys[:1] if self._times > 0 else keys
        self._times -= 1
        asked = {self.name: {**RequestItems[self.name], "Keys": given}}
        answer = self._table.meta.client.batch_get_item(RequestItems=asked)
        left = {self.name: {"Keys": keys[len(given) :]}} if len(given) < len(keys) else {}
        return answer | {"UnprocessedKeys": left}


def test_late_sightings_find_closed_visits_by_the_rows_of_the_version_before(harness, table):
    for second in (0, 100, 200):
        harness.sees(*alice(second, second + 1))
    for (pk, sk), row in rows_of(table, "day#", "visits#").items():
        if pk.startswith("visits#") and "closedPk" in row:
            old = {"pk": "camera#front-door", "sk": f"past#{ALICE}#{sk[-13:]}"}
            table.put_item(Item={**row, **old})
        table.delete_item(Key={"pk": pk, "sk": sk})
    harness.sees(*alice(2, 102))
    assert len(harness.subscriber.alerts) == 3
    assert [one.sightings for one in visits_of(table, "one", "front-door")] == [3, 3, 2]


def find(table, visit_id):
    return find_past_visits(table, visit_id, lambda _camera: GAP_MS)


def delete(table, visit_id):
    """Whether a visit of that name was there and is gone."""
    found = find(table, visit_id)
    return bool(found) and not delete_past_visits(table, found)


@pytest.mark.parametrize("at", [0, 100, 200])
def test_of_a_deleted_visit_no_row_is_left_and_the_others_are_as_they_were(harness, table, at):
    for second in (0, 100, 200):
        harness.sees(*alice(second, second + 1))
    assert delete(table, f"{ALICE}-{START + 1000 * at}")
    left = [second for second in (200, 100, 0) if second != at]
    assert told(seen(table)) == [(second, ALICE, 2) for second in left]
    assert len(rows_of(table, "day#", "visits#")) == 4
    assert not [key for key in rows_of(table, "") if str(START + 1000 * at) in "".join(key)]
    # What is delivered again of the others makes no alert, and the deleted one opens again.
    for second in left:
        assert not harness.sees(*alice(second, second + 1)).failed
    assert len(harness.subscriber.alerts) == 3
    harness.sees(*alice(at, at + 1))
    assert len(harness.subscriber.alerts) == 4
    assert len(seen(table)) == 3


def test_when_all_are_deleted_nothing_is_left(harness, table):
    for second in (0, 100, 200):
        harness.sees(*alice(second, second + 1))
    before = set(rows_of(table, "session", "camera#", "people"))
    for second in (200, 0, 100):
        assert delete(table, f"{ALICE}-{START + 1000 * second}")
    assert not delete(table, f"{ALICE}-{START}")
    assert set(rows_of(table, "")) == {key for key in before if not key[1].startswith("visit#")}


def test_a_visit_is_found_by_the_name_of_any_row_and_by_the_beginning_of_the_id(harness, table):
    decide(table, GUEST, status="named", person=ALICE)
    visit(harness, ALICE, 0, 40)
    visit(harness, GUEST, 20)
    visit(harness, BETH, 20)
    visit(harness, OTHER, 20)
    assert [one.who for one in find(table, f"s-gu-{START + 20_000}")] == [ALICE]
    assert [one.who for one in find(table, f"{ALICE}-{START}")] == [ALICE]
    assert {one.who for one in find(table, f"s-{START + 20_000}")} == {ALICE, OTHER}
    assert delete(table, f"s-gu-{START + 20_000}")
    assert {one.who for one in seen(table)} == {BETH, OTHER}


def test_of_visits_that_are_deleted_together_no_row_is_left(harness, table):
    visit(harness, ALICE, 0, 100, 200, 300)
    visit(harness, BETH, 0, 100)
    first, *others = [one for one in seen(table) if one.first_ms != START + 200_000]
    assert first.first_ms == START + 300_000
    assert delete_past_visits(table, [first, *others]) == []
    assert told(seen(table)) == [(200, ALICE, 2)]
    assert set(rows_of(table, "camera#", "visits#")) == {
        *(("camera#front-door", sk) for sk in ("lock", f"visit#{ALICE}")),
        *(key for key in rows_of(table, "camera#") if key[1].startswith("session#")),
        (f"visits#{ALICE}", f"front-door#{START + 200_000}"),
    }


def test_a_visit_that_changed_since_it_was_read_is_not_deleted(harness, table):
    harness.sees(*alice(0, 1))
    (found,) = seen(table)
    harness.sees(*alice(2))
    assert delete_past_visits(table, [found]) == [found]
    assert told(seen(table)) == [(0, ALICE, 3)]


@pytest.mark.parametrize("at", range(1, 5))
def test_a_deletion_during_the_work_of_another_loses_no_alert_and_doubles_none(harness, table, at):
    harness.sees(*alice(0, 1))
    harness.sees(*alice(100, 101))
    deleted = []
    racing = RacingTable(table, at, lambda: deleted.append(delete(table, f"{ALICE}-{START}")))
    assert not harness.sees(*alice(2, 200, 201, 102), worker=harness.worker(racing)).failed
    assert len(harness.subscriber.alerts) == 3
    assert [second for second, _, _ in told(seen(table))][:2] == [200, 100]


def test_what_names_no_visit_finds_none(table):
    for text in ("", "p-alice", "p-alice-", f"p-alice-{START}", "p-alice-99999999999999", "x-²"):
        assert find(table, text) == []
