"""The same frames by both engines: the same visits, alerts and strangers, in whatever order."""

import pytest
from hypothesis import strategies

from tests.support.records.alert_harness import START
from tests.support.records.given_many import given_many
from tests.support.records.stranger_harness import ALICE, BUCKET, a_table_and_a_bucket
from tests.support.records.two_engines import (
    SCENE,
    ImagesEngine,
    ProcessorEngine,
    differences,
    ellipses,
    frame_of,
    mixed,
    outcome_of,
)
from whosthere.geometry import Box
from whosthere.imaging import crop


@pytest.fixture(scope="module")
def shared():
    with a_table_and_a_bucket() as found:
        yield found


@pytest.fixture(scope="module")
def in_order(shared):
    return outcome_of(ProcessorEngine, shared, list(SCENE))


def test_the_scene_has_the_visits_that_it_shows(in_order):
    whose = [(who, first, last) for who, (first, last), *_ in in_order["visits"]]
    assert whose == [
        (ALICE, 0, 7000),
        (ALICE, 100_000, 102_000),
        ("stranger 1", 4000, 7000),
        ("stranger 1", 110_000, 113_000),
        ("stranger 2", 12_000, 15_000),
    ]
    assert [status for *_, status in in_order["strangers"]] == ["pending"] * 2


def test_both_engines_see_the_same_in_the_same_frames(shared, in_order):
    assert outcome_of(ImagesEngine, shared, list(SCENE)) == in_order


def test_a_strangers_picture_is_cut_out_of_the_searched_image_itself(shared):
    run = ImagesEngine(shared)
    run.deliver(range(12, 16))
    (key,) = (key for key in run.harness.pictures if key.startswith("review/"))
    second = (int(key.rpartition("/")[2].partition("-")[0]) - START) // 1000
    picture = run.harness.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    ((box, _),) = ellipses(frame_of(second))
    assert picture == crop(frame_of(second), Box(*box), []).picture
    assert run.harness.video.calls == 0


@given_many(100, strategies.sampled_from([ProcessorEngine, ImagesEngine]), strategies.randoms())
def test_late_twice_and_out_of_order_are_the_same_visits(shared, in_order, engine, chance):
    assert differences(in_order, outcome_of(engine, shared, mixed(chance))) == []


def test_another_visit_or_alert_is_a_difference(in_order):
    """The test itself: only a stranger's begin and end may be some seconds apart."""
    *rest, last = in_order["visits"]
    who, (begin, end), *more = last
    visits = (rest, [*rest, (who, (begin + 2500, end), *more)], [*rest, ("Beth", *last[1:])])
    assert all(differences(in_order, in_order | {"visits": one}) == ["visits"] for one in visits)
    assert differences(in_order, in_order | {"alerts": []}) == ["alerts"]
    later = [*rest, (who, (begin + 1000, end), *more)]
    assert differences(in_order, in_order | {"visits": later}) == []
