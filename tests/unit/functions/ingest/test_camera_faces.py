"""The faces that the edge writes into a fragment's tag, as the function reads them."""

import pytest
from hypothesis import strategies

from edge.tagging.faces import LONGEST_VALUE, Look, face_tags
from tests.support.records.alert_harness import START
from tests.support.records.given_many import given_many
from whosthere.geometry import Box
from whosthere.ingest.camera_faces import NEAR_MS, camera_faces

ONE, TWO = (317, 394, 197, 263), (600, 423, 195, 263)


def test_the_frame_nearest_to_the_image_counts():
    tags = face_tags([Look(START, [ONE, TWO]), Look(START + 400, [TWO]), Look(START + 800, [])])
    one, two = Box(0.317, 0.394, 0.197, 0.263), Box(0.6, 0.423, 0.195, 0.263)
    assert camera_faces(tags, START + 190) == (one, two)
    assert camera_faces(tags, START + 210) == (two,)
    assert camera_faces(tags, START + 900) == ()
    assert camera_faces(tags, START - NEAR_MS) == (one, two)
    assert camera_faces(tags, START - NEAR_MS - 1) is None
    assert camera_faces(tags, START + 801 + NEAR_MS) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";",
        "nonsense",
        f"{START}",
        f"{START}:1 2 3",
        f"{START}:1 2 3 4 5",
        f"{START}:1 2 0 4",
        f"{START}:1 2 3 0",
        f"{START}:-1 2 3 4",
        f"{START}:1 2 3 1001",
        f"{START}:1 2 3 4,",
        f"{START}:1 2 3 4;",
        f"{START}:1 2 3 4;{START}:x",
        f"{START}:\u0661 2 3 4",
        f"1{START}:1 2 3 4",
    ],
)
def test_what_cannot_be_read_says_nothing(text):
    assert camera_faces({"faces": text}, START) is None
    assert camera_faces({}, START) is None


sides = strategies.integers(1, 1000)
boxes = strategies.lists(strategies.tuples(sides, sides, sides, sides), max_size=20)


@given_many(20_000, strategies.lists(boxes, max_size=30))
def test_what_the_edge_writes_fits_and_is_read(frames):
    looks = [Look(START + 400 * number, found) for number, found in enumerate(frames)]
    tags = face_tags(looks)
    assert all(len(value) <= LONGEST_VALUE for value in tags.values())
    kept = [look for look in looks if f"{look.at_ms}:" in tags.get("faces", "")]
    assert kept[:1] == looks[:1] or not face_tags(looks[:1])
    for look in kept:
        read = camera_faces(tags, look.at_ms)
        assert read == tuple(Box(*(side / 1000 for side in box)) for box in look.boxes)
