"""The detector's measures against what was drawn, and the network against dlib's own."""

import json
import os
import subprocess

import numpy as np
import pytest
from PIL import Image

from demo.draw.figure import draw_person
from demo.draw.film import develop, person
from demo.draw.pose import Light, Pose
from local.laptop import ROOT
from tests.local.rekognition_client import PEOPLE, encoded

EMULATOR = ROOT / ".whosthere" / "emulator" / "bin" / "python"
COMPARE = """
import json, sys
import dlib
import numpy as np
from local.rekognition.faces import CHIP_SIZE, Analyst, models
from local.rekognition.images import open_image
FIVE = "shape_predictor_5_face_landmarks.dat"
analyst = Analyst()
network, five = models() / "dlib_face_recognition_resnet_model_v1.dat", models() / FIVE
network, five = dlib.face_recognition_model_v1(str(network)), dlib.shape_predictor(str(five))
distances = []
for path in sys.argv[1:]:
    pixels = open_image(open(path, "rb").read())
    box = dlib.get_frontal_face_detector()(pixels)[0]
    dlibs = network.compute_face_descriptor(pixels, five(pixels, box))
    [ours] = analyst.faces(pixels, search_small=False, vectors=1)
    distances.append(float(np.linalg.norm(np.array(dlibs) - np.array(ours["vector"]))))
print(json.dumps(distances))
"""


def test_vectors_are_those_of_dlibs_own_network():
    photos = sorted(str(path) for path in PEOPLE.glob("*/*.jpg"))
    done = subprocess.run(
        [str(EMULATOR), "-c", COMPARE, *photos],
        cwd=ROOT, env={"PATH": os.environ["PATH"]}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    distances = json.loads(done.stdout)
    assert len(distances) == len(photos) >= 4
    assert max(distances) < 1e-4


@pytest.fixture(scope="module")
def yaw_of(laptop):
    """The Yaw that is measured for a head drawn with a yaw."""
    rekognition = laptop.client("rekognition")

    def measured(name, yaw):
        wall = np.full((360, 360, 3), 0.4, np.float32)
        pose = Pose(x=180, y=180, width=150, yaw=yaw)
        drawn = develop(draw_person(wall, person(name), pose, Light()), seed=1)
        image = encoded(Image.fromarray(drawn), quality=95)
        [face] = rekognition.detect_faces(Image={"Bytes": image})["FaceDetails"]
        return face["Pose"]["Yaw"]

    return measured


@pytest.mark.parametrize("name", ["Zoë", "Ravi"])
def test_turning_a_drawn_head_by_ten_degrees_moves_yaw_by_about_ten(yaw_of, name):
    turned = [yaw_of(name, yaw) for yaw in (-20, -10, 0, 10, 20)]
    steps = [after - before for before, after in zip(turned, turned[1:], strict=False)]
    assert steps == pytest.approx([10] * 4, abs=4)
