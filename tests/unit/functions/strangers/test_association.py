"""A known person whose first faces go unmatched is no stranger, wherever a batch ends."""

import random

import pytest

from tests.support.records.alert_harness import LEFT, RIGHT, START, face, match, received
from tests.support.records.drawn_faces import BLUE, RED
from tests.support.records.stranger_harness import (
    ALICE,
    a_table_and_a_bucket,
    alice,
    new_harness,
    somebody,
)
from whosthere.visits.persons import alert_persons


@pytest.fixture(scope="module")
def shared():
    with a_table_and_a_bucket() as both:
        yield both


@pytest.fixture
def harness(shared):
    harness = new_harness(shared)
    harness.name(ALICE, "Alice")
    return harness


class Both:
    """The two functions that read one stream, each on its own, as its frames arrive."""

    def __init__(self, harness, batches):
        self.harness, self.batches, self.read, self.waited = harness, batches, 0, []

    def play(self):
        for number, batch in enumerate(self.batches):
            self.tell_persons(number + 1)
            context = self.harness.context(wait=lambda ms, at=number: self.wait(at, ms))
            assert not self.harness.sees(*batch, context=context).failed
        return self.harness

    def tell_persons(self, until):
        for batch in self.batches[self.read : until]:
            assert not alert_persons(self.harness.worker(), self.harness.session, batch).failed
        self.read = max(self.read, until)

    def wait(self, number, milliseconds):
        """The frames that arrive meanwhile reach the other function."""
        self.waited.append(milliseconds)
        self.harness.clock.wait(milliseconds)
        last_ms = self.batches[number][-1].captured_ms
        # It takes up to a second until what was captured is read.
        arrived = [batch[-1].captured_ms - last_ms < milliseconds for batch in self.batches]
        self.tell_persons(sum(arrived))


def names(harness):
    return [alert.facts["name"] for alert in harness.subscriber.alerts]


@pytest.mark.parametrize("unmatched", range(2, 9))
def test_the_batch_may_end_between_the_unmatched_faces_and_the_first_match(harness, unmatched):
    faces = [somebody(0.2 * n) for n in range(unmatched)]
    known = [alice(0.2 * n) for n in range(unmatched, unmatched + 5)]
    both = Both(harness, [faces, known, [somebody(3), somebody(3.2)]])
    both.play()
    assert names(harness) == ["Alice"]
    assert harness.strangers == [] and harness.keys == []
    assert len(both.waited) == 1 and 0 < both.waited[0] <= 3000


def test_a_match_within_two_seconds_of_the_first_face_is_soon_enough(harness):
    Both(harness, [[somebody(0), somebody(1)], [alice(1.9), alice(2)]]).play()
    assert names(harness) == ["Alice"]
    harness.clear()
    Both(harness, [[somebody(0), somebody(1)], [alice(3.1), alice(3.2)]]).play()
    assert names(harness)[1:] == ["Alice"]
    assert len(harness.strangers) == 1


def test_a_stranger_beside_a_known_person_is_one_also_when_the_batch_ends(harness):
    for moment_ms in (START, START + 400):
        harness.video.shows(moment_ms, (LEFT, BLUE), (RIGHT, RED))
    two = [received(s, face(match(ALICE)), face(box=RIGHT)) for s in (0, 0.4)]
    Both(harness, [two, [alice(0.8), alice(1.2)]]).play()
    assert len(harness.strangers) == 1
    assert sorted(names(harness)) == ["Alice", harness.strangers[0]["pk"][9:]]


def test_a_person_recognised_elsewhere_does_not_take_a_stranger_along(harness):
    Both(harness, [[somebody(0), somebody(1)], [alice(1.4, RIGHT), alice(1.8, RIGHT)]]).play()
    assert len(harness.strangers) == 1


def test_who_was_followed_for_long_enough_is_not_waited_for(harness):
    both = Both(harness, [[somebody(0.5 * n) for n in range(8)]])
    both.play()
    assert len(harness.strangers) == 1 and both.waited == []


def test_a_strangers_alert_is_at_most_three_seconds_later(harness):
    both = Both(harness, [[somebody(0), somebody(0.2)], [somebody(0.4), somebody(3)]])
    both.play()
    assert len(harness.strangers) == len(harness.subscriber.alerts) == 1
    assert both.waited == [2800]


@pytest.mark.parametrize(
    # Ten more dice, seconds each.
    "seed",
    [0, 1, *(pytest.param(n, marks=pytest.mark.long) for n in range(2, 12))],
)
def test_a_quarter_of_a_visits_faces_unmatched_is_one_alert_and_no_stranger(harness, seed):
    """At five frames a second, walking, in batches that end anywhere."""
    dice = random.Random(seed)
    unmatched = dice.sample(range(100), 25)
    frames = []
    for n in range(100):
        box = (LEFT[0] + 0.004 * n, LEFT[1], LEFT[2], LEFT[3])
        frames.append((somebody if n in unmatched else alice)(0.2 * n, box))
    batches = []
    while frames:
        size = dice.randint(1, 8)
        batches.append(frames[:size])
        frames = frames[size:]
    Both(harness, batches).play()
    assert names(harness) == ["Alice"]
    assert harness.strangers == []
