"""A picture that was analyzed a moment ago: only what is not known of its faces is computed."""

import pytest

from local.rekognition.worker import recent
from local.rekognition.worker.pool import WorkerPool

FACES = [{"detail": {"Confidence": 99.0}, "box": [number, 0, 50, 50]} for number in (0, 60)]


@pytest.fixture
def pool(monkeypatch):
    """A pool whose jobs are noted, and done at once."""
    made = WorkerPool(1)
    made.heads = []

    def submit(job):
        made.heads.append(job.head)
        boxes = job.head.get("boxes")
        known = [{} for _ in boxes] if boxes else [dict(face) for face in FACES]
        wanted = len(known) if boxes else job.head["vectors"]
        vectors = [{"vector": [float(number)]} for number in range(wanted)]
        job.found.set_result(
            [face | more for face, more in zip(known, vectors + [{}] * 2, strict=False)]
        )
        return job.found

    monkeypatch.setattr(made, "_submit", submit)
    return made


@pytest.mark.parametrize("vectors", [1, 2, 100])
def test_of_known_faces_the_vectors_alone_are_computed(pool, vectors):
    first = pool.analyze_picture(b"photo", vectors=vectors)
    assert pool.analyze_picture(b"photo", vectors=0) == FACES
    assert pool.analyze_picture(b"photo", vectors=vectors) == first
    wanted = [face["box"] for face in FACES[:vectors]]
    assert pool.heads == [{"search_small": True, "vectors": vectors}, {"boxes": wanted}]


def test_few_pictures_are_known_and_the_one_used_longest_ago_is_forgotten(pool, monkeypatch):
    monkeypatch.setattr(recent, "MOST_PICTURES", 2)
    for data in (b"1", b"2", b"1", b"3", b"1", b"3", b"2"):
        pool.analyze_picture(data, vectors=0)
    assert len(pool.heads) == 4  # the second one twice


def test_no_vector_is_kept(pool):
    pool.analyze_picture(b"photo", vectors=2)
    assert not any("vector" in face for face in pool._recent.get(b"photo"))
