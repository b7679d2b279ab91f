"""How long a session's history gets: Step Functions ends an execution of 25,000 events."""

import itertools
import math
from dataclasses import replace

import pytest

from tests.statemachine.machine import STATES
from tests.support.session.facts import facts
from whosthere.clock import DAY_S
from whosthere.session.decision import decide
from whosthere.session.open import after_failed_check, health_check_s

LOOP = ("CheckSession", "WhatNext", "Sleep")
# Opening, starting the engine twice and stopping, each of their calls retried to the end.
ONCE = 400


def events(name, retries=0):
    """Events of a state in an execution's history (Step Functions API: HistoryEvent)."""
    if STATES[name]["Type"] != "Task":
        return 2  # entered, exited
    # A try is scheduled, started, and has an end; a token's is submitted before that.
    submitted = STATES[name]["Resource"].endswith("waitForTaskToken")
    return 2 + 3 * (retries + 1) + submitted


def most_retries(name):
    return sum(retry["MaxAttempts"] for retry in STATES[name]["Retry"])


def loop(check_retries=0, sleep_retries=0):
    return (
        events("CheckSession", check_retries) + events("WhatNext") + events("Sleep", sleep_retries)
    )


def day(engine="stream-processor"):
    """Facts of a session of a day that is checked as often as it may be."""
    found = facts(healthCheckSeconds=1, engine=engine)
    start = found.now_ms - 1000 * DAY_S // 2
    session = replace(found.session, started_ms=start, deadline_ms=start + 1000 * DAY_S)
    return replace(found, session=session)


def test_a_check_and_its_sleep_are_thirteen_events():
    assert loop() == 13


@pytest.mark.parametrize("failed", range(10))
def test_a_day_has_fewer_than_20000_events_whatever_fails(failed):
    """So many checks fail in a row, one does not, and so on; each call as often as it is retried.

    What is waited between retries is left out: with full jitter it may be nothing.
    """
    every = health_check_s(day().session)
    sleeps = [one["sleepSeconds"] for one in after_failed_check(every)[:failed]]
    most_check, most_sleep = most_retries("CheckSession"), most_retries("Sleep")
    retries = itertools.product(range(most_check + 1), range(most_sleep + 1))
    for check_retries, sleep_retries in retries:
        given = replace(day(), retries=check_retries + sleep_retries)
        seconds = sum(sleeps) + decide(given).sleep_s
        found = failed * loop(most_check, sleep_retries)
        found += loop(check_retries, sleep_retries)
        assert math.ceil(DAY_S / seconds) * found + ONCE < 20_000, (check_retries, sleep_retries)


def test_without_the_longer_sleep_after_retries_a_day_would_be_too_long():
    """The test above can fail."""
    seconds = decide(day()).sleep_s
    most = loop(most_retries("CheckSession"), most_retries("Sleep"))
    assert DAY_S / seconds * most > 25_000


def round_of(name):
    """The states that a session goes round through when nothing happens."""
    found = []
    while name not in found:
        found.append(name)
        name = STATES[name].get("Default") or STATES[name]["Next"]
    return found[found.index(name) :]


def test_a_session_hour_takes_fewer_than_201_transitions():
    """However long of it the session waits for video, is paused, or searches."""
    assert sorted(round_of("CheckSession")) == sorted(LOOP)
    once = ("OpenSession", "RunSession", "Begin", "CheckSession", "WhatNext", "CreateProcessor")
    once += ("StartProcessor", "Finished", "StopSession", "HasSucceeded", "Ended")
    assert set(once) <= set(STATES)
    starting = 2 * len(LOOP)  # a processor that takes ten seconds
    assert len(once) + starting + len(LOOP) * 3600 // 60 < 201
