"""A session with a limit on what it may spend: how long it sleeps, when it pauses and goes on."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.support.session.check_harness import Services, check_context_of
from tests.support.session.facts import LIVE, NONE, NOW, RAN, a_session, after, facts
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
from whosthere.session.decision import decide, decide_without
from whosthere.session.engine import EngineStatus
from whosthere.session.progress import CheckProgress, as_row
from whosthere.session.report import make_report
from whosthere.session.requests import SessionRequests, request_limits
from whosthere.session_store import session_key

RATE = 0.002  # dollars a second
MONTH_ENDS = NOW + 30 * 60_000  # before the deadline


def budget(session_left=100.0, month_left=100.0, rate=RATE, month_ends=MONTH_ENDS, limits="5"):
    return Budget(session_left, month_left, 0.5, rate, month_ends, limits)


def paused_at(spent, **changes):
    """The facts of the check after the one that has stopped the engine because of a limit."""
    first = facts(budget=spent, **changes)
    gone = after(first, decide(first))
    return replace(gone, engine=EngineStatus("GONE"), media=None)


def test_a_session_sleeps_no_longer_than_its_money_lasts():
    # 40 s of money, of which 15 s are for stopping
    decision = decide(facts(budget=budget(session_left=40 * RATE)))
    assert (decision.next, decision.sleep_s) == ("sleep", 25)
    assert decide(facts(budget=budget())).sleep_s == 60


def test_a_session_that_has_spent_its_limit_stops_its_engine_and_waits_for_its_deadline():
    spent = budget(session_left=STOP_RESERVE_S * RATE)
    first = decide(facts(budget=spent))
    assert (first.next, first.progress.is_limited) == ("stop-engine", True)
    (notice,) = first.notices
    assert notice.alert.kind == "problem"
    assert "(maxDollars). Nothing that front-door sees is searched until " in notice.alert.text
    assert "--off --set maxDollars=" in notice.alert.text
    paused = paused_at(spent)
    second = decide(paused)
    assert (second.next, second.sleep_s, second.notices) == ("sleep", 60, ())
    over = decide(replace(paused, now_ms=paused.session.deadline_ms))
    assert (over.next, over.ended_by) == ("end", "deadline")
    stopped = decide(replace(paused, requests=SessionRequests(stop=True)))
    assert stopped.ended_by == "stop"


def test_a_raised_limit_ends_the_pause_and_the_next_one_is_told_again():
    paused = paused_at(budget(session_left=0.0))
    later = replace(paused, now_ms=NOW + 20 * 60_000, media=NONE, budget=budget(limits="10"))
    waits = decide(later)  # it waits for video as at its start
    assert (waits.next, waits.sleep_s) == ("sleep", 10)
    assert waits.progress.not_searched_ms(later.now_ms) == 20 * 60_000
    assert decide(replace(later, media=LIVE)).next == "start"
    again = replace(after(later, waits), budget=budget(session_left=0.0, limits="10"))
    again = replace(again, now_ms=NOW + 30 * 60_000)
    third = decide(again)
    assert len(third.notices) == 1
    assert third.progress.not_searched_ms(NOW + 35 * 60_000) == 25 * 60_000


def test_what_others_give_back_to_the_month_does_not_start_the_engine_again():
    paused = paused_at(budget(month_left=0.0))
    assert decide(replace(paused, media=LIVE, budget=budget(month_left=20 * RATE))).next == "sleep"
    in_new_month = budget(month_left=20 * RATE, limits="5 of the next month")
    assert decide(replace(paused, media=LIVE, budget=in_new_month)).next == "start"


def test_a_check_that_fails_lets_no_engine_run_above_the_limit():
    def without(left_s, failed=5, **changes):
        given = facts(budget=budget(session_left=(STOP_RESERVE_S + left_s) * RATE), **changes)
        return decide_without(replace(given, failed_checks=failed), "Throttled", "too often")

    assert (without(40).next, without(40).sleep_s) == ("sleep", 40)
    stopped = without(0)
    assert (stopped.next, stopped.failed_checks) == ("stop-engine", 6)
    assert stopped.progress.is_limited and not stopped.progress.is_started
    assert without(0, failed=9).ended_by == "problem"  # the machine knows no eleventh
    waiting = without(0, progress=CheckProgress())
    assert (waiting.next, waiting.sleep_s) == ("sleep", 600)


def test_a_session_that_waits_for_video_looks_no_more_often_near_its_limit():
    """It spends nothing meanwhile, and an execution has 25,000 events."""
    waits = facts("GONE", NONE, CheckProgress(), budget=budget(session_left=17 * RATE))
    assert decide(waits).sleep_s == decide(replace(waits, budget=None)).sleep_s > 2


def test_images_are_limited_one_by_one_and_are_switched_off_at_the_limit():
    left = budget(session_left=0.01, rate=0)
    assert decide(facts(engine="image-search", budget=left)).next == "sleep"
    spent = replace(left, session_left=0.0, left_out=40)
    decision = decide(facts(engine="image-search", budget=spent))
    assert decision.next == "stop-engine"
    assert "40 images were left out before, near the limit." in decision.notices[0].alert.text
    assert decide(paused_at(spent, engine="image-search")).next == "sleep"


def test_a_spent_month_stops_the_engine_until_the_next_one_and_is_told_once():
    spent = budget(month_left=0.0)
    first = decide(facts(budget=spent))
    assert first.next == "stop-engine" and not first.progress.ran
    (notice,) = first.notices
    assert notice.alert.kind == "problem" and "maxDollarsMonth" in notice.alert.text
    stopped = after(facts("GONE", budget=spent), first)
    second = decide(stopped)
    assert (second.next, second.notices) == ("sleep", ())
    in_new_month = replace(stopped, budget=budget(limits="5 of the next month"), media=LIVE)
    assert decide(in_new_month).next == "start"


def test_a_spent_month_that_outlasts_the_session_pauses_it_until_its_deadline():
    decision = decide(facts(budget=budget(month_left=0.0, month_ends=NOW + 90 * 60_000)))
    assert decision.next == "stop-engine"
    assert "when the session ends" in decision.notices[0].alert.text


def test_time_counts_for_the_bill_while_the_engine_is_on():
    on = replace(RAN, checked=NOW, engine_ms=1000)
    assert on.metered(NOW + 60_000).engine_ms == 61_000
    assert CheckProgress(checked=NOW).metered(NOW + 60_000).engine_ms == 0  # waits for video
    stopping = CheckProgress(checked=NOW, answer="stop-engine 3")
    assert stopping.metered(NOW + 5000).engine_ms == 5000
    assert CheckProgress(starts=1, checked=NOW).metered(NOW + 5000).engine_ms == 5000


def test_the_end_of_a_session_is_billed_until_it_has_ended():
    row = {"check": {"ran": True, "checked": NOW, "engine_ms": 60_000, "video_bytes": 5}}
    assert Metered.of(row, NOW + 2000) == Metered(62_000, 5)
    paused = {"check": {"ran": False, "starts": 0, "checked": NOW, "engine_ms": 60_000}}
    assert Metered.of(paused, NOW + 2000).engine_ms == 60_000


REPORT = {
    **{"engine": "image-search", "records": 3, "unsure": 0, "unsurePersons": [], "watch": None},
    **{"stops": {}, "latencies": {"capturedToSent": None}, "visits": [], "strangers": []},
    **{"cost": {"dollars": 4.001, "without": ["image generation, GetImages"]}},
}


def test_the_message_says_what_was_not_searched_and_what_it_cost():
    session = replace(a_session(engine="image-search"), ended_by="deadline", ended_ms=NOW)
    text = texts.report_text(session, {**REPORT, "drops": {"images_over_limit": 40}})
    assert "Not searched, because of the limit: 40 images." in text
    assert text.endswith("It cost about $4.00, without image generation, GetImages.")


def test_the_report_says_the_time_that_was_not_searched(table):
    session = replace(running_session(table), ended_by="deadline", ended_ms=NOW + 60 * 60_000)
    progress = CheckProgress().limited(budget(), NOW - 30 * 60_000).unlimited(NOW - 20 * 60_000)
    with_check(table, **as_row(progress.limited(budget(), NOW)))
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
