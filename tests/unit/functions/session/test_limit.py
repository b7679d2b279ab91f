"""A session with a limit on what it may spend: how long it sleeps, when it pauses and goes on."""

from dataclasses import replace

from tests.support.session.facts import LIVE, NONE, NOW, RAN, a_session, after, facts
from whosthere.alerts import texts
from whosthere.costs.limits import STOP_RESERVE_S, Budget
from whosthere.costs.usage import Metered
from whosthere.session.decision import decide, decide_without
from whosthere.session.engine import EngineStatus
from whosthere.session.progress import CheckProgress
from whosthere.session.requests import SessionRequests

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
