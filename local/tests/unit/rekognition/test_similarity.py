"""How alike two faces are, from the distance of their vectors."""

import pytest

from local.rekognition.similarity import from_distance, similarity


def test_a_face_is_wholly_like_itself():
    assert similarity([0.1] * 128, [0.1] * 128) == 100


@pytest.mark.parametrize(("distance", "alike"), [(0.4, 99), (0.6, 80), (0.9, 0)])
def test_published_operating_points_are_met(distance, alike):
    assert from_distance(distance) == pytest.approx(alike)


def test_the_further_apart_the_less_alike():
    steps = [from_distance(n / 1000) for n in range(901)]
    assert all(near > far for near, far in zip(steps, steps[1:], strict=False))


def test_similarity_never_leaves_its_range():
    assert from_distance(5) == 0
    assert from_distance(0) == 100


def test_the_order_of_two_faces_does_not_matter():
    first, second = [0.0] * 128, [0.03] * 128
    assert similarity(first, second) == similarity(second, first)
