"""From what GetMedia sends to the frames that are analysed."""

import io

import av
import numpy as np
import pytest

from local.kinesisvideo import ebml
from local.rekognition.fragments import Cutter, MediaError
from local.rekognition.video import CodecError, Sampler, opened, rgb

UNKNOWN = bytes.fromhex("01ffffffffffffff")


def film(*, frames=10, rate=10, size=(64, 48), codec="libx264"):
    """One fragment as a producer makes it: a Matroska file with a single cluster."""
    file = io.BytesIO()
    options = {"cluster_time_limit": "100000", "live": "1"}
    with av.open(file, "w", format="matroska", options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for shade in range(frames):
            pixels = np.full((size[1], size[0], 3), 10 * shade, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def served(media, number, *, unknown_size=False):
    """A fragment as GetMedia sends it, between the service's tags."""
    at = media.index(ebml.CLUSTER.to_bytes(4))
    before = ebml.tags(
        [
            ("AWS_KINESISVIDEO_FRAGMENT_NUMBER", number),
            ("AWS_KINESISVIDEO_SERVER_TIMESTAMP", "1510552593.455"),
            ("AWS_KINESISVIDEO_PRODUCER_TIMESTAMP", "1510552593.193"),
        ]
    )
    after = ebml.tags([("AWS_KINESISVIDEO_MILLIS_BEHIND_NOW", "0")])
    cluster = media[at:]
    if unknown_size:
        head = ebml.read_head(cluster)
        cluster = cluster[:4] + UNKNOWN + cluster[head.length : head.total]
    return media[:at] + before + cluster + after


@pytest.mark.parametrize("piece", [1, 100, 10**6])
@pytest.mark.parametrize("unknown_size", [False, True])
def test_every_fragment_is_cut_out_however_the_bytes_arrive(piece, unknown_size):
    media = film()
    sent = b"".join(served(media, str(n), unknown_size=unknown_size) for n in range(3))
    cutter = Cutter()
    cut = [one for at in range(0, len(sent), piece) for one in cutter.feed(sent[at : at + piece])]
    assert [one.number for one in cut] == ["0", "1", "2"]
    assert {(one.server, one.producer) for one in cut} == {(1510552593.455, 1510552593.193)}
    with opened(cut[-1].film) as (_, frames):
        assert len(list(frames)) == 10


def test_a_fragment_is_there_as_soon_as_its_cluster_is():
    sent = served(film(), "7")
    after = sent.rindex(ebml.TAGS.to_bytes(4))
    assert [one.number for one in Cutter().feed(sent[:after])] == ["7"]


def test_an_error_of_the_service_is_not_taken_for_media():
    tags = ebml.tags([("AWS_KINESISVIDEO_ERROR_CODE", "5000")])
    with pytest.raises(MediaError, match="5000"):
        list(Cutter().feed(tags))


def test_what_is_no_media_is_refused():
    with pytest.raises(MediaError):
        list(Cutter().feed(bytes(100)))


def test_offsets_count_from_the_start_of_the_fragment():
    with opened(film()) as (length, frames):
        offsets = [offset for offset, _ in frames]
    assert length == pytest.approx(0.9)
    assert offsets == pytest.approx([n / 10 for n in range(10)])


def test_video_that_is_not_h264_is_refused():
    with pytest.raises(CodecError, match="mpeg4"), opened(film(codec="mpeg4")):
        pass


@pytest.mark.parametrize(
    ("given", "scaled"), [((320, 240), (640, 480)), ((1920, 1080), (1280, 720))]
)
def test_frames_are_scaled_to_what_the_detector_sees_well(given, scaled):
    with opened(film(frames=1, size=given)) as (_, frames):
        size, pixels = rgb(next(frames)[1])
    assert size == scaled
    assert len(pixels) == 3 * scaled[0] * scaled[1]


def taken(sampler, times):
    return [time for time in times if sampler.takes(time)]


@pytest.mark.parametrize(("rate", "expected"), [(5, 5), (10, 5), (30, 5), (12.5, 5), (2, 2)])
def test_five_frames_of_each_second_are_taken_or_all_if_there_are_fewer(rate, expected):
    times = [1e9 + n / rate for n in range(int(10 * rate))]
    assert len(taken(Sampler(5), times)) == pytest.approx(10 * expected, abs=1)


@pytest.mark.parametrize("jump", [60, -60])
def test_a_clock_that_jumps_does_not_stop_the_sampling(jump):
    sampler = Sampler(5)
    taken(sampler, [n / 10 for n in range(20)])
    assert len(taken(sampler, [2 + jump + n / 10 for n in range(20)])) == 10
