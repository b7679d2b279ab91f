"""Pose, brightness and sharpness of a face, measured."""

import numpy as np
import pytest

from local.rekognition.worker.measures import HEAD, brightness, pose, sharpness


def landmarks(*, yaw=0.0, pitch=0.0, roll=0.0):
    """An average head's landmarks in a picture, turned by degrees."""
    y, p, r = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    tilt = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    points = np.zeros((68, 2))
    for index, place in HEAD.items():
        points[index] = 300 + 12 * (tilt @ nod @ turn @ np.array(place))[:2]
    return points


@pytest.mark.parametrize("angle", [-40, -10, 0, 10, 40])
@pytest.mark.parametrize("axis", ["Yaw", "Pitch", "Roll"])
def test_a_turned_head_shows_the_angle_it_is_turned_by(axis, angle):
    assert pose(landmarks(**{axis.lower(): angle}))[axis] == pytest.approx(angle, abs=0.5)


def test_a_nose_to_the_right_of_the_picture_is_positive_yaw():
    straight, turned = landmarks(), landmarks(yaw=20)
    assert turned[30][0] > straight[30][0]
    assert pose(turned)["Yaw"] > 15


def test_a_nose_further_up_is_positive_pitch():
    straight, lifted = landmarks(), landmarks(pitch=20)
    assert lifted[30][1] < straight[30][1]
    assert pose(lifted)["Pitch"] > 15


@pytest.fixture
def chip():
    """Something with detail, as large as an aligned face."""
    noise = np.random.default_rng(1).normal(128, 40, (150, 150, 1))
    return np.repeat(noise, 3, axis=2).clip(0, 255).astype(np.uint8)


def blurred(chip):
    """Each pixel the mean of its neighbours."""
    shifted = [
        np.roll(chip.astype(float), (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)
    ]
    return np.mean(shifted, axis=0).astype(np.uint8)


def test_every_blur_lowers_sharpness(chip):
    steps = [chip]
    while len(steps) < 5:
        steps.append(blurred(steps[-1]))
    sharp = [sharpness(step) for step in steps]
    assert all(before > after for before, after in zip(sharp, sharp[1:], strict=False))
    assert 0 <= sharp[-1] < sharp[0] <= 100


def test_darkening_lowers_brightness_in_proportion(chip):
    assert brightness((chip * 0.5).astype(np.uint8)) == pytest.approx(brightness(chip) / 2, abs=1)
