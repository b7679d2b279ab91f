"""The network that numpy computes, against dlib's own."""

import json
import os
import subprocess

import pytest

from local.laptop import ENVIRONMENTS, ROOT
from local.tests.support.media.portraits import PEOPLE

EMULATOR = ENVIRONMENTS / "emulator" / "bin" / "python"
COMPARE = """
import json, sys
import dlib
import numpy as np
from local.rekognition.worker.faces import CHIP_SIZE, FaceAnalyzer, models
from local.rekognition.worker.images import open_image
FIVE = "shape_predictor_5_face_landmarks.dat"
analyzer = FaceAnalyzer()
network, five = models() / "dlib_face_recognition_resnet_model_v1.dat", models() / FIVE
network, five = dlib.face_recognition_model_v1(str(network)), dlib.shape_predictor(str(five))
distances = []
for path in sys.argv[1:]:
    pixels = open_image(open(path, "rb").read())
    box = dlib.get_frontal_face_detector()(pixels)[0]
    dlibs = network.compute_face_descriptor(pixels, five(pixels, box))
    [ours] = analyzer.faces(pixels, search_small=False, vectors=1)
    distances.append(float(np.linalg.norm(np.array(dlibs) - np.array(ours["vector"]))))
print(json.dumps(distances))
"""


@pytest.mark.parametrize(
    "names",
    ["Zoë/1.jpg", pytest.param("*/*.jpg", marks=pytest.mark.long)],  # four photos
    ids=["one", "all"],
)
def test_vectors_are_those_of_dlibs_own_network(names):
    photos = sorted(str(path) for path in PEOPLE.glob(names))
    done = subprocess.run(
        [str(EMULATOR), "-c", COMPARE, *photos],
        cwd=ROOT, env={"PATH": os.environ["PATH"]}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    distances = json.loads(done.stdout)
    assert len(distances) == len(photos) >= 1
    assert max(distances) < 1e-4
