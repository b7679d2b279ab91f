"""Quiet hours and mutes: the visit is kept and counted, its alert is suppressed."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.support.records.alert_harness import (
    RIGHT,
    START,
    AlertHarness,
    a_table,
    empty,
    face,
    match,
    open_session,
    received,
)
from whosthere import settings
from whosthere.alerts import mute as mutes
from whosthere.alerts.mute import in_hours
from whosthere.errors import SessionInputError
from whosthere.visits.queries import visits_of

ALICE, BETH = "p-alice", "p-beth"
BERLIN = ZoneInfo("Europe/Berlin")
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def shared():
    with a_table() as table:
        yield table


@pytest.fixture
def table(shared):
    empty(shared)
    return shared


def new_harness(table, **changed):
    harness = AlertHarness(table, open_session(table, **changed))
    harness.name(ALICE, "Alice")
    harness.name(BETH, "Beth")
    return harness


def alice(second):
    return received(second, face(match(ALICE)))


def alice_or_beth(second):
    return received(second, face(match(ALICE, 97), match(BETH, 96)))


def is_muted(table, who, moment):
    never_quiet = settings.from_values(settings.defaults())
    return mutes.is_suppressed(table, never_quiet, who, moment, moment)


def visits(harness):
    return visits_of(harness.table, "one", "front-door")


def at(*moment):
    return round(1000 * datetime(*moment, tzinfo=BERLIN).timestamp())


@pytest.mark.parametrize(
    ("moment", "hours", "quiet"),
    [
        ((2026, 11, 22, 21, 59, 59), "22:00-06:00", False),
        ((2026, 11, 22, 22, 0), "22:00-06:00", True),
        ((2026, 11, 23, 0, 0), "22:00-06:00", True),
        ((2026, 11, 23, 5, 59, 59), "22:00-06:00", True),
        ((2026, 11, 23, 6, 0), "22:00-06:00", False),
        ((2026, 11, 23, 12, 30), "12:00-13:00", True),
        ((2026, 11, 23, 13, 0), "12:00-13:00", False),
        ((2026, 11, 23, 23, 59, 59), "20:00-24:00", True),
        ((2026, 11, 23, 0, 0), "20:00-24:00", False),
        ((2026, 11, 23, 13, 0), "13:00-13:00", True),
        ((2026, 11, 23, 12, 59), "13:00-13:00", True),
    ],
)
def test_quiet_hours_go_by_the_owners_wall_clock(moment, hours, quiet):
    assert in_hours(at(*moment), [hours], "Europe/Berlin") is quiet


@pytest.mark.parametrize(
    ("evening", "hours_long"),
    [
        ((2026, 3, 27, 12, 0), 8),
        ((2026, 3, 28, 12, 0), 7),  # the clocks go forward
        ((2026, 10, 24, 12, 0), 9),  # and back
        ((2026, 10, 25, 12, 0), 8),
    ],
)
def test_a_night_is_quiet_from_the_first_minute_to_the_last_when_the_clocks_change(
    evening, hours_long
):
    noon = at(*evening)
    quiet = [
        minute
        for minute in range(26 * 60)
        if in_hours(noon + 60_000 * minute, ["22:00-06:00"], "Europe/Berlin")
    ]
    assert quiet == list(range(10 * 60, (10 + hours_long) * 60))
    first = datetime(*evening, tzinfo=BERLIN) + timedelta(hours=10)
    assert first.strftime("%H:%M") == "22:00"


def test_several_spans_all_count_and_none_is_never_quiet():
    spans = ["22:00-06:00", "12:00-13:00"]
    assert in_hours(at(2026, 11, 22, 12, 30), spans, "Europe/Berlin")
    assert in_hours(at(2026, 11, 22, 23, 30), spans, "Europe/Berlin")
    assert not in_hours(at(2026, 11, 22, 23, 30), [], "Europe/Berlin")


@pytest.mark.parametrize("bad", ["22-06", "24:00-06:00", "22:00", "22:00-25:00", "7:00-8:00"])
def test_hours_that_are_none_are_refused_with_the_fields_name(bad):
    with pytest.raises(SessionInputError, match="quietHours"):
        settings.merge({"quietHours": [bad]}, "front-door", {})


def test_a_session_from_before_the_setting_goes_on(table):
    values = settings.defaults()
    del values["quietHours"]
    assert settings.from_values(values).quiet_hours == ()


def test_a_visit_in_quiet_hours_is_kept_and_counted_without_an_alert(table):
    harness = new_harness(table, quietHours=["08:00-09:00"])
    outcome = harness.sees(alice(0), alice(1))
    assert outcome.counts["quiet"] == 1
    assert not harness.subscriber.alerts
    assert [(visit.alert, visit.sightings) for visit in visits(harness)] == [("quiet", 2)]
    assert harness.sees(alice(0), alice(1), alice(2)).counts["quiet"] == 0
    harness.session = replace(
        harness.session, settings=replace(harness.session.settings, quiet_hours=())
    )
    harness.sees(alice(3), alice(4))
    assert not harness.subscriber.alerts  # it is the same visit


def test_a_visit_before_quiet_hours_alerts_during_them(table):
    harness = new_harness(table, quietHours=["08:05-09:00"])
    harness.clock.forward(600)
    harness.sees(alice(0), alice(1))
    assert len(harness.subscriber.alerts) == 1


@pytest.mark.parametrize("who", [ALICE, "*"])
def test_a_muted_person_is_kept_and_counted_until_the_mute_is_over(table, who):
    harness = new_harness(table)
    mutes.mute(table, who, START + HOUR_MS, START - 1)
    assert harness.sees(alice(0), alice(1)).counts["quiet"] == 1
    assert not harness.subscriber.alerts
    harness.clock.forward(3700)
    harness.sees(alice(3700), alice(3701))
    assert [visit.alert for visit in visits(harness)] == ["quiet", "sent"]
    assert len(harness.subscriber.alerts) == 1


def test_another_person_alerts_meanwhile(table):
    harness = new_harness(table)
    mutes.mute(table, ALICE, START + HOUR_MS, START - 1)
    both = [received(s, face(match(ALICE)), face(match(BETH), box=RIGHT)) for s in (0, 1)]
    assert harness.sees(*both).counts["quiet"] == 1
    assert [alert.facts["name"] for alert in harness.subscriber.alerts] == ["Beth"]


def test_of_two_that_it_may_be_both_have_to_be_muted(table):
    harness = new_harness(table)
    mutes.mute(table, ALICE, START + HOUR_MS, START - 1)
    harness.sees(alice_or_beth(0), alice_or_beth(1))
    assert len(harness.subscriber.alerts) == 1
    mutes.mute(table, BETH, START + HOUR_MS, START - 1)
    harness.sees(alice_or_beth(100), alice_or_beth(101))
    assert len(harness.subscriber.alerts) == 1


def test_a_mute_that_was_taken_back_is_none(table):
    harness = new_harness(table)
    mutes.mute(table, ALICE, START + HOUR_MS, START - 1)
    mutes.unmute(table, ALICE)
    harness.sees(alice(0), alice(1))
    assert len(harness.subscriber.alerts) == 1


def test_a_mute_holds_for_an_earlier_visit_whose_alert_is_due_now(table):
    harness = new_harness(table)
    harness.clock.forward(600)
    mutes.mute(table, ALICE, START + HOUR_MS, START + 300_000)
    harness.sees(alice(0), alice(1))
    assert not harness.subscriber.alerts


def test_strangers_are_muted_together_or_one_by_one(table):
    until = START + HOUR_MS
    assert not is_muted(table, ["s-1"], START)
    mutes.mute(table, "s-1", until, START)
    assert is_muted(table, ["s-1"], START)
    assert not is_muted(table, ["s-2"], START)
    mutes.mute(table, mutes.STRANGERS, until, START)
    assert is_muted(table, ["s-2"], START)
    assert not is_muted(table, [ALICE], START)


def test_mutes_are_listed_with_their_ends_and_forgotten_by_the_table(table):
    mutes.mute(table, ALICE, START + HOUR_MS, START)
    (found,) = mutes.mutes(table)
    assert (found.who, found.since_ms, found.until_ms) == (ALICE, START, START + HOUR_MS)
    (item,) = (item for item in table.scan()["Items"] if item["pk"] == "mute")
    assert item["expires"] == (START + HOUR_MS) // 1000 + 86_400
