"""The timeline of a live source: even steps, no drift, no false jump."""

import random
from itertools import pairwise

import pytest

from edge.media.timeline import LiveTimeline, PacketTimestamps

START, RATE = 1_795_363_780.0, 10


def dated(frames, *, delay=lambda n: 0.0, drift=0.0, wall_jump=lambda n: 0.0, burst=0):
    """Date frames whose clock starts at 0; return (dated at, really captured at) for each."""
    times, dates = LiveTimeline(), []
    for number in range(frames):
        seconds = number / RATE
        real = START + seconds * (1 + drift)
        arrival = max(real, START + burst / RATE) + delay(number) + wall_jump(number)
        times.on_arrival(seconds, arrival)
        if number >= burst:
            dates.append((times.at_ms(seconds) / 1000, real + wall_jump(number)))
    return dates


def steps(dates):
    return [b - a for (a, _), (b, _) in pairwise(dates)]


def test_what_the_network_delays_keeps_its_even_steps():
    chance = random.Random(1)
    dates = dated(600, delay=lambda n: chance.expovariate(20))
    assert all(0.09 < step < 0.11 for step in steps(dates))
    assert all(abs(date - real) < 0.1 for date, real in dates[20:])


@pytest.mark.parametrize("drift", [0.001, -0.001])
def test_a_clock_that_drifts_is_followed_for_ever(drift):
    dates = dated(36_000, drift=drift)
    assert all(abs(date - real) < 0.05 for date, real in dates)
    assert all(0.094 < step < 0.106 for step in steps(dates))


def test_what_came_at_once_when_it_was_opened_is_dated_by_the_last_of_it():
    dates = dated(60, burst=15)
    assert all(abs(date - real) < 0.06 for date, real in dates)


def test_a_late_first_frame_is_made_good_without_a_jump():
    dates = dated(400, delay=lambda n: 1.0 if n == 0 else 0.0)
    assert all(0.09 < step < 0.11 for step in steps(dates))
    assert abs(dates[-1][0] - dates[-1][1]) < 0.02


def test_a_wall_clock_that_is_set_is_believed_at_once():
    dates = dated(200, wall_jump=lambda n: 3600.0 if n >= 100 else 0.0)
    assert abs(dates[150][0] - dates[150][1]) < 0.01


def test_a_short_stop_of_the_network_changes_no_date():
    dates = dated(200, delay=lambda n: max(0.0, 2.0 - (n - 100) / RATE) if n >= 100 else 0.0)
    assert all(abs(date - real) < 0.11 for date, real in dates)


@pytest.mark.parametrize("rate", [10, 30, 50, 60])
def test_a_source_whose_clock_stands_still_goes_on_by_even_steps(rate):
    times = PacketTimestamps(rate)
    dates = [times.next_seconds(raw) for raw in (5.0 - 1 / rate, *[5.0] * 400)]
    assert [b - a for a, b in pairwise(dates)] == pytest.approx([1 / rate] * 400)
