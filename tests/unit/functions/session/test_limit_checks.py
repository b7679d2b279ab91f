"""Checks of a session with a limit on the table: what they note, bill and answer."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.support.session.check_harness import Services, check_context_of
from tests.support.session.facts import NOW, facts
from tests.support.session.stop_harness import refusal
from tests.support.stack.moto_target import running_session
from whosthere.alerts import texts
from whosthere.clock import now_ms
from whosthere.costs.limits import (
    STOP_RESERVE_S,
    Budget,
    read_budget,
    reserve,
    session_micros,
    settle,
)
from whosthere.costs.month import add_to_month, month_micros
from whosthere.costs.prices import PriceTable, home_prices
from whosthere.costs.usage import Metered
from whosthere.dynamodb import RowChangedError
from whosthere.session.check import check_session
from whosthere.session.decision import decide
from whosthere.session.progress import CheckProgress, as_row
from whosthere.session.report import make_report
from whosthere.session.requests import request_limits
from whosthere.session_store import session_key


def test_the_report_says_the_time_that_was_not_searched(table):
    session = replace(running_session(table), ended_by="deadline", ended_ms=NOW + 60 * 60_000)
    spent = Budget(0.0, 0.0, 1.0, 0.0, NOW)
    progress = CheckProgress().limited(spent, NOW - 30 * 60_000).unlimited(NOW - 20 * 60_000)
    with_check(table, **as_row(progress.limited(spent, NOW)))
    made = make_report(table, session, "", "", {})
    assert made["limitPauses"] == {
        "minutes": 70.0,
        "lastFrom": "2027-01-15T08:00:00.000Z",
        "lastUntil": "2027-01-15T09:00:00.000Z",
    }
    line = "Not searched, because of the limit: 70 minutes, the last of them from 08:00 to 09:00."
    assert texts.limit_line(made, "UTC") == line


def with_check(table, **values):
    table.update_item(
        Key=session_key("one"),
        UpdateExpression="SET #check = :check",
        ExpressionAttributeNames={"#check": "check"},
        ExpressionAttributeValues={":check": values},
    )


@pytest.fixture
def checked(table):
    """A check of the session, and what it told."""
    told, services = [], Services()
    context = check_context_of(table, services, told.append)
    return lambda: check_session(context, "one", "front-door", failed_checks=0, retries=0)


def test_a_check_notes_engine_time_and_video_and_adds_them_to_the_month(table, checked):
    session = running_session(table)
    now = session.started_ms + 60_000
    with_check(table, ran=True, checked=now - 30_000, engine_ms=30_000, video_bytes=10**9)
    checked()
    row = table.get_item(Key=session_key("one"))["Item"]
    assert 59_000 <= row["check"]["engine_ms"] <= 70_000
    # a minute of face search, and a gigabyte in and read: 0.12 + 2 x 0.0085
    assert row["spentMicros"] == pytest.approx(137_000, rel=0.2)
    assert month_micros(table, now) == row["spentMicros"]
    checked()
    again = table.get_item(Key=session_key("one"))["Item"]
    assert month_micros(table, now) == again["spentMicros"] < 2 * row["spentMicros"]


@pytest.mark.parametrize("most", [4.0, 30.0, 111.0])
def test_at_a_hundred_times_the_price_a_stream_never_costs_more_than_its_limit(table, most):
    session = running_session(table, maxDollars=most)
    prices = home_prices()
    face_search = replace(prices["face-search"], dollars=12.0)
    dear = PriceTable("us-east-1", {**prices.prices, "face-search": face_search})
    on_ms, decision = 0, None
    while decision is None or decision.next == "sleep":
        found = read_budget(table, session, {}, dear, NOW, Metered(on_ms))
        decision = decide(facts(budget=found))
        on_ms += 1000 * decision.sleep_s + 1500 if decision.next == "sleep" else 12_000
    assert decision.next == "stop-engine"  # which took 12 s
    assert most - 12 / 60 * 15 < 12 * on_ms / 60_000 <= most


@pytest.mark.parametrize(("cameras", "factor"), [(10, 1), (10, 100), (100, 1)])
def test_many_cameras_together_never_cost_more_than_the_month(table, cameras, factor):
    """Their checks come at the same moments, and each takes two seconds."""
    prices = home_prices()
    face_search = replace(prices["face-search"], dollars=0.12 * factor)
    dear = PriceTable("us-east-1", {**prices.prices, "face-search": face_search})
    most = 5.0 * factor * cameras / 10
    session = running_session(table, maxDollarsMonth=most)
    noted, on_ms = [0] * cameras, [0] * cameras
    running, due_ms, moment_ms = set(range(cameras)), [0] * cameras, 0
    while running:
        moment_ms, last_ms = min(due_ms[one] for one in running), moment_ms
        for one in running:
            on_ms[one] += moment_ms - last_ms
        checked = [one for one in sorted(running) if due_ms[one] == moment_ms]
        rows = {one: {"spentMicros": noted[one]} for one in checked}
        budgets = {
            one: read_budget(table, session, rows[one], dear, NOW, Metered(on_ms[one]))
            for one in checked
        }
        for one in checked:
            decision = decide(facts(budget=budgets[one]))
            if decision.next == "stop-engine":
                running.remove(one)
                on_ms[one] += 10_000  # so long takes stopping
                continue
            spent = session_micros(session.engine, {}, dear, Metered(on_ms[one]))
            added, left_s = reserve(table, session, dear, spent - noted[one], decision.sleep_s, NOW)
            noted[one] += added
            due_ms[one] = moment_ms + 1000 * max(1, int(left_s)) + 2000
    cost = sum(on_ms) / 60_000 * 0.12 * factor
    assert 0.8 * most < cost <= most


def test_a_check_stops_a_stream_processor_before_its_limit_is_spent(table, checked):
    running_session(table, maxDollars=0.12)
    with_check(table, ran=True, checked=0, engine_ms=40_000)
    answer = checked()
    # 60 s of money less a little for video, of which 15 s are for stopping: 5 s are left
    assert answer["next"] == "sleep" and answer["sleepSeconds"] <= 5
    with_check(table, ran=True, checked=0, engine_ms=46_000)
    answer = checked()
    assert answer["next"] == "stop-engine"
    assert 0.12 * 46 / 60 + STOP_RESERVE_S * 0.002 < 0.123
    assert home_prices()["face-search"].dollars == 0.12


def test_a_check_takes_its_next_minute_out_of_the_month_and_the_end_gives_it_back(table, checked):
    session = running_session(table, maxDollarsMonth=1.0)
    prices, now = home_prices(), now_ms()
    with_check(table, ran=True, checked=0)
    assert checked()["sleepSeconds"] == 60
    ahead = month_micros(table, now)
    # For 60 s and 15 s: face search, and 0.5 MB/s of video in and read.
    assert ahead == pytest.approx(75 * (2000 + 2 * 4.25), rel=0.01)
    # Others spend, so that there is money for 30 s and for stopping.
    add_to_month(table, now, 1_000_000 - round(ahead / 75 * 45))
    with_check(table, ran=True, checked=0)
    assert checked()["sleepSeconds"] in (28, 29, 30)
    assert month_micros(table, now) <= 1_000_000
    with_check(table, ran=True, checked=now)
    before = month_micros(table, now)
    settle(table, replace(session, ended_ms=now + 1000), prices, now)
    assert before - month_micros(table, now) > 0.9 * ahead / 75 * 45


def test_what_is_not_noted_is_not_in_the_month(table, checked, monkeypatch):
    running_session(table, maxDollarsMonth=1.0)
    with_check(table, ran=True, checked=0)

    def lost(*_):
        raise RowChangedError

    monkeypatch.setattr("whosthere.session.notes._write", lost)
    with pytest.raises(RowChangedError):
        checked()
    assert month_micros(table, now_ms()) == 0


def test_a_check_that_cannot_look_at_the_video_stops_the_engine_at_the_limit(table, monkeypatch):
    running_session(table, maxDollars=0.12)
    with_check(table, ran=True, checked=0, engine_ms=46_000)
    monkeypatch.setattr("whosthere.session.check.RETRY_PAUSES_S", ())
    services = Services()
    services.failing["media"] = refusal("ThrottlingException")
    context = check_context_of(table, services, lambda _: None)
    answer = check_session(context, "one", "front-door", failed_checks=0, retries=0)
    assert answer["next"] == "stop-engine"


def test_a_session_at_its_limit_reads_no_video_and_goes_on_with_a_larger_one(table):
    running_session(table, maxDollars=0.12)
    services, woken = Services(), SimpleNamespace(send_task_success=lambda **_: None)
    context = check_context_of(table, services, lambda _: None)

    def check():
        services.asked.clear()
        return check_session(context, "one", "front-door", failed_checks=0, retries=0)["next"]

    with_check(table, ran=True, checked=0, engine_ms=46_000)
    assert check() == "stop-engine"
    services.status = None
    assert check() == "sleep"
    assert "media" not in services.asked
    assert request_limits(table, woken, "front-door", {"maxDollars": 5.0}) == "one"
    assert check() == "start"
    assert request_limits(table, woken, "back-door", {"maxDollars": 5.0}) is None
