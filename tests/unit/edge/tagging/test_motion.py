"""What counts as motion and what does not: noise, exposure, flicker, a switched lamp."""

from fractions import Fraction

import av
import numpy as np
import pytest

from edge.errors import SourceError
from edge.tagging.mask import read_mask
from edge.tagging.motion import COLUMNS, ROWS
from local.tests.support.media.films import grey
from tests.support.edge.scenes import Scene, watch

# Looks at nobody until the noise of the scene is known.
STILL = 40


def still(scene, looks=STILL, **more):
    return [scene.picture(**more) for _ in range(looks)]


@pytest.mark.parametrize("noise", [0.0, 2.0, 6.0, 12.0])
def test_noise_is_no_motion_however_strong(noise):
    assert not any(watch(still(Scene(noise), 80)))


@pytest.mark.parametrize("noise", [1.0, 6.0])
def test_a_person_who_walks_by_is_motion_within_two_looks(noise):
    scene = Scene(noise)
    walk = [scene.picture(person=column) for column in range(4, 114, 4)]
    seen = watch(still(scene) + walk + still(scene, 20))
    assert not any(seen[:STILL])
    assert seen[STILL + 1]
    assert all(seen[STILL + 1 : STILL + len(walk)])


def test_when_they_are_gone_it_is_still_again():
    scene = Scene()
    walk = [scene.picture(person=column) for column in range(4, 114, 4)]
    seen = watch(still(scene) + walk + still(scene, 60))
    assert not any(seen[-20:])


def test_once_a_second_one_look_is_enough():
    scene = Scene()
    seen = watch([*still(scene), scene.picture(person=50), *still(scene, 5)], rate=1.0)
    assert [place for place, is_motion in enumerate(seen) if is_motion] == [STILL]


@pytest.mark.parametrize("change", [{"gain": 1.5}, {"gain": 0.6}, {"shift": 40.0}])
def test_another_exposure_is_no_motion(change):
    scene = Scene()
    assert not any(watch(still(scene) + still(scene, 40, **change)))


def test_a_slow_dusk_is_no_motion():
    scene = Scene()
    assert not any(watch([scene.picture(gain=1 - n / 600) for n in range(160)]))


def test_flicker_is_no_motion_once_it_is_known():
    scene = Scene()
    flicker = [scene.picture(bands=(n % 3) * 12.0) for n in range(150)]
    assert not any(watch(flicker)[100:])


def test_one_glitch_is_not_believed():
    scene = Scene()
    assert not any(watch([*still(scene), scene.picture(glitch=True), *still(scene, 10)]))


def test_a_lamp_that_is_switched_is_no_motion_but_somebody_in_its_light_is():
    scene, lit = Scene(), Scene()
    lit.wall = 220 - scene.wall
    walk = [lit.picture(person=column) for column in range(4, 114, 4)]
    seen = watch(still(scene) + still(lit, 20) + walk)
    assert not any(seen[: STILL + 20])
    assert any(seen[STILL + 20 :])


def test_what_stays_becomes_background():
    scene = Scene()
    parked = watch(still(scene) + still(scene, 300, person=50, height=30))
    assert parked[STILL + 5]
    assert not any(parked[-20:])


def test_sensitivity_decides_on_what_is_small():
    scene = Scene()
    cat = [scene.picture(person=column, height=9) for column in range(4, 114, 4)]
    assert not any(watch(still(scene) + cat, sensitivity=0.1))
    assert any(watch(still(scene) + cat, sensitivity=0.9))


def test_a_mask_leaves_out_its_dark_part(tmp_path):
    image = grey(31, COLUMNS * 4, ROWS * 4)
    path = tmp_path / "mask.png"
    path.write_bytes(png(image))
    counted = read_mask(path)
    assert not counted[: ROWS // 2 - 1, : COLUMNS // 2 - 1].any()
    assert counted[ROWS // 2 + 1 :].all()
    scene = Scene()
    walk = [scene.picture(person=column, height=30) for column in range(4, 114, 4)]
    lower = np.zeros((ROWS, COLUMNS), bool)
    lower[:30] = True
    assert any(watch(still(scene) + walk))
    assert not any(watch(still(scene) + walk, counted=lower))


@pytest.mark.parametrize(
    ("content", "words"), [(b"no picture", "is no picture"), ("black", "is black all over")]
)
def test_a_mask_that_cannot_be_is_named(tmp_path, content, words):
    path = tmp_path / "mask.png"
    if content == "black":
        content = png(grey(0, 64, 36))
    path.write_bytes(content)
    with pytest.raises(SourceError, match=words):
        read_mask(path)
    with pytest.raises(SourceError, match="is no picture"):
        read_mask(tmp_path / "absent.png")


def png(image):
    codec = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt = image.width, image.height, "gray"
    image = image.reformat(format="gray")
    image.pts = 0
    codec.time_base = Fraction(1)
    return b"".join(bytes(packet) for packet in [*codec.encode(image), *codec.encode(None)])
