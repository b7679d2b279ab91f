"""From what GetMedia sends to the frames that are analysed."""

import av
import pytest

from local.kinesisvideo.mkv import ebml
from local.rekognition.processors import video
from local.rekognition.processors.fragments import FragmentSplitter, GetMediaError
from local.rekognition.processors.playback_clock import BURST_SECONDS, LATE_SECONDS, PlaybackClock
from local.rekognition.processors.video import CodecError, FrameSampler, open_fragment, rgb
from local.tests.support.media.clips import film, later

UNKNOWN = bytes.fromhex("01ffffffffffffff")


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
    splitter = FragmentSplitter()
    cut = [one for at in range(0, len(sent), piece) for one in splitter.feed(sent[at : at + piece])]
    assert [one.number for one in cut] == ["0", "1", "2"]
    assert {(one.server, one.producer) for one in cut} == {(1510552593.455, 1510552593.193)}
    with open_fragment(cut[-1].film, cut[-1].timecode) as film_of_it:
        assert len(list(film_of_it.frames())) == 10


def test_a_fragment_is_there_as_soon_as_its_cluster_is():
    sent = served(film(), "7")
    after = sent.rindex(ebml.TAGS.to_bytes(4))
    assert [one.number for one in FragmentSplitter().feed(sent[:after])] == ["7"]


def test_an_error_of_the_service_is_not_taken_for_media():
    tags = ebml.tags([("AWS_KINESISVIDEO_ERROR_CODE", "5000")])
    with pytest.raises(GetMediaError, match="5000"):
        list(FragmentSplitter().feed(tags))


def test_what_is_no_media_is_refused():
    with pytest.raises(GetMediaError):
        list(FragmentSplitter().feed(bytes(100)))


FORMS = {
    "plain": {"tune": "zerolatency"},
    "frames that refer to later ones": {"bf": "3", "x264-params": "b-adapt=0:rc-lookahead=10"},
    "with sound": {"sound": True},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("start", [0, 1_700_000_000_123])
def test_offsets_count_from_the_start_of_the_fragment_in_order_of_display(form, start):
    [fragment] = FragmentSplitter().feed(served(later(film(**FORMS[form]), start), "1"))
    assert fragment.timecode == start
    with open_fragment(fragment.film, fragment.timecode) as opened_film:
        assert opened_film.seconds == pytest.approx(0.9)
        shown = list(opened_film.frames())
        assert [offset for offset, _ in shown] == opened_film.offsets
        shades = [float(frame.to_ndarray(format="gray").mean()) for _, frame in shown]
    assert opened_film.offsets == pytest.approx([n / 10 for n in range(10)], abs=0.002)
    assert shades == pytest.approx([10 * n for n in range(10)], abs=4)


def test_frames_count_from_the_fragments_start_also_when_sound_begins_it():
    media = later(film(), 500)
    late = media.replace(b"\x81\x00\x00\x80", b"\x81\x00\x07\x80", 1)  # the first frame, 7 ms on
    assert late != media
    with open_fragment(late, 500) as opened_film:
        assert opened_film.offsets[0] == pytest.approx(0.007)


@pytest.mark.parametrize(("codec", "name"), [("mpeg4", "mpeg4"), ("libx265", "hevc")])
def test_video_that_is_not_h264_is_refused(codec, name):
    with pytest.raises(CodecError, match=name), open_fragment(film(codec=codec), 0):
        pass


def test_a_frame_of_gigabytes_is_not_even_tried(monkeypatch):
    monkeypatch.setattr(video, "MAX_PIXELS", 64 * 48 - 1)
    with open_fragment(film(), 0) as opened_film, pytest.raises(av.FFmpegError):
        list(opened_film.frames())


def test_frames_are_handed_on_while_they_keep_up_with_live_media():
    playback = PlaybackClock()
    playback.begin(arrived=100.0, seconds=1.0)
    assert not playback.is_late(0.0, now=100.0 + LATE_SECONDS)
    assert playback.is_late(0.0, now=100.1 + LATE_SECONDS)
    assert not playback.is_late(0.9, now=100.8 + LATE_SECONDS)
    playback.begin(arrived=101.0, seconds=1.0)
    assert playback.is_late(0.0, now=101.1 + LATE_SECONDS)


def test_fragments_that_come_in_a_burst_have_time_for_each_but_not_without_end():
    playback = PlaybackClock()
    for _ in range(3):
        playback.begin(arrived=100.0, seconds=1.0)
    assert not playback.is_late(0.0, now=102.0 + LATE_SECONDS)
    for _ in range(60):
        playback.begin(arrived=100.0, seconds=1.0)
    assert playback.is_late(0.0, now=100.1 + BURST_SECONDS + LATE_SECONDS)
    playback.begin(arrived=200.0, seconds=1.0)
    assert playback.is_late(0.0, now=200.1 + LATE_SECONDS)


@pytest.mark.parametrize(
    ("given", "scaled"), [((320, 240), (640, 480)), ((1920, 1080), (1280, 720))]
)
def test_frames_are_scaled_to_what_the_detector_sees_well(given, scaled):
    with open_fragment(film(frames=1, size=given), 0) as opened_film:
        size, pixels = rgb(next(opened_film.frames())[1])
    assert size == scaled
    assert len(pixels) == 3 * scaled[0] * scaled[1]


def taken(sampler, times):
    return [time for time in times if sampler.is_due(time)]


@pytest.mark.parametrize(("rate", "expected"), [(5, 5), (10, 5), (30, 5), (12.5, 5), (2, 2)])
def test_five_frames_of_each_second_are_taken_or_all_if_there_are_fewer(rate, expected):
    times = [1e9 + n / rate for n in range(int(10 * rate))]
    assert len(taken(FrameSampler(5), times)) == pytest.approx(10 * expected, abs=1)


@pytest.mark.parametrize("jump", [60, -60])
def test_a_clock_that_jumps_does_not_stop_the_sampling(jump):
    sampler = FrameSampler(5)
    taken(sampler, [n / 10 for n in range(20)])
    assert len(taken(sampler, [2 + jump + n / 10 for n in range(20)])) == 10
