"""Faults of a video source, against the laptop AWS; the pictures carry frame numbers."""

import pytest

from tests.support.edge.faults import assert_whole
from tests.support.edge.h264 import good, write
from tests.support.edge.h264 import stream as encoded
from tests.support.edge.rpicam import Rpicam
from tests.support.edge.run import Stored


@pytest.fixture
def rpicam(tmp_path, monkeypatch):
    stand_in = Rpicam(tmp_path / "rpicam")
    monkeypatch.setenv("PATH", stand_in.install(), prepend=":")
    return stand_in


@pytest.mark.long  # three starts of a camera, in real time
def test_unplugged_back_and_of_another_size_all_that_was_captured_is_stored(
    laptop, stream, edge, persisted, rpicam
):
    small, large = (160, 96), (320, 192)
    rpicam.plan(good(30, rate=10), rate=10, code=1, complaint="ERROR: *** camera gone ***\n")
    run = edge("--source", "picamera")
    persisted(1)
    # The first start has read its own plan. In this one the size changes on the way, too.
    again = good(20, first=30, size=small) + good(20, first=50, size=large)
    rpicam.plan(again, rate=10, stalls=True)
    run.wait_for("camera gone")
    persisted(6)
    ended = run.finish()
    stored = Stored(laptop, stream)
    assert_whole(stored, 70)
    assert ended["frames"] == 70
    assert len(rpicam.starts) == 2


def test_a_film_that_ends_in_the_middle_arrives_as_far_as_it_goes(laptop, stream, edge, tmp_path):
    for name, packets in (("passed", good(60)), ("encoded", encoded(60, bf=2))):
        film = write(tmp_path / f"{name}.mkv", packets)
        whole = film.read_bytes()
        film.write_bytes(whole[: len(whole) * 2 // 3])
        before = Stored(laptop, stream).frames
        run = edge("--source", str(film), "--as-fast-as-possible")
        ended = run.ended()
        numbers = sorted((Stored(laptop, stream).frames - before).elements())
        assert (len(numbers), numbers) == (ended["frames"], sorted(set(numbers))), name
        # A B-frame whose successor is there and which itself is not is all that may be missing.
        assert numbers[:-3] == list(range(len(numbers) - 3)), name
        assert 20 < ended["frames"] < 60
        assert run.is_whole
