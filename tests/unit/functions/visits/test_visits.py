"""Visits of persons and their alerts, on moto's DynamoDB: exactly one alert each."""

import itertools
import random

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.support.records.alert_harness import (
    LEFT,
    RIGHT,
    START,
    AlertHarness,
    Clock,
    FlakyTable,
    Killed,
    RacingTable,
    a_table,
    empty,
    face,
    match,
    open_session,
    received,
    refusal,
)
from whosthere.errors import TryAgainError
from whosthere.session import lock as locks
from whosthere.visits.queries import visits_of

ALICE, BETH = "p-alice", "p-beth"


@pytest.fixture(scope="module")
def shared():
    with a_table() as table:
        yield table


@pytest.fixture
def table(shared):
    empty(shared)
    return shared


@pytest.fixture
def harness(table):
    harness = AlertHarness(table, open_session(table))
    harness.name(ALICE, "Alice")
    harness.name(BETH, "Beth")
    return harness


def alice(second, similarity=99.0, box=LEFT, **more):
    return received(second, face(match(ALICE, similarity), box=box), **more)


def beth(second, similarity=98.0, box=RIGHT, **more):
    return received(second, face(match(BETH, similarity), box=box), **more)


def nobody(second, box=LEFT, **more):
    return received(second, face(box=box), **more)


def visits(harness, session="one"):
    return visits_of(harness.table, session, "front-door")


# What comes, in batches; and whom the owner is told of.
SITUATIONS = {
    "one sighting confirms nothing": ([[alice(0)]], []),
    "two sightings are a visit": ([[alice(0), alice(1)]], ["Alice"]),
    "the second sighting comes in another batch": ([[alice(0)], [alice(1)]], ["Alice"]),
    "two sightings too far apart confirm nothing": ([[alice(0), alice(6)]], []),
    "a third one confirms": ([[alice(0), alice(6), alice(8)]], ["Alice"]),
    "the same batch twice": ([[alice(0), alice(1)]] * 2, ["Alice"]),
    "the same sighting twice is one": ([[alice(0)], [alice(0)]], []),
    "the same sighting twice in a batch is one": ([[alice(0), alice(0)]], []),
    "the later sighting comes first": ([[alice(1)], [alice(0)]], ["Alice"]),
    "a long visit": ([[alice(second)] for second in (0, 1, *range(10, 100, 10))], ["Alice"]),
    "back within the gap": ([[alice(0), alice(1)], [alice(50), alice(51)]], ["Alice"]),
    "back after the gap": ([[alice(0), alice(1)], [alice(70), alice(71)]], ["Alice", "Alice"]),
    "both visits in one batch": (
        [[alice(0), alice(1), alice(70), alice(71)]],
        ["Alice", "Alice"],
    ),
    "back after the gap, everything replayed": (
        [[alice(0), alice(1)], [alice(70), alice(71)]] * 2,
        ["Alice", "Alice"],
    ),
    "an earlier visit comes late": (
        [[alice(100), alice(101)], [alice(0), alice(1)]],
        ["Alice", "Alice"],
    ),
    "an earlier visit comes late and twice": (
        [[alice(100), alice(101)], [alice(0), alice(1)], [alice(0)], [alice(1)]],
        ["Alice", "Alice"],
    ),
    "an earlier visit comes late, one sighting at a time": (
        [[alice(100), alice(101)], [alice(1)], [alice(0)], [alice(2)]],
        ["Alice", "Alice"],
    ),
    "a visit between two": (
        [[alice(0), alice(1)], [alice(200), alice(201)], [alice(100), alice(101)]],
        ["Alice", "Alice", "Alice"],
    ),
    "a sighting late by less than the gap belongs to the visit": (
        [[alice(40), alice(41)], [alice(0), alice(1)]],
        ["Alice"],
    ),
    "two persons, one after the other": (
        [[alice(0), alice(1)], [beth(10), beth(11)]],
        ["Alice", "Beth"],
    ),
    "two persons together": (
        [[received(second, face(match(ALICE)), face(match(BETH), box=RIGHT)) for second in (0, 1)]],
        ["Alice", "Beth"],
    ),
    "several photos of one person match": (
        [[received(second, face(match(ALICE, 95), match(ALICE, 99))) for second in (0, 1)]],
        ["Alice"],
    ),
    "unsure is nobody": ([[alice(second, 89.9) for second in range(9)]], []),
    "unsure in between does not confirm": ([[alice(0), alice(1, 85)]], []),
    "two that are hard to tell apart": (
        [[received(second, face(match(ALICE, 97), match(BETH, 96))) for second in (0, 1)]],
        ["Alice or Beth"],
    ),
    "hard to tell apart, and now one, now the other is ahead": (
        [
            [received(0, face(match(ALICE, 97), match(BETH, 96)))],
            [received(1, face(match(ALICE, 96), match(BETH, 97)))],
            [received(2, face(match(ALICE, 95), match(BETH, 97)))],
        ],
        ["Alice or Beth"],
    ),
    "one clear sighting ends the doubt": (
        [
            [received(0, face(match(ALICE, 97), match(BETH, 96)))],
            [received(1, face(match(ALICE, 97), match(BETH, 92)))],
        ],
        ["Alice"],
    ),
    "who was told as one of two is not told again": (
        [
            [received(second, face(match(ALICE, 97), match(BETH, 96))) for second in (0, 1)],
            [received(second, face(match(BETH, 97))) for second in (2, 3)],
        ],
        ["Alice or Beth"],
    ),
    "the second of two lies below the threshold": (
        [[received(second, face(match(ALICE, 91), match(BETH, 89.5))) for second in (0, 1)]],
        ["Alice"],
    ),
    "a face turned away keeps the visit open": (
        [[alice(0), alice(1), *(nobody(second) for second in range(2, 100)), alice(100)]]
        + [[alice(101)]],
        ["Alice"],
    ),
    "a face somewhere else does not": (
        [[alice(0), alice(1), *(nobody(second, RIGHT) for second in range(2, 100))]]
        + [[alice(100), alice(101)]],
        ["Alice", "Alice"],
    ),
    "a face that comes after a while does not": (
        [[alice(0), alice(1)], [nobody(second) for second in range(4, 80)]]
        + [[alice(100), alice(101)]],
        ["Alice", "Alice"],
    ),
    "turned away confirms nothing": ([[alice(0), nobody(1), nobody(2)]], []),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_alerts_name(harness, situation):
    batches, told = SITUATIONS[situation]
    for batch in batches:
        assert not harness.sees(*batch).failed
    assert [alert.facts["name"] for alert in harness.subscriber.alerts] == told


def test_any_order_of_a_visit_makes_one_alert(harness):
    sightings = [alice(second / 2) for second in range(12)]
    for seed in range(6):
        clear(harness)
        mixed = sightings * 2
        random.Random(seed).shuffle(mixed)
        for batch in itertools.batched(mixed, 6, strict=True):
            harness.sees(*batch)
        assert len(harness.subscriber.alerts) == 1, seed
        assert visits(harness)[0].sightings == 12


def test_a_visit_has_first_and_last_sighting_and_best_similarity(harness):
    harness.sees(alice(0, 95), alice(1, 99.126), nobody(2))
    (visit,) = visits(harness)
    assert (visit.first_ms, visit.last_ms) == (START, START + 2000)
    assert (visit.sightings, visit.similarity) == (2, 99.13)
    assert visit.captured_ms == START + 1000


def test_a_long_visit_that_is_replayed_counts_nothing_twice(harness):
    sightings = [alice(second / 10) for second in range(70)]
    harness.sees(*sightings)
    harness.sees(*sightings)
    assert visits(harness)[0].sightings == 70


def test_a_replaced_visit_is_kept_with_the_session(harness):
    harness.sees(alice(0), alice(1))
    harness.sees(alice(70), alice(71))
    assert [visit.first_ms for visit in visits(harness)] == [START, START + 70_000]
    closed = harness.table.get_item(Key={"pk": "session#one", "sk": f"visit#{START}#{ALICE}"})[
        "Item"
    ]
    assert closed["alert"] == "sent"


def test_frames_from_before_the_session_are_counted_and_make_no_alert(table):
    harness = AlertHarness(table, open_session(table, started=10))
    outcome = harness.sees(alice(0), alice(1), alice(12))
    counted = {name: outcome.counts[name] for name in ("before_session", "records", "unsure")}
    assert counted == {"before_session": 2, "records": 1, "unsure": 0}
    assert not harness.subscriber.alerts


def test_the_servers_clock_decides_what_lies_before_the_session(table):
    harness = AlertHarness(table, open_session(table, started=10))
    harness.sees(alice(0, server_ahead=30), alice(1, server_ahead=30))  # sent again after a cut
    assert len(harness.subscriber.alerts) == 1


def test_records_of_a_session_that_has_just_ended_still_alert(harness):
    harness.ended(2)
    harness.sees(alice(0), alice(1))
    assert len(harness.subscriber.alerts) == 1
    outcome = harness.sees(alice(100), alice(101))
    assert outcome.counts["after_session"] == 2
    assert len(harness.subscriber.alerts) == 1


def test_a_session_that_starts_within_a_visit_makes_no_second_alert(harness):
    harness.sees(alice(0), alice(1))
    harness.session = open_session_again(harness, "two")
    harness.sees(alice(20), alice(21))
    assert len(harness.subscriber.alerts) == 1
    assert [visit.session for visit in visits(harness, "two")] == ["two"]


def open_session_again(harness, session_id):
    locks.unlock(harness.table, harness.session)
    return open_session(harness.table, session_id, started=10)


def test_unsure_faces_are_counted(harness):
    outcome = harness.sees(alice(0, 85), alice(1, 89), nobody(2))
    assert outcome.counts["unsure"] == 2


def test_what_cannot_be_done_for_one_person_does_not_hide_another(harness):
    harness.subscriber.refusals = [refusal("Publish")]
    outcome = harness.sees(alice(0), alice(1), beth(2), beth(3))
    assert set(outcome.failed) == {"at-0", "at-1"}
    assert harness.subscriber.subjects == ["Beth at front-door 08:00"]
    assert outcome.counts == {}  # all of it is redelivered
    outcome = harness.sees(alice(0), alice(1), beth(2), beth(3))
    assert not outcome.failed
    assert len(harness.subscriber.alerts) == 2
    assert outcome.counts["records"] == 4


def test_what_was_being_searched_when_the_session_ended_is_told_for_a_minute(harness):
    harness.ended(0)
    harness.sees(alice(58), alice(59))
    assert len(harness.subscriber.alerts) == 1
    assert harness.sees(beth(60), beth(61)).counts["after_session"] == 2
    assert len(harness.subscriber.alerts) == 1


@pytest.mark.parametrize(
    "error", [refusal("Publish"), EndpointConnectionError(endpoint_url="https://sns")]
)
def test_an_alert_that_is_refused_is_sent_by_the_retry_at_once(harness, error):
    harness.subscriber.refusals = [error, error, error]
    for _ in range(3):
        assert set(harness.sees(alice(0), alice(1)).failed) == {"at-0", "at-1"}
    assert not harness.sees(alice(0), alice(1)).failed
    assert len(harness.subscriber.alerts) == 1


@pytest.mark.long  # by default test_crashes.py dies at some of all lines
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("dies", [True, False], ids=["killed", "refused"])
def test_a_crash_at_any_call_to_the_table_loses_and_doubles_nothing(harness, after, dies):
    """Each call fails in turn, before or after it took effect; then the batch is redelivered."""
    batch = [alice(0), alice(1), beth(2), beth(3), alice(70), alice(71)]
    crashes = 0
    for at in itertools.count(1):
        clear(harness)
        error = Killed() if dies else refusal("PutItem")
        table = FlakyTable(harness.table, at, error, after=after)
        worker = harness.worker(table)
        try:
            failed = harness.sees(*batch, worker=worker).failed
        except (Killed, ClientError):
            failed = dict.fromkeys(one.id for one in batch)
        if table.calls < at:
            break
        crashes += 1
        marking = lost_mark(harness)
        # A killed worker takes its memory with it; one that was refused lives on.
        sent = {} if dies else worker.lease.sent
        retries(harness, batch, sent, failed)
        names = sorted(alert.facts["name"] for alert in harness.subscriber.alerts)
        if marking and dies and not after:
            # Killed between SNS's answer and the mark: the one window there is.
            assert len(names) == 4, at
        else:
            assert names == ["Alice", "Alice", "Beth"], at
    assert crashes > 10


def test_the_alert_and_the_visit_have_the_same_moment_of_sending(harness):
    harness.clock.forward(7)
    worker = harness.worker()
    harness.sees(alice(0), alice(1), worker=worker)
    (alert,), (visit,) = harness.subscriber.alerts, visits(harness)
    assert alert.sent_ms == visit.sent_ms == START + 7000
    assert worker.lease.sent == {}  # remembered until it is written, no longer


def lost_mark(harness):
    """Whether an alert went out whose mark was never written."""
    sent = [visit for visit in visits(harness) if visit.alert == "sent"]
    return len(harness.subscriber.alerts) > len(sent)


def retries(harness, batch, sent, failed):
    for _ in range(3):
        if not failed:
            return
        harness.clock.forward(66)  # the lease is over
        worker = harness.worker()
        worker.lease.sent.update(sent)
        failed = harness.sees(*batch, worker=worker).failed
    raise AssertionError("the batch never got done")


def clear(harness):
    for item in harness.table.scan()["Items"]:
        if item["sk"].startswith("visit#") or item["pk"].startswith(("day#", "visits#")):
            harness.table.delete_item(Key={"pk": item["pk"], "sk": item["sk"]})
    harness.subscriber.alerts.clear()
    harness.clock = Clock()


def test_a_worker_that_died_with_the_alert_in_hand_is_waited_for_until_its_lease_is_over(harness):
    def dies(_alert):
        raise Killed

    with pytest.raises(Killed):
        harness.sees(alice(0), alice(1), worker=harness.worker(publish=dies))
    outcome = harness.sees(alice(0), alice(1))
    assert {type(error) for error in outcome.failed.values()} == {TryAgainError}
    harness.clock.forward(64)
    assert harness.sees(alice(0), alice(1)).failed
    assert not harness.subscriber.alerts
    harness.clock.forward(2)
    assert not harness.sees(alice(0), alice(1)).failed
    assert len(harness.subscriber.alerts) == 1
    assert not harness.sees(alice(0), alice(1)).failed
    assert len(harness.subscriber.alerts) == 1


def test_new_sightings_pass_while_another_worker_has_the_alert_in_hand(harness):
    def in_between(alert):
        outcome = harness.sees(alice(2), alice(3))
        assert not outcome.failed
        assert not harness.subscriber.alerts
        harness.subscriber(alert)

    outcome = harness.sees(alice(0), alice(1), worker=harness.worker(publish=in_between))
    assert not outcome.failed
    assert len(harness.subscriber.alerts) == 1
    (visit,) = visits(harness)
    assert (visit.sightings, visit.alert) == (4, "sent")


def test_the_next_visit_may_open_while_the_alert_is_being_sent(harness):
    def in_between(alert):
        if not harness.subscriber.alerts:
            harness.subscriber.alerts.append("placeholder")
            assert not harness.sees(alice(70), alice(71)).failed
            harness.subscriber.alerts.pop(0)
        harness.subscriber(alert)

    harness.sees(alice(0), alice(1), worker=harness.worker(publish=in_between))
    assert [visit.alert for visit in visits(harness)] == ["sent", "sent"]
    assert len(harness.subscriber.alerts) == 2


@pytest.mark.parametrize("at", range(1, 9))
@pytest.mark.parametrize("same", [True, False], ids=["same records", "other records"])
def test_two_workers_on_one_visit_send_one_alert(harness, at, same):
    mine = [alice(0), alice(1), alice(70), alice(71)]
    theirs = mine if same else [alice(0.5), alice(1.5), alice(70.5), alice(71.5)]
    failed = []
    table = RacingTable(harness.table, at, lambda: failed.append(harness.sees(*theirs).failed))
    outcome = harness.sees(*mine, worker=harness.worker(table))
    if outcome.failed or any(failed):
        harness.clock.forward(70)
        assert not harness.sees(*mine).failed
        assert not harness.sees(*theirs).failed
    assert len(harness.subscriber.alerts) == 2
    assert [visit.alert for visit in visits(harness)] == ["sent", "sent"]


def test_two_workers_that_both_open_a_late_visit_open_one(harness):
    harness.sees(alice(300), alice(301))
    theirs = [alice(0.5), alice(1.5)]
    table = RacingTable(harness.table, 1, lambda: harness.sees(*theirs))
    harness.sees(alice(0), alice(1), worker=harness.worker(table))
    assert len(harness.subscriber.alerts) == 2
    assert len(visits(harness)) == 2


def test_an_alert_says_who_where_when_and_how_sure(harness):
    harness.clock.forward(1.6)
    harness.sees(alice(0), alice(1))
    (alert,) = harness.subscriber.alerts
    assert alert.subject == "Alice at front-door 08:00"
    assert alert.text.splitlines() == [
        "Alice was seen at front-door at 08:00:01.",
        "How sure: 99.0 of 100.",
    ]
    assert alert.facts["captured"] == "2027-01-15T08:00:01.000Z"
    assert alert.facts["recognised"] == "2027-01-15T08:00:01.700Z"
    assert alert.facts["visit"] == f"{ALICE}-{START}"


def test_times_are_on_the_owners_wall_clock(table):
    harness = AlertHarness(table, open_session(table, timeZone="Asia/Kolkata"))
    harness.name(ALICE, "Alice")
    harness.sees(alice(0), alice(1))
    assert harness.subscriber.subjects == ["Alice at front-door 13:30"]


def test_an_alert_that_comes_late_says_so(harness):
    harness.clock.forward(300)
    harness.sees(alice(0), alice(1))
    assert (
        "This comes late: it happened 5 min ago, on Friday 15 January, 08:00."
        in harness.subscriber.alerts[0].text
    )


def test_an_alert_about_a_person_forgotten_meanwhile_has_no_name(table):
    harness = AlertHarness(table, open_session(table))
    harness.sees(alice(0), alice(1))
    assert harness.subscriber.subjects == ["Somebody you know at front-door 08:00"]
