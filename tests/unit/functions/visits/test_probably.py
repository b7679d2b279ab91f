"""A person who is unsure again and again, and like nobody else, is told as probably that person."""

import itertools
import random
from contextlib import suppress

import pytest

from tests.support.records.alert_harness import (
    LEFT,
    RIGHT,
    START,
    AlertHarness,
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
from whosthere.alerts.mute import mute
from whosthere.visits.queries import visits_of
from whosthere.visits.store import current_visits

ALICE, BETH = "p-alice", "p-beth"
AT = " at front-door 08:00"


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
    return new_harness(table)


def new_harness(table, **changed):
    settings = {"probablySightings": 4} | changed
    harness = AlertHarness(table, open_session(table, **settings))
    harness.name(ALICE, "Alice")
    harness.name(BETH, "Beth")
    return harness


def like(second, person=ALICE, similarity=85.0, box=LEFT, **more):
    return received(second, face(match(person, similarity), box=box), **more)


def sure(second, person=ALICE, box=LEFT):
    return like(second, person, 99.0, box)


def unsure(*seconds):
    return [like(second) for second in seconds]


def beside(second, similarity):
    """Beth right beside Alice, who is unsure."""
    left, top, width, height = LEFT
    close = (left + 1.1 * width, top, width, height)
    return received(
        second, face(match(BETH, similarity), box=close), face(match(ALICE, 85), box=LEFT)
    )


# What comes, in batches; and the subjects of the alerts, without camera and time.
SITUATIONS = {
    "too few": ([unsure(0, 1, 2)], []),
    "again and again": ([unsure(0, 1, 2, 3)], ["Probably Alice"]),
    "in any number of batches": ([[one] for one in unsure(0, 1, 2, 3)], ["Probably Alice"]),
    "with pauses within the gap": ([unsure(0, 50, 100, 150)], ["Probably Alice"]),
    "over several visits": ([unsure(0, 1), unsure(100, 101)], []),
    "the same ones twice": ([unsure(0, 1, 2)] * 2, []),
    "for long": ([unsure(*range(0, 200, 2))], ["Probably Alice"]),
    "a visit of its own after the gap": (
        [unsure(0, 1, 2, 3), unsure(100, 101, 102, 103)],
        ["Probably Alice"] * 2,
    ),
    "sure at last": ([unsure(0, 1, 2, 3), [sure(4), sure(5)]], ["Probably Alice"]),
    "sure in the same batch": ([[*unsure(0, 1, 2, 3), sure(4), sure(5)]], ["Alice"]),
    "sure at first": ([[sure(0), sure(1), *unsure(2, 3, 4, 5)]], ["Alice"]),
    "sure at first, then unsure elsewhere": (
        [[sure(0), sure(1)], [like(second, box=RIGHT) for second in range(5, 15)]],
        ["Alice"],
    ),
    "unsure and once sure": (
        [[*unsure(0, 1, 2), sure(3), *unsure(4)]],
        ["Probably Alice"],
    ),
    "as like another": (
        [[received(second, face(match(ALICE, 85), match(BETH, 84))) for second in range(9)]],
        [],
    ),
    "less like another": (
        [[received(second, face(match(ALICE, 85), match(BETH, 81))) for second in range(4)]],
        ["Probably Alice"],
    ),
    "once as like another": (
        [unsure(0, 1), [received(2, face(match(ALICE, 85), match(BETH, 84)))], unsure(3, 4, 5, 6)],
        [],
    ),
    "now like one, now like the other": (
        [[like(second, (ALICE, BETH)[second % 2]) for second in range(12)]],
        [],
    ),
    "it is another's face, turned away": (
        [[sure(0, BETH), sure(1, BETH)], unsure(2, 3, 4, 5, 6)],
        ["Beth"],
    ),
    "it turns out to be another's face": (
        [unsure(0, 1, 2), [sure(3, BETH), sure(4, BETH)], unsure(12, 13, 14, 15)],
        ["Beth"],
    ),
    "it turns out to be another's face, in one batch": (
        [[*unsure(0, 1, 2), sure(3, BETH), sure(4, BETH), *unsure(12, 13, 14, 15)]],
        ["Beth"],
    ),
    "beside somebody sure": (
        [
            [
                received(second, face(match(BETH), box=RIGHT), face(match(ALICE, 85)))
                for second in range(4)
            ]
        ],
        ["Beth", "Probably Alice"],
    ),
    "two unsure ones": (
        [
            [
                received(second, face(match(BETH, 85), box=RIGHT), face(match(ALICE, 85)))
                for second in range(4)
            ]
        ],
        ["Probably Alice", "Probably Beth"],
    ),
    "somebody sure comes close": (
        [unsure(0, 1), [beside(second, 99.0) for second in (2, 3)]],
        ["Beth", "Probably Alice"],
    ),
    "somebody unsure comes close": (
        [unsure(0, 1), [beside(second, 85.0) for second in (2, 3, 4, 5)]],
        ["Probably Alice", "Probably Beth"],
    ),
    "sure at last, but of two": (
        [unsure(0, 1), [received(s, face(match(BETH, 97), match(ALICE, 96))) for s in (2, 3)]],
        ["Beth or Alice"],
    ),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_person_who_is_unsure_is_told(harness, situation):
    batches, told = SITUATIONS[situation]
    for batch in batches:
        assert not harness.sees(*batch).failed
    heard = sorted(subject.partition(" at ")[0] for subject in harness.subscriber.subjects)
    assert heard == sorted(told)


def test_ten_unsure_sightings_are_asked_for_by_default(table):
    harness = AlertHarness(table, open_session(table))
    harness.sees(*unsure(*range(9)))
    assert not harness.subscriber.alerts
    harness.sees(like(9))
    assert harness.subscriber.subjects == ["Probably Somebody you know" + AT]


def test_none_at_all_are_told_if_the_owner_wants_none(table):
    harness = new_harness(table, probablySightings=0)
    harness.sees(*unsure(*range(30)))
    assert not harness.subscriber.alerts


def test_the_alert_says_how_much_and_what_helps(harness):
    harness.name(ALICE, "Alice Ng")
    harness.sees(*unsure(0, 1, 2), like(3, similarity=89.97))
    (alert,) = harness.subscriber.alerts
    assert alert.subject == f"Probably Alice Ng{AT}"
    assert alert.text.splitlines() == [
        "This was probably Alice Ng (89 %), at front-door at 08:00:03.",
        "4 sightings were unsure. A second photo helps: ./whosthere enroll 'Alice Ng' PHOTO",
    ]
    assert (alert.facts["probably"], alert.facts["similarity"]) == (True, 89.97)
    assert (alert.facts["name"], alert.facts["persons"]) == ("Alice Ng", ["Alice Ng"])
    assert alert.facts["captured"] == "2027-01-15T08:00:03.000Z"


def test_an_alert_about_somebody_sure_says_that_too(harness):
    harness.sees(sure(0), sure(1))
    assert harness.subscriber.alerts[0].facts["probably"] is False


def test_sure_sightings_make_the_same_visit_sure(harness):
    harness.sees(*unsure(0, 1, 2, 3))
    (visit,) = visits(harness)
    assert (visit.is_probable, visit.sightings, visit.unsure.sightings) == (True, 0, 4)
    harness.sees(sure(4))
    assert visits(harness)[0].is_probable  # one confirms nothing
    harness.sees(sure(5))
    (visit,) = visits(harness)
    assert (visit.is_probable, visit.sightings, visit.similarity) == (False, 2, 99.0)
    assert len(harness.subscriber.alerts) == 1


def test_an_alert_that_was_refused_says_what_is_known_when_it_is_sent(harness):
    harness.subscriber.refusals = [refusal("Publish")]
    assert harness.sees(*unsure(0, 1, 2, 3)).failed
    assert not harness.sees(*unsure(0, 1, 2, 3), sure(4), sure(5)).failed
    assert harness.subscriber.subjects == [f"Alice{AT}"]


def test_somebody_muted_is_not_told_as_probable_either(harness):
    mute(harness.table, ALICE, START + 3_600_000, START - 1)
    outcome = harness.sees(*unsure(0, 1, 2, 3))
    assert outcome.counts["quiet"] == 1
    assert not harness.subscriber.alerts


def test_any_order_makes_one_alert(table):
    sightings = [*unsure(*(second / 2 for second in range(12))), sure(7), sure(8)]
    for seed in range(8):
        empty(table)
        harness = new_harness(table)
        mixed = sightings * 2
        random.Random(seed).shuffle(mixed)
        for batch in itertools.batched(mixed, 4, strict=True):
            assert not harness.sees(*batch).failed
        assert len(harness.subscriber.alerts) == 1, seed
        (visit,) = visits(harness)
        assert (visit.unsure.sightings, visit.sightings, visit.is_probable) == (12, 2, False)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_call_to_the_table_loses_and_doubles_nothing(table, after):
    batch = [*unsure(0, 1, 2, 3), *unsure(100, 101, 102, 103)]
    for at in itertools.count(1):
        empty(table)
        harness = new_harness(table)
        flaky = FlakyTable(table, at, Killed(), after=after)
        with suppress(Killed):
            harness.sees(*batch, worker=harness.worker(flaky))
        if flaky.calls < at:
            break
        # Killed between SNS's answer and the mark: the one window there is.
        sent = [visit for visit in visits(harness) if visit.alert == "sent"]
        in_window = len(harness.subscriber.alerts) > len(sent)
        for _ in range(3):
            harness.clock.forward(66)  # the lease is over
            if not harness.sees(*batch).failed:
                break
        told = {alert.facts["visit"] for alert in harness.subscriber.alerts}
        assert told == {f"{ALICE}-{START}", f"{ALICE}-{START + 100_000}"}, at
        assert len(harness.subscriber.alerts) == 2 + in_window, at
    assert at > 8


@pytest.mark.parametrize("at", range(1, 7))
@pytest.mark.parametrize("theirs", [unsure(0, 1, 2, 3), [sure(4), sure(5)]])
def test_two_workers_on_one_visit_send_one_alert(harness, at, theirs):
    mine, failed = unsure(0, 1, 2, 3), []
    table = RacingTable(harness.table, at, lambda: failed.append(harness.sees(*theirs).failed))
    outcome = harness.sees(*mine, worker=harness.worker(table))
    if outcome.failed or any(failed):
        harness.clock.forward(70)
        assert not harness.sees(*mine).failed
        assert not harness.sees(*theirs).failed
    assert len(harness.subscriber.alerts) == 1


def test_whom_an_unsure_face_is_like_costs_one_more_row_at_most(harness):
    for second in range(40):
        harness.sees(like(second))
    assert len(current_visits(harness.table, "front-door")) == 1
    (visit,) = visits(harness)
    assert (visit.first_ms, visit.last_ms) == (START, START + 39_000)


def visits(harness):
    return visits_of(harness.table, "one", "front-door")
