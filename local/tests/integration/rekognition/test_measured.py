"""Quality and pose follow what is done to a picture, step by step."""

import itertools

import pytest
from PIL import Image, ImageEnhance, ImageFilter

from local.tests.support.media.portraits import encoded, head, portrait

BLURS = (0, 0.5, 1, 1.5, 2, 3, 4)  # radius in pixels
LIGHTS = (1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)
WHOLE = (440, 560)  # blurred, a smaller one is found no more
# One face shows the rule; the others, and more pictures below, take minutes.
FACES = [
    pytest.param(lambda: portrait("Zoë"), id="Zoë"),
    pytest.param(lambda: head("stranger-1"), id="stranger-1", marks=pytest.mark.long),
    pytest.param(lambda: portrait("Ravi", 2, WHOLE), id="Ravi, turned", marks=pytest.mark.long),
    pytest.param(lambda: head("stranger-2"), id="stranger-2", marks=pytest.mark.long),
]


@pytest.fixture(scope="module")
def measured(laptop):
    """The only face of a picture."""
    rekognition = laptop.client("rekognition")

    def measure(image):
        found = rekognition.detect_faces(Image={"Bytes": encoded(image, "PNG")})["FaceDetails"]
        assert len(found) == 1
        return found[0]

    return measure


def falls(values):
    return all(before > after for before, after in itertools.pairwise(values))


@pytest.mark.parametrize("face", FACES)
def test_blurring_lowers_sharpness_and_darkening_lowers_brightness_at_every_step(measured, face):
    image = face()
    blurred = [image.filter(ImageFilter.GaussianBlur(radius)) for radius in BLURS]
    sharp = [measured(one)["Quality"]["Sharpness"] for one in blurred]
    assert falls(sharp), sharp
    darker = [ImageEnhance.Brightness(image).enhance(share) for share in LIGHTS]
    bright = [measured(one)["Quality"]["Brightness"] for one in darker]
    assert falls(bright), bright
    assert 0 <= sharp[-1] < sharp[0] <= 100
    assert 0 <= bright[-1] < bright[0] <= 100


def test_a_large_face_is_less_sharp_after_half_a_pixel_of_blur(measured):
    image = portrait("Zoë")
    large = image.resize((660, 840), Image.Resampling.LANCZOS)
    blurred = [large.filter(ImageFilter.GaussianBlur(radius)) for radius in (0, 0.5, 1)]
    assert falls([measured(one)["Quality"]["Sharpness"] for one in blurred])


def steps(measured, name, axis, angles):
    turned = [measured(head(name, axis, angle))["Pose"][axis.title()] for angle in angles]
    return [after - before for before, after in itertools.pairwise(turned)]


def test_turning_a_head_by_ten_degrees_moves_yaw_by_ten(measured):
    assert steps(measured, "Ravi", "yaw", (-30, -20, -10)) == pytest.approx([10] * 2, abs=4)


@pytest.mark.long  # 60 pictures
@pytest.mark.parametrize("name", ["Zoë", "Ravi", "stranger-1", "stranger-2"])
def test_over_the_range_in_which_landmarks_are_found_pose_follows_the_head(measured, name):
    yaw = steps(measured, name, "yaw", range(-30, 31, 10))
    assert yaw == pytest.approx([10] * 6, abs=4)
    roll = steps(measured, name, "roll", range(-40, 41, 10))
    assert roll == pytest.approx([10] * 8, abs=4)


@pytest.mark.parametrize(
    ("number", "angle"), [pytest.param(1, -30, marks=pytest.mark.long), (2, 10), (1, 40)]
)
def test_turning_a_photo_moves_roll_by_the_angle(measured, number, angle):
    image = portrait("Zoë", number)
    turned = image.rotate(-angle, resample=Image.Resampling.BICUBIC, fillcolor="grey")
    rolls = [measured(one)["Pose"]["Roll"] for one in (image, turned)]
    assert rolls[1] - rolls[0] == pytest.approx(angle, abs=4)
