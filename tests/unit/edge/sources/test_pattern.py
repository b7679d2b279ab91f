"""The test pattern: people and programs can read each frame's number."""

import io
from itertools import islice

import av
import pytest

from edge.sources import barcode
from edge.sources.pattern import Pattern


def encoded_and_back(images, crf, rate=10):
    """Encode pictures to H.264 with that CRF, and decode them again."""
    store = io.BytesIO()
    with av.open(store, "w", format="matroska") as out:
        video = out.add_stream("libx264", rate=rate, options={"crf": str(crf), "preset": "fast"})
        video.width, video.height, video.pix_fmt = images[0].width, images[0].height, "yuv420p"
        for image in images:
            out.mux(video.encode(image))
        out.mux(video.encode(None))
    store.seek(0)
    with av.open(store) as container:
        return list(container.decode(video=0))


@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (320, 180), (96, 64)])
def test_the_number_is_read_after_hard_compression(size):
    pattern = Pattern(*size, rate=10)
    numbers = [0, 1, 255, 256, 65_535, 1_234_567, barcode.HIGHEST - 1]
    images = [pattern.frame(number, number / 10) for number in numbers]
    assert [barcode.read_number(image) for image in encoded_and_back(images, crf=40)] == numbers


def test_the_number_is_read_from_a_scaled_picture():
    image = Pattern(1280, 720, rate=10).frame(4711, 471.1)
    for size in ((640, 360), (426, 240), (1920, 1080)):
        assert barcode.read_number(image.reformat(*size)) == 4711


def test_a_picture_without_the_band_has_no_number():
    black, white = av.VideoFrame(320, 180, "gray8"), av.VideoFrame(320, 180, "gray8")
    black.planes[0].update(bytes(black.planes[0].buffer_size))
    white.planes[0].update(b"\xff" * white.planes[0].buffer_size)
    assert barcode.read_number(black) is None
    assert barcode.read_number(white) is None


def test_frames_are_numbered_from_zero_and_their_clock_moves():
    frames = list(islice(Pattern(320, 180, rate=10).frames(), 12))
    assert [barcode.read_number(frame) for frame in frames] == list(range(12))
    clocks = [frame.to_ndarray()[int(180 * 0.15) : int(180 * 0.15) + 15] for frame in frames]
    assert all((a != b).any() for a, b in zip(clocks, clocks[1:], strict=False))
