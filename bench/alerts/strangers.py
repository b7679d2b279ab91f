"""Count strangers that are joined or split wrongly, over the threshold from which faces are one.

Simulated faces go through the product's own code and a collection of vectors in memory. Their
distances spread as in two published figures of the laptop's face network, and as those of drawn
people, who look more alike than photographed ones do:

* recall at each distance, of pairs of pictures of one person among 81,875,206 pairs
  (https://jackgrimes.net/projects/face_recognition): normal, mean 0.436, deviation 0.066;
* precision at the same distances, and 99.38 % of LFW's pairs told right at 0.60 (dlib,
  examples/dnn_face_recognition_ex.cpp), of pairs of two people: mean 0.913, deviation 0.111;
* people drawn at random by demo/draw: 0.20 and 0.07 of one person, 0.547 and 0.073 of two.
"""

import argparse
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from local.rekognition.similarity import from_distance
from whosthere.strangers.collection import index_face, search_or_index
from whosthere.strangers.review_queue import StrangerFiles
from whosthere.strangers.stranger import MOST_PICTURES

PEOPLE, VISITS, RUNS = 30, 10, 20
THRESHOLDS = (80, 85, 88, 90, 92, 94, 96, 98)
COLLECTION = "strangers"


@dataclass(frozen=True, slots=True)
class Spread:
    """Distances of faces: mean and deviation of pairs of one person, and mean of two people's.

    `dimensions` give the latter their deviation, `unevenness` the rest of the former's: some
    pictures are worse than others.
    """

    name: str
    same: float
    different: float
    dimensions: int
    unevenness: float

    def faces(self, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """Return vectors of each person's visits: people, visits, dimensions."""
        within = self.same / math.sqrt(2 * self.dimensions)
        between = math.sqrt((self.different**2 - self.same**2) / (2 * self.dimensions))
        people = rng.normal(scale=between, size=(PEOPLE, 1, self.dimensions))
        scale = within * np.exp(rng.normal(scale=self.unevenness, size=(PEOPLE, VISITS, 1)))
        noise = rng.normal(size=(PEOPLE, VISITS, self.dimensions))
        faces: np.ndarray[Any, Any] = people + scale * noise
        return faces


SPREADS = (
    Spread("photographs", 0.436, 0.913, 35, 0.13),
    Spread("drawn at random", 0.21, 0.547, 28, 0.25),
)


@dataclass(slots=True)
class VectorRekognition:
    """A collection of faces whose images are vectors; it answers as Rekognition does."""

    vectors: list[np.ndarray[Any, Any]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def search_faces_by_image(self, **given: Any) -> dict[str, Any]:
        """Return the faces at or above the threshold."""
        face, least = np.frombuffer(given["Image"]["Bytes"]), given["FaceMatchThreshold"]
        found = [
            {"Similarity": alike, "Face": {"FaceId": str(place), "ExternalImageId": name}}
            for place, (vector, name) in enumerate(zip(self.vectors, self.names, strict=True))
            if (alike := from_distance(math.dist(face.tolist(), vector.tolist()))) >= least
        ]
        return {"FaceMatches": found}

    def index_faces(self, **given: Any) -> dict[str, Any]:
        """Add a face."""
        self.vectors.append(np.frombuffer(given["Image"]["Bytes"]))
        self.names.append(given["ExternalImageId"])
        return {"FaceRecords": [{"Face": {"FaceId": str(len(self.names))}}]}


def simulate(
    faces: np.ndarray[Any, Any], threshold: float, most_faces: int, rng: np.random.Generator
) -> Counter[str]:
    """Let people visit in any order; count false joins and splits, and the strangers made.

    A false join is a visit taken for somebody else's, a false split a further item of somebody
    who has one.
    """
    rekognition: Any = VectorRekognition()
    files = StrangerFiles(None, rekognition, "", COLLECTION)  # type: ignore[arg-type]
    counts: Counter[str] = Counter()
    known: dict[str, int] = {}
    order = rng.permutation([person for person in range(PEOPLE) for _ in range(VISITS)])
    visits = Counter[int]()
    for number, person in enumerate(map(int, order)):
        face = faces[person, visits[person]].tobytes()
        visits[person] += 1
        found = search_or_index(files, face, f"s-{number}", threshold).stranger
        if found == f"s-{number}":
            counts["splits"] += person in known.values()
            known[found] = person
        else:
            counts["joins"] += known[found] != person
            if rekognition.names.count(found) < most_faces:
                index_face(files, face, found)
    return counts


def main() -> None:
    """Print, for each spread and threshold, splits and joins of so many visits."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=RUNS)
    runs = parser.parse_args().runs
    for spread in SPREADS:
        print(f"{spread.name}: per 100 visits, {PEOPLE} strangers of {VISITS} visits each")
        print("threshold | splits, 1 face | joins | splits, 5 faces | joins")
        for threshold in THRESHOLDS:
            row = [f"{threshold}"]
            for most_faces in (1, MOST_PICTURES):
                counts: Counter[str] = Counter()
                for run in range(runs):
                    rng = np.random.default_rng(run)
                    counts += simulate(spread.faces(rng), threshold, most_faces, rng)
                share = 100 / (runs * PEOPLE * VISITS)
                row += [f"{counts[name] * share:.2f}" for name in ("splits", "joins")]
            print(" | ".join(row), flush=True)


if __name__ == "__main__":
    main()
