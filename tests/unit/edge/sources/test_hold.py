"""A held film repeats its first frame, then plays as if it had started at its release."""

from edge.sources.hold import hold_first_frame
from edge.sources.samples import DecodedFrame

RATE = 10


def film(*names):
    return iter([DecodedFrame(name, place / RATE) for place, name in enumerate(names)])


def played(frames, releases_after):
    """Play a film that is released after so many checks; return its frames and its start."""
    asked, begun = iter([False] * releases_after + [True]), []
    out = hold_first_frame(frames, RATE, lambda: next(asked), begun.append)
    return [(frame.image, round(frame.seconds, 3)) for frame in out], begun


def test_the_first_frame_stands_until_the_film_is_let_go():
    out, begun = played(film("a", "b", "c"), releases_after=3)
    assert out == [("a", 0.0), ("a", 0.1), ("a", 0.2), ("a", 0.3), ("b", 0.4), ("c", 0.5)]
    assert begun == [0.3]


def test_a_film_that_is_not_held_back_plays_as_it_is():
    out, begun = played(film("a", "b"), releases_after=0)
    assert out == [("a", 0.0), ("b", 0.1)]
    assert begun == [0.0]


def test_a_film_without_frames_holds_nothing():
    out, begun = played(film(), releases_after=5)
    assert (out, begun) == ([], [])
