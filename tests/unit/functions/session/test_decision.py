"""What a session does next, fact by fact: a pure function, so no row of this needs AWS."""

import itertools
from dataclasses import replace

import pytest

from tests.support.session.facts import ALL, LIVE, MINUTE, NONE, NOW, RAN, SILENT, after, facts
from whosthere.session.decision import MOST_STARTS, decide, decide_without, ends_at_once
from whosthere.session.health.hysteresis import CameraHealth, Signal
from whosthere.session.progress import CheckProgress, as_row, progress_of


def shown(decision):
    """What the state machine does, in a line."""
    by = decision.ended_by + (f" {decision.error}" if decision.error else "")
    return f"{decision.next} {by or decision.sleep_s}".strip()


PAUSED = {"paused": NOW + 10 * MINUTE}
GONE, NEW = {"status": "GONE", "progress": CheckProgress()}, CheckProgress()
SEEN = CheckProgress(seen=NOW - 5000)
STUCK = CheckProgress(seen=NOW - 121_000)
NOT_OURS = {"engine": "image-search", "status": "RUNNING", "progress": NEW}


@pytest.mark.parametrize(
    ("given", "then"),
    [
        # What ends it, whatever else is true.
        ({"held": False}, "end problem LockLostError"),
        ({"held": False, "stop": True}, "end problem LockLostError"),
        ({"stop": True}, "end stop"),
        ({"stop": True, **PAUSED}, "end stop"),
        ({"now_ms": NOW + 60 * MINUTE}, "end deadline"),
        ({"now_ms": NOW + 60 * MINUTE, **PAUSED}, "end deadline"),
        # It waits for video: often at first, then as seldom as a health check.
        (GONE, "start 1"),
        (GONE | {"media": NONE, "now_ms": NOW - 9 * MINUTE}, "sleep 10"),
        (GONE | {"media": NONE, "now_ms": NOW - 8 * MINUTE}, "sleep 60"),
        (GONE | {"media": NONE, "healthCheckSeconds": 900}, "sleep 600"),
        (GONE | {"media": SILENT}, "sleep 60"),
        (GONE | {"media": NONE, "now_ms": NOW + 5 * MINUTE}, "end no-media"),
        (GONE | {"media": NONE, "paused": NOW - MINUTE, "now_ms": NOW + 5 * MINUTE}, "sleep 60"),
        # The processor starts.
        ({"status": "STARTING", "progress": NEW}, "sleep 5"),
        ({"status": "STARTING", "progress": SEEN}, "sleep 5"),
        ({"status": "STOPPED", "progress": SEEN}, "sleep 5"),
        ({"status": "STOPPED", "progress": STUCK}, "end problem ProcessorStopped"),
        ({"status": "FAILED", "progress": NEW}, "end problem ProcessorFailed"),
        ({"status": "GONE", "progress": SEEN}, "end problem ProcessorFailed"),
        ({"status": "STARTING", "progress": STUCK}, "stop-engine 1"),
        (
            {"status": "STARTING", "progress": replace(STUCK, attempt=2)},
            "end problem ProcessorStuck",
        ),
        ({"status": "STARTING", "progress": replace(STUCK, stuck=True)}, "stop-engine 1"),
        ({"status": "GONE", "progress": replace(STUCK, stuck=True)}, "start 1"),
        ({"status": "GONE", "progress": replace(STUCK, stuck=True), "media": NONE}, "start 1"),
        ({"status": "GONE", "progress": CheckProgress(attempt=2), "media": NONE}, "start 1"),
        (
            {"status": "GONE", "progress": CheckProgress(starts=MOST_STARTS)},
            "end problem ProcessorStuck",
        ),
        # Images that the session did not switch on are not its own.
        (NOT_OURS, "start 1"),
        (NOT_OURS | {"media": NONE, "now_ms": NOW - 9 * MINUTE}, "sleep 10"),
        (NOT_OURS | {"media": NONE, "now_ms": NOW + 5 * MINUTE}, "end no-media"),
        (NOT_OURS | {"progress": CheckProgress(starts=1)}, "sleep 60"),
        (NOT_OURS | PAUSED, "stop-engine 1"),
        # It searches.
        ({}, "sleep 60"),
        ({"status": "UPDATING"}, "sleep 60"),
        ({"healthCheckSeconds": 600}, "sleep 600"),
        ({"now_ms": NOW + 60 * MINUTE - 2500}, "sleep 3"),
        ({"now_ms": NOW + 60 * MINUTE - 1}, "sleep 1"),
        ({"retries": 2}, "sleep 100"),
        ({"retries": 2, "now_ms": NOW + 60 * MINUTE - 2500}, "sleep 3"),
        ({"status": "GONE"}, "end problem ProcessorFailed"),
        ({"status": "FAILED", "message": "no collection"}, "end problem ProcessorFailed"),
        ({"status": "STOPPED"}, "end problem ProcessorFailed"),
        ({"status": "GONE", "engine": "image-search"}, "end problem ProcessorFailed"),
        ({"media": SILENT}, "sleep 60"),
        ({"media": SILENT, "onSilence": "end"}, "sleep 60"),
        ({"media": SILENT, "onSilence": "end", "silenceLimitSeconds": 30}, "end silence"),
        # Paused: nothing runs, and the deadline stays.
        (PAUSED, "stop-engine 1"),
        (PAUSED | {"status": "STARTING", "progress": STUCK}, "stop-engine 1"),
        (PAUSED | {"status": "FAILED", "progress": NEW}, "stop-engine 1"),
        (PAUSED | {"status": "FAILED"}, "end problem ProcessorFailed"),
        (PAUSED | GONE, "sleep 60"),
        (PAUSED | GONE | {"media": NONE}, "sleep 60"),
        (GONE | {"paused": NOW + 2500}, "sleep 3"),
        (GONE | PAUSED | {"now_ms": NOW + 9 * MINUTE, "healthCheckSeconds": 900}, "sleep 60"),
    ],
)
def test_what_comes_next(given, then):
    assert shown(decide(facts(**given))) == then


@pytest.mark.parametrize("given", [{"held": False}, {"stop": True}, {"now_ms": NOW + 60 * MINUTE}])
def test_the_end_needs_nothing_but_the_rows(given):
    found = replace(facts(**given), media=None, engine=None)
    assert ends_at_once(found) == decide(found)
    assert ends_at_once(facts()) is None


MANY = [
    facts(status, media, progress, paused=paused, failed_checks=failed, engine=engine)
    for status, media, progress, paused, failed, engine in itertools.product(
        ["GONE", "STARTING", "RUNNING", "STOPPED", "STOPPING", "FAILED"],
        [LIVE, NONE, SILENT],
        [NEW, RAN, SEEN, STUCK, replace(STUCK, stuck=True), replace(STUCK, attempt=2)],
        [0, NOW - MINUTE, NOW + MINUTE],
        [0, 2],
        ["stream-processor", "image-search"],
    )
]


def test_a_check_that_is_asked_twice_gives_the_same_answer_and_tells_nothing_twice():
    for found in MANY:
        first = decide(found)
        again = decide(after(found, first))  # a second copy of the check, whose answer was lost
        if first.next == "stop-engine" and found.engine.status != "GONE" and found.is_paused:
            assert again.next == "stop-engine"
        if first.next == "start" and found.engine.status != "GONE":
            # Foreign images look as if the lost answer had switched on the session's own.
            assert found.session.engine == "image-search"
            continue
        assert shown(again) == shown(first), found
        assert again.notices == () or first.next == "end", found


def test_every_sleep_is_short_enough_to_see_the_deadline_and_long_enough_for_no_hot_loop():
    for found in MANY:
        decision = decide(found)
        assert 1 <= decision.sleep_s <= 60


def test_the_cause_of_a_failed_engine_is_its_own_message():
    assert decide(facts("FAILED", message="no collection")).cause == "FAILED: no collection"
    assert decide(facts("STOPPED")).cause == "STOPPED: stopped from outside"
    assert decide(facts("GONE")).cause == "the stream processor is gone"
    images = decide(facts("GONE", engine="image-search"))
    assert images.cause == "image generation was switched off from outside"


def played(*seen, progress=None, every=MINUTE, **given):
    """Answers and subjects of checks in a row; each sees its facts, and all is sent."""
    answers, subjects, known = [], [], {"progress": progress or CheckProgress()}
    for number, one in enumerate(seen):
        found = facts(**(known | {"now_ms": NOW + every * number} | given | one))
        decision = decide(found)
        answers.append(shown(decision))
        subjects += [notice.alert.subject for notice in decision.notices]
        then = after(found, decision)
        known = {"progress": then.progress, "health": then.health}
    return answers, subjects


def test_a_stuck_processor_is_recreated_once():
    starting, gone = {"status": "STARTING"}, {"status": "GONE"}
    answers, _ = played(gone, *[starting] * 4, gone, *[starting] * 4)
    assert answers == [
        "start 1",
        *["sleep 5"] * 3,
        "stop-engine 1",
        "start 1",
        *["sleep 5"] * 3,
        "end problem ProcessorStuck",
    ]


def test_an_engine_that_is_never_there_is_not_started_for_ever():
    answers, _ = played(*[{"status": "GONE"}] * (MOST_STARTS + 1), every=1000)
    assert answers == ["start 1"] * MOST_STARTS + ["end problem ProcessorStuck"]


def test_a_session_starts_anew_after_a_pause_and_tells_its_start_once():
    pause = {"paused": NOW + 90_000}
    answers, subjects = played(
        {"status": "GONE"},
        {},
        {**pause, "now_ms": NOW},
        {**pause, "now_ms": NOW, "status": "GONE"},
        {**pause, "now_ms": NOW + 91_000, "status": "GONE"},
        {**pause, "now_ms": NOW + 92_000, "status": "STARTING"},
        {**pause, "now_ms": NOW + 99_000},
    )
    assert answers == [
        "start 1",
        "sleep 60",
        "stop-engine 1",
        "sleep 60",
        "start 1",
        "sleep 5",
        "sleep 60",
    ]
    assert subjects == ["Session started at front-door"]


def test_silence_is_told_once_and_so_is_its_end_and_one_that_lasts_ends_the_session():
    silent = {"media": SILENT, "onSilence": "end", "silenceLimitSeconds": 150}
    back = [{}] * 3
    answers, subjects = played({}, silent, silent, *back, silent, silent, silent, progress=RAN)
    assert answers == ["sleep 60"] * 8 + ["end silence"]
    assert subjects == [
        "No video from front-door",
        "Video is back at front-door",
        "Video comes and goes at front-door",
    ]


def test_only_video_ends_a_silence_that_was_told():
    """A request that ends no pause only begins the wait for video again."""
    silent, off = {"media": SILENT}, {"media": SILENT, "paused": NOW + 110_000}
    back = [{"paused": NOW + 110_000}] * 3
    _, subjects = played({}, silent, off, off, *back, progress=RAN)
    assert subjects == ["No video from front-door", "Video is back at front-door"]


def test_a_silence_that_could_not_be_told_is_told_at_the_next_check():
    found = facts(media=SILENT)
    first = decide(found)
    again = decide(replace(found, progress=first.progress, health=first.health))
    assert [one.alert.subject for one in again.notices] == ["No video from front-door"]


def test_records_are_told_once_and_so_is_their_return():
    wrong = {"records_problem": "Video comes, but no record of it."}
    answers, subjects = played({}, wrong, wrong, *[{}] * 5, progress=RAN)
    assert answers == ["sleep 60"] * 8
    assert subjects == [
        "Faces are not searched at front-door",
        "Faces are searched again at front-door",
    ]


def test_failed_checks_are_told_once_a_session():
    answers, subjects = played({}, {"failed_checks": 3}, {}, {"failed_checks": 1}, progress=RAN)
    assert answers == ["sleep 60"] * 4
    assert subjects == ["Session at front-door was not checked"]


def without(failed_checks, **given):
    return decide_without(facts(failed_checks=failed_checks, **given), "Throttled", "too often")


def test_failed_checks_are_slept_over_ever_longer_and_the_tenth_in_a_row_ends_the_session():
    found = [without(number) for number in range(10)]
    assert [shown(one) for one in found] == [
        *("sleep 120", "sleep 240", "sleep 480"),
        *["sleep 600"] * 6,
        "end problem Throttled",
    ]
    assert found[-1].cause == "too often"
    assert [one.failed_checks for one in found] == list(range(1, 11))
    assert decide(facts(failed_checks=4)).failed_checks == 0


def test_a_failed_check_is_not_slept_over_past_the_deadline():
    assert without(0, now_ms=NOW + 60 * MINUTE - 2500).sleep_s == 3
    assert without(0, now_ms=NOW + 60 * MINUTE).sleep_s == 1


def test_failed_checks_are_told_at_the_third_in_a_row_and_not_again_when_they_are_over():
    found = [without(number) for number in range(4)]
    assert [len(one.notices) for one in found] == [0, 0, 1, 1]
    (notice,) = found[2].notices
    assert notice.alert.text == (
        "The session at front-door could not be checked (3 failed in a row). "
        "It goes on and tries again. `./whosthere status front-door` shows what it does."
    )
    told = replace(found[2].progress, **notice.marks)
    assert without(3, progress=told).notices == ()
    assert decide(facts(failed_checks=4, progress=told)).notices == ()
    assert without(3, tell=["start"]).notices == ()


def test_failed_checks_are_told_also_while_no_video_comes():
    _, subjects = played({"status": "GONE", "media": NONE, "failed_checks": 2})
    assert subjects == ["Session at front-door was not checked"]


@pytest.mark.parametrize("tell", [[], ["start"], ["problem"], ALL])
def test_the_owner_is_told_what_the_settings_say(tell):
    wrong = {"media": SILENT, "records_problem": "none", "failed_checks": 1, "tell": tell}
    decision = decide(facts(progress=CheckProgress(ran=True), **wrong))
    kinds = {"session": "start", "problem": "problem"}
    assert {kinds[one.alert.kind] for one in decision.notices} == set(tell) & {"start", "problem"}


BACK_SINCE = Signal(since=NOW - 3 * MINUTE, stops=1, told="stopped")
TOLD = CameraHealth(BACK_SINCE, replace(BACK_SINCE, since=NOW - 4 * MINUTE))


def test_the_texts_are_whole():
    wrong = {"media": SILENT, "records_problem": "Video comes, but no record of it."}
    texts = {
        one.alert.subject: (one.alert.text, dict(one.alert.facts))
        for progress, given in [
            (CheckProgress(), {}),
            (RAN, wrong),
            (RAN, wrong | {"onSilence": "end", "records_problem": ""}),
            (RAN, {"health": TOLD}),
            (RAN, {"failed_checks": 2}),
        ]
        for one in decide(facts(progress=progress, **given)).notices
    }
    assert texts == {
        "Session started at front-door": ("Faces are searched at front-door until 09:00.", {}),
        "No video from front-door": (
            "No video comes from front-door any more, since Friday 15 January, 07:55. "
            "The session ends unless video comes back.\n"
            "Check the power and the network of the camera; on its machine "
            "`sudo whosthere-edge status` says what is wrong.",
            {"change": "stopped", "since": "2027-01-15T07:55:00.000Z", "stops": 1, "silent": True},
        ),
        "Video is back at front-door": (
            "Video comes from front-door again.\nThere is nothing to do.",
            {"change": "back", "since": "2027-01-15T07:57:00.000Z", "stops": 1, "silent": False},
        ),
        "Faces are not searched at front-door": (
            "Video comes, but no record of it. The session goes on.\n"
            "If this lasts: `./whosthere stop front-door` and a new session; the logs of the "
            "functions say why records fail.",
            {
                "change": "stopped",
                "since": "2027-01-15T07:58:00.000Z",
                "stops": 1,
                "records": False,
            },
        ),
        "Faces are searched again at front-door": (
            "Records come from front-door again.\nThere is nothing to do.",
            {"change": "back", "since": "2027-01-15T07:56:00.000Z", "stops": 1, "records": True},
        ),
        "Session at front-door was not checked": (
            "The session at front-door could not be checked (2 failed in a row). "
            "It went on, and is checked again. There is nothing to do.",
            {"failedChecks": 2},
        ),
    }


def test_progress_is_read_back_as_it_was_written():
    progress = CheckProgress(True, 5, 2, 2, True, 7, True, 4, 1, 3, 8, True, 9, "sleep 1")
    assert progress_of({"check": as_row(progress)}) == progress
    assert progress_of({}) == CheckProgress()
    assert progress_of({"check": {"ran": True, "of a later version": 1}}).ran
