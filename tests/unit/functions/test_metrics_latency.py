"""How late things came, out of a few counters: near the truth whatever the lengths."""

import random

import pytest

from whosthere.metrics import latency_counter, latency_of_counters, latency_of_durations


def counted(lengths):
    counts: dict[str, int] = {}
    for length in lengths:
        name = latency_counter(length)
        counts[name] = counts.get(name, 0) + 1
    return counts


@pytest.mark.parametrize("seed", range(20))
def test_counters_tell_quantiles_to_within_ten_percent(seed):
    dice = random.Random(seed)
    lengths = [round(dice.lognormvariate(7, 1)) + 20 for _ in range(dice.randrange(1, 2000))]
    exact, told = latency_of_durations(lengths), latency_of_counters(counted(lengths))
    assert told.of == exact.of == len(lengths)
    assert told.p50 == pytest.approx(exact.p50, rel=0.1)
    assert told.p95 == pytest.approx(exact.p95, rel=0.1)


def test_a_day_of_latencies_needs_few_counters():
    lengths = [step for power in range(27) for step in (2**power, 3 * 2**power)]
    assert len(counted(lengths)) < 110


def test_a_camera_whose_clock_is_ahead_counts_as_at_once():
    assert latency_of_counters(counted([-5000, -1, 0, 1])).p95 == 1


def test_other_counters_are_no_latency():
    assert latency_of_counters({"records": 7, "unsure": 2}) is None
    assert latency_of_durations([]) is None


def test_the_95th_of_hundred_is_the_95th():
    latency = latency_of_durations(range(1, 101))
    assert (latency.p50, latency.p95, latency.of) == (50, 95, 100)
