"""Daily sessions on the owner's clock: spans, both changes of clocks, when a schedule is due."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cli.aws.sessions.weekly_schedule import (
    EVERY_DAY,
    WeeklySpan,
    check_gap,
    format_days,
    next_skipped_day,
    parse_days,
    parse_span,
)
from cli.errors import InputError
from local.patches.schedules import is_due
from whosthere.session.open import deadline_of

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
# Europe: 28 March 2027 from 02:00 to 03:00, 31 October 2027 from 03:00 back to 02:00.
SPRING, AUTUMN = date(2027, 3, 28), date(2027, 10, 31)


def at(text, zone, fold=0):
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def hours_of(begin, until, zone):
    """How long a session lasts that begins then and ends at that time of day."""
    begun_ms = round(at(begin, zone) * 1000)
    return (deadline_of({"until": until}, begun_ms, zone.key) - begun_ms) / 3_600_000


@pytest.mark.parametrize(
    ("begin", "until", "hours"),
    [
        ("2027-03-26T22:00", "06:00", 8),
        ("2027-03-27T22:00", "06:00", 7),  # the night that has an hour less
        ("2027-10-30T22:00", "06:00", 9),  # the night that has an hour more
        ("2027-10-31T22:00", "06:00", 8),
        ("2027-03-28T01:30", "03:30", 1),
        ("2027-10-31T01:30", "03:30", 3),
        ("2027-03-27T22:00", "02:30", 4.5),  # a time that does not come: as long as always
    ],
)
def test_a_session_ends_on_the_owners_clock_through_both_changes(begin, until, hours):
    assert hours_of(begin, until, BERLIN) == hours


@pytest.mark.parametrize(("until", "hours"), [("03:30", 1), ("02:50", 0.25)])
def test_a_session_that_begins_in_the_hour_that_comes_twice_ends_at_the_next_such_time(
    until, hours
):
    begun_ms = round(at("2027-10-31T02:35", BERLIN, fold=1) * 1000)
    length_ms = deadline_of({"until": until}, begun_ms, "Europe/Berlin") - begun_ms
    assert length_ms / 3_600_000 == pytest.approx(hours, abs=0.1)


def daily(hour, minute, days=EVERY_DAY):
    """The next such time on a wall clock, on one of the days."""

    def next_wall(after):
        wall = after.replace(hour=hour, minute=minute, second=0, microsecond=0)
        while wall <= after or wall.weekday() not in days:
            wall += timedelta(days=1)
        return wall

    return next_wall


def fired(next_wall, zone, begin, days):
    """When a schedule fires, if it is looked at every ten minutes."""
    found, last, end = [], begin, begin + days * 86_400
    while last < end:
        now = last + 600
        if is_due(next_wall, zone, last, now):
            found.append(datetime.fromtimestamp(now, UTC) - timedelta(minutes=10))
        last = now
    return [moment.strftime("%d %H:%M") for moment in found]


def test_a_schedule_fires_at_the_same_time_of_day_through_both_changes():
    spring = fired(daily(22, 5), BERLIN, at("2027-03-26T00:00", BERLIN), 4)
    assert spring == ["26 21:00", "27 21:00", "28 20:00", "29 20:00"]
    autumn = fired(daily(22, 5), BERLIN, at("2027-10-29T00:00", BERLIN), 4)
    assert autumn == ["29 20:00", "30 20:00", "31 21:00", "01 21:00"]


def test_a_night_belongs_to_the_day_on_which_it_begins_through_both_changes():
    saturdays = daily(22, 5, parse_days("sat"))
    assert fired(saturdays, BERLIN, at("2027-03-20T00:00", BERLIN), 15) == [
        "20 21:00",
        "27 21:00",
        "03 20:00",
    ]
    assert hours_of("2027-03-27T22:05", "06:05", BERLIN) == 7


def test_a_time_that_the_clocks_skip_does_not_come_and_one_that_comes_twice_comes_once():
    assert fired(daily(2, 35), BERLIN, at("2027-03-27T00:00", BERLIN), 3) == [
        "27 01:30",
        "29 00:30",
    ]
    autumn = fired(daily(2, 35), BERLIN, at("2027-10-30T00:00", BERLIN), 3)
    assert autumn == ["30 00:30", "31 00:30", "01 01:30"]


def test_a_span_knows_its_length_and_its_begin():
    span = parse_span("22:30-06:00")
    assert (span.minutes, span.until) == (450, "06:00")
    assert WeeklySpan(span).cron == "cron(30 22 * * ? *)"
    assert WeeklySpan(span, parse_days("fri-sat")).cron == "cron(30 22 ? * FRI,SAT *)"
    assert str(parse_span("06:05-06:30")) == "06:05-06:30"


@pytest.mark.parametrize(
    "text", ["22-6", "24:00-06:00", "22:00-22:00", "22:00-22:04", "06:01-06:00"]
)
def test_what_cannot_be_a_daily_session_is_refused(text):
    with pytest.raises(InputError):
        parse_span(text)


@pytest.mark.parametrize(
    ("one", "other", "is_fine"),
    [
        ("22:00-06:00", "06:05-21:55", True),
        ("22:00-06:00", "06:00-22:00", False),
        ("22:00-06:00", "05:00-07:00", False),
        ("22:00-06:00", "23:00-01:00", False),
        ("23:00-01:00", "22:00-06:00", False),
        ("22:00-06:00", "22:00-06:00", False),
        ("22:00-23:00", "23:03-23:30", False),
        ("08:00-09:00", "20:00-21:00", True),
    ],
)
def test_two_spans_of_a_camera_leave_it_time_between(one, other, is_fine):
    check(weekly(one), weekly(other), is_fine)


def weekly(text):
    """`22:00-06:00 mon-fri`."""
    span, _, days = text.partition(" ")
    return WeeklySpan(parse_span(span), parse_days(days) if days else EVERY_DAY)


def check(one, other, is_fine):
    for first, second in ((one, other), (other, one)):
        if is_fine:
            check_gap(first, [second])
            continue
        with pytest.raises(InputError, match="leave 5 minutes"):
            check_gap(first, [second])


@pytest.mark.parametrize(
    ("one", "other", "is_fine"),
    [
        ("22:00-06:00 mon-thu", "23:00-08:00 fri-sun", True),
        ("22:00-06:00 mon-fri", "05:00-07:00 sat", False),  # Friday's night
        ("22:00-06:00 mon-fri", "05:00-07:00 mon", True),
        ("22:00-06:00 sun", "05:00-07:00 mon", False),  # round the end of the week
        ("08:00-09:00 mon,wed", "08:00-09:00 tue,thu", True),
        ("08:00-09:00 mon,wed", "08:30-09:30 wed", False),
        ("08:00-09:00", "08:30-09:30 wed", False),
    ],
)
def test_spans_of_different_days_meet_only_where_their_nights_do(one, other, is_fine):
    check(weekly(one), weekly(other), is_fine)


@pytest.mark.parametrize(
    ("text", "days", "shortest"),
    [
        ("mon-fri", {0, 1, 2, 3, 4}, "mon-fri"),
        ("sat,sun", {5, 6}, "sat-sun"),
        ("Fri-Mon", {4, 5, 6, 0}, "mon,fri-sun"),
        ("wed", {2}, "wed"),
        ("sun,mon, wed", {6, 0, 2}, "mon,wed,sun"),
        ("mon-sun", EVERY_DAY, "mon-sun"),
    ],
)
def test_days_are_read_and_written_in_the_shortest_way(text, days, shortest):
    assert parse_days(text) == days
    assert format_days(parse_days(text)) == shortest
    assert parse_days(shortest) == days


@pytest.mark.parametrize("text", ["", "monday", "mon-", "-fri", "mon;tue", "weekdays"])
def test_what_is_no_day_is_refused(text):
    with pytest.raises(InputError, match="say mon-fri"):
        parse_days(text)


def test_a_begin_that_the_clocks_skip_is_found_with_its_day():
    today = date(2026, 11, 22)
    assert next_skipped_day(weekly("02:30-06:00"), "Europe/Berlin", today) == SPRING
    assert next_skipped_day(weekly("01:30-06:00"), "Europe/London", today) == SPRING
    assert next_skipped_day(weekly("02:30-06:00"), "America/New_York", today) == date(2027, 3, 14)
    assert next_skipped_day(weekly("22:00-02:30"), "Europe/Berlin", today) is None
    assert next_skipped_day(weekly("02:30-06:00"), "Asia/Kathmandu", today) is None
    # The clocks change on Sundays there.
    assert next_skipped_day(weekly("02:30-06:00 mon-sat"), "Europe/Berlin", today) is None
    assert next_skipped_day(weekly("02:30-06:00 sat,sun"), "Europe/Berlin", today) == SPRING
