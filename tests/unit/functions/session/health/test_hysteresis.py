"""Health messages are calm: what a camera that comes and goes has its owner told, and how often."""

import random
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.support.session.facts import LIVE, MINUTE, NOW, RAN, after, facts
from tests.support.stack.moto_target import running_session
from whosthere import dynamodb
from whosthere.dynamodb import RowChangedError
from whosthere.session.decision import decide, decide_without
from whosthere.session.health.hysteresis import (
    CALM_MS,
    MOST_MESSAGES,
    PERIOD_MS,
    VIDEO,
    CameraHealth,
    Signal,
    camera_health_key,
    read_camera_health,
    write_camera_health,
)
from whosthere.session.health.media import Media
from whosthere.session.steps import end_by_problem

HOUR = 60 * MINUTE
STOPPED = "No video from front-door"
BACK = "Video is back at front-door"
FLAPPING = "Video comes and goes at front-door"
WRONG = "Video comes, but no record of it."


class Camera:
    """A camera that a session checks every minute, on a clock of its own; all messages are sent."""

    def __init__(self, **settings):
        self.settings, self.now, self.sent = settings, NOW - 9 * MINUTE, []
        self.facts, self.silent_ms = facts(progress=RAN, **settings), 0

    def runs(self, minutes, *, video=True, problem=""):
        """Check once a minute for so long."""
        for _ in range(minutes):
            self.now += MINUTE
            self.silent_ms = 0 if video else self.silent_ms + MINUTE
            media = LIVE if video else Media(self.silent_ms / 1000, 2.0)
            found = replace(
                self.facts,
                now_ms=self.now,
                media=media,
                records_problem=problem,
                session=replace(self.facts.session, deadline_ms=self.now + HOUR),
            )
            decision = decide(found)
            self.sent += [(self.now, one.alert) for one in decision.notices]
            self.facts = after(found, decision)
        return self

    def is_off(self, minutes):
        return self.runs(minutes, video=False)

    @property
    def subjects(self):
        return [alert.subject for _, alert in self.sent]

    def texts(self, subject):
        return [alert.text for _, alert in self.sent if alert.subject == subject]


def test_a_camera_that_comes_and_goes_all_night_has_three_messages():
    camera = Camera().runs(5)
    for _ in range(100):
        camera.is_off(2).runs(4)
    assert camera.subjects == [STOPPED, BACK, FLAPPING]
    assert camera.facts.progress.video_stops == 100


def test_back_is_told_once_it_has_held_and_a_flapping_camera_has_to_hold_for_an_hour():
    camera = Camera().runs(5).is_off(3).runs(2)
    assert camera.subjects == [STOPPED]
    camera.is_off(2)  # it was back, but not for long enough to tell
    assert camera.subjects == [STOPPED, FLAPPING]
    camera.runs(60)
    assert camera.subjects == [STOPPED, FLAPPING]
    camera.runs(1)
    assert camera.subjects == [STOPPED, FLAPPING, BACK]


@pytest.mark.parametrize(
    ("stops", "minutes"), [(0, 1), (1, 2), (2, 4), (3, 8), (5, 32), (6, 60), (1000, 60)]
)
def test_a_change_has_to_hold_twice_as_long_after_each_stop_and_an_hour_at_most(stops, minutes):
    assert Signal(stops=stops).hold_ms(MINUTE) == minutes * MINUTE


def test_after_a_calm_hour_a_stop_is_the_first_one_again():
    camera = Camera().runs(5).is_off(3).runs(63).is_off(3)
    assert camera.subjects == [STOPPED, BACK, STOPPED]


def test_a_camera_that_comes_and_goes_and_then_stops_for_good_is_told_so():
    camera = Camera().runs(5).is_off(3).runs(2).is_off(3).runs(1)
    assert camera.subjects == [STOPPED, FLAPPING]
    camera.is_off(20)
    assert camera.subjects == [STOPPED, FLAPPING, STOPPED]
    camera.is_off(30 * 60)  # the next messages may come, but nothing has changed
    assert camera.subjects == [STOPPED, FLAPPING, STOPPED]


def test_a_camera_that_comes_and_goes_in_quiet_hours_and_then_stops_for_good_is_told_so_once():
    camera = Camera(quietHours=["22:00-06:00"], timeZone="Europe/Berlin")
    camera.now = at(22)
    camera.runs(5).is_off(10).runs(1).is_off(30 * 60)
    assert camera.subjects == [FLAPPING, STOPPED]


def test_messages_of_all_signals_are_few_and_what_is_held_back_comes_later_with_day_and_time():
    camera = Camera(timeZone="Europe/Berlin").runs(5).runs(5, problem=WRONG)
    camera.is_off(3).runs(1)
    assert len(camera.sent) == MOST_MESSAGES - 1
    camera.runs(10)
    assert len(camera.sent) == MOST_MESSAGES
    last = camera.sent[-1][1].text
    assert "The next message about this comes after Friday 15 January, 20:5" in last
    camera.runs(13 * 60)
    ((told_ms, alert),) = camera.sent[MOST_MESSAGES:]
    assert told_ms - camera.sent[0][0] >= PERIOD_MS
    assert alert.subject == BACK
    assert ", since Friday 15 January, " in alert.text


def test_never_more_than_three_in_twelve_hours_whatever_happens():
    rng = random.Random(11)
    for _ in range(8):
        camera = Camera()
        for _ in range(60):
            camera.runs(rng.randrange(1, 90), video=rng.random() < 0.5)
            camera.runs(rng.randrange(1, 20), problem=rng.choice(["", WRONG]))
        times = [told_ms for told_ms, _ in camera.sent]
        for told_ms in times:
            assert sum(told_ms <= one < told_ms + PERIOD_MS for one in times) <= MOST_MESSAGES
        assert len(times) > MOST_MESSAGES  # it is held back, not silenced


def test_the_truth_is_told_in_the_end():
    """Whatever was held back: what is so for thirteen hours is what the owner has read last."""
    rng = random.Random(12)
    for video in (True, False) * 5:
        camera = Camera()
        for _ in range(20):
            camera.runs(rng.randrange(1, 30), video=rng.random() < 0.5)
        camera.runs(1, video=True).is_off(2).runs(13 * 60, video=video)
        assert camera.subjects[-1] == (BACK if video else STOPPED)


def test_what_was_told_belongs_to_the_camera_and_stops_to_the_session():
    camera = Camera().runs(5).is_off(3)
    other = replace(camera.facts.session, id="two")
    camera.facts = replace(camera.facts, session=other, progress=RAN)
    camera.is_off(5)
    assert camera.subjects == [STOPPED]
    assert camera.facts.progress.video_stops == 0
    camera.runs(4)
    assert camera.subjects == [STOPPED, BACK]


def at(hour, minute=0):
    zone = ZoneInfo("Europe/Berlin")
    return round(datetime(2027, 1, 15, hour, minute, tzinfo=zone).timestamp() * 1000)


def test_quiet_hours_hold_messages_back_and_after_them_the_truth_is_told_with_day_and_time():
    camera = Camera(quietHours=["22:00-06:00"], timeZone="Europe/Berlin")
    camera.now = at(21, 50)
    camera.runs(30).is_off(10).runs(20).is_off(60)
    assert camera.sent == []
    camera.runs(60).is_off(7 * 60)
    ((told_ms, alert),) = camera.sent
    assert (alert.subject, told_ms) == (STOPPED, at(6) + 24 * HOUR)
    assert "any more, since Saturday 16 January, 00:50." in alert.text
    assert camera.facts.progress.video_stops == 3


def test_what_is_over_before_the_quiet_hours_end_is_in_the_report_alone():
    camera = Camera(quietHours=["22:00-06:00"], timeZone="Europe/Berlin")
    camera.now = at(23)
    camera.is_off(30).runs(9 * 60)
    assert camera.subjects == []
    assert camera.facts.progress.video_stops == 1


@pytest.mark.parametrize("quiet", [[], ["00:00-24:00"]])
def test_an_end_by_a_problem_is_never_held_back(quiet):
    told = CameraHealth(sent=(NOW,) * MOST_MESSAGES)
    gone = decide(facts("GONE", health=told, quietHours=quiet))
    assert (gone.next, gone.ended_by, gone.error) == ("end", "problem", "ProcessorFailed")
    assert end_by_problem(facts(health=told), "E", "why").ended_by == "problem"


def test_failed_checks_are_held_back_and_told_once_with_their_time():
    full = CameraHealth(sent=(NOW - HOUR,) * MOST_MESSAGES)
    held = decide_without(facts(failed_checks=2, health=full), "E", "why")
    assert held.notices == ()
    later = facts(progress=held.progress, health=full, now_ms=NOW + PERIOD_MS)
    later = replace(later, session=replace(later.session, deadline_ms=later.now_ms + HOUR))
    (notice,) = decide(later).notices
    assert "could not be checked on Friday 15 January, 08:00 (3 failed in a row)" in (
        notice.alert.text
    )


@pytest.mark.parametrize("subject", [STOPPED, FLAPPING])
def test_a_message_says_what_to_do(subject):
    camera = Camera().runs(5).is_off(3).runs(2).is_off(3)
    assert "`sudo whosthere-edge status`" in camera.texts(subject)[0]


def test_the_health_is_read_back_as_it_was_written_and_two_checks_do_not_both_write(table):
    assert read_camera_health(table, "front-door") == CameraHealth()
    signal = Signal(True, NOW, 3, NOW - HOUR, 2, "flapping")
    health = CameraHealth(signal, Signal(told="stopped"), (NOW - HOUR, NOW), "one")
    first = write_camera_health(table, "front-door", health, NOW)
    assert read_camera_health(table, "front-door") == first == replace(health, version=1)
    with pytest.raises(RowChangedError):
        write_camera_health(table, "front-door", health, NOW)
    second = write_camera_health(table, "front-door", first.with_told(VIDEO, "back"), NOW)
    assert read_camera_health(table, "front-door").video.told == ""
    assert second.version == 2


def test_a_row_of_a_newer_version_is_begun_again(table):
    written = write_camera_health(table, "front-door", CameraHealth(sent=(NOW,)), NOW)
    row = table.get_item(Key=camera_health_key("front-door"))["Item"]
    assert row["schemaVersion"] == dynamodb.SCHEMA
    table.put_item(Item=row | {"schemaVersion": dynamodb.SCHEMA + 1, "health": "another form"})
    assert read_camera_health(table, "front-door") == CameraHealth(version=written.version)
    write_camera_health(table, "front-door", CameraHealth(version=written.version), NOW)


def test_a_session_that_opens_leaves_the_health_as_it_is(table):
    write_camera_health(table, "front-door", CameraHealth(sent=(NOW,)), NOW)
    running_session(table)
    assert read_camera_health(table, "front-door").sent == (NOW,)


def test_messages_are_counted_for_twelve_hours_and_calm_is_an_hour():
    assert (PERIOD_MS, CALM_MS, MOST_MESSAGES) == (12 * HOUR, HOUR, 3)
    assert CameraHealth(sent=(NOW - PERIOD_MS, NOW - 1)).recent(NOW) == (NOW - 1,)
