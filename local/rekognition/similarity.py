"""Turn the distance of two face vectors into a similarity from 0 to 100.

The network's distance and Rekognition's similarity are tied together where both
have a published meaning, with straight lines between:

* 0.60 is the distance below which the network's author calls two faces the same
  person (99.38 % right on the LFW benchmark; dlib, examples/face_recognition.py
  and dnn_face_recognition_ex.cpp). 80 is Rekognition's own default for the same
  question (FaceMatchThreshold of SearchFacesByImage).
* 0.40 is the largest distance at which a published count over 81,875,206 pairs
  of pictures of 5,467 people has precision 1.00
  (https://jackgrimes.net/projects/face_recognition). 99 is what AWS recommends
  where a wrong match must not happen (Rekognition developer guide, "Use cases
  that involve public safety").
* 0.90 is where that same count has precision 0.00: everybody matches everybody,
  and nothing is left of similarity.
"""

import math
from collections.abc import Sequence

POINTS = ((0.0, 100.0), (0.40, 99.0), (0.60, 80.0), (0.90, 0.0))


def similarity(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the similarity of two faces, given their vectors."""
    return from_distance(math.dist(first, second))


def from_distance(distance: float) -> float:
    """Return the similarity of two faces, given the distance of their vectors."""
    for (near, high), (far, low) in zip(POINTS, POINTS[1:], strict=False):
        if distance <= far:
            return high - (high - low) * (distance - near) / (far - near)
    return POINTS[-1][1]
