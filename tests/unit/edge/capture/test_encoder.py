"""The encoders: which one is chosen, and frames that come out later than they went in."""

import av
import pytest

from edge.capture import encoder
from edge.capture.encode_pipeline import EncodePipeline
from edge.capture.encoder import (
    HARDWARE,
    SOFTWARE,
    Encoder,
    VideoFormat,
    encoder_works,
    open_best_encoder,
)
from edge.capture.segmenter import Segmenter
from edge.media import h264
from edge.sources import barcode
from edge.sources.pattern import Pattern
from tests.support.edge.capture import Captured, RecordingLog, RecordingSink

VIDEO = VideoFormat(320, 192, 10.0)


def test_where_the_hardware_has_no_encoder_the_software_is_taken():
    assert not encoder_works(HARDWARE, VIDEO)
    assert encoder_works(SOFTWARE, VIDEO)
    (frame, track), *_ = open_best_encoder(VIDEO).encode(
        av.VideoFrame(320, 192, "yuv420p"), 1000, is_key=True
    )
    assert (frame.at_ms, frame.is_key) == (1000, True)
    assert (track.width, track.height) == (320, 192)


@pytest.fixture
def hardware(monkeypatch):
    """Install an encoder like the Pi's: delayed frames, parameter sets with each key frame."""
    made = []

    def opened(video, name):
        if name != HARDWARE:
            return real(video, name)
        codec = av.CodecContext.create("libx264", "w")
        codec.width, codec.height, codec.pix_fmt = video.width, video.height, "yuv420p"
        codec.time_base, codec.framerate, codec.gop_size = encoder.MS, 10, 1_000_000
        codec.options = {"preset": "ultrafast", "forced-idr": "1", "bf": "0", "rc-lookahead": "3"}
        codec.open()
        made.append(codec)
        return codec

    real = encoder._open
    monkeypatch.setattr(encoder, "_open", opened)
    encoder_works.cache_clear()
    yield made
    encoder_works.cache_clear()


def captured(pattern, count, *, sizes=((320, 192),), early_at=()):
    kept = RecordingSink()
    cutter = Segmenter(kept, 1000, lambda begun_ms, last_ms: False)
    observer = type("Observer", (), {"on_picture": lambda self, image, at_ms: None})()
    encoding = EncodePipeline(cutter, observer, size=(1280, 720), rate=10, bitrate_kbit=2000)
    for number in range(count):
        size = sizes[number * len(sizes) // count]
        image = pattern.frame(number, number / 10).reformat(*size)
        early = sum(at <= number for at in early_at) * 8
        encoding.write(image, 10_000 + number * 100 - early, 1.0)
    encoding.flush()
    cutter.end()
    return Captured(kept.fragments, RecordingLog(), cutter)


def test_a_frame_that_comes_earlier_than_predicted_is_not_lost():
    # The fragment has ended before it, because a key frame was due: a clock was adjusted.
    done = captured(Pattern(320, 192, 10), 35, early_at=(10, 20))
    assert [barcode.read_number(image) for image in done.images] == list(range(35))


def test_a_hardware_encoder_that_works_is_taken_and_loses_no_frame(hardware):
    done = captured(Pattern(320, 192, 10), 35)
    assert len(hardware) == 2, "one to try it, one to use"
    assert [barcode.read_number(image) for image in done.images] == list(range(35))
    assert [len(fragment.frames) for fragment in done.fragments] == [10, 10, 10, 5]
    assert done.times_ms == [number * 100 for number in range(35)]
    kinds = {h264.nal_type(u) for f in done.frames for u in h264.split_avcc(f.data, 4)}
    assert not kinds & {h264.SPS, h264.PPS}


def test_a_hardware_encoder_that_fails_is_not_taken(monkeypatch):
    def fails(video, name):
        raise av.error.ExternalError(1, "no such encoder here", name)

    encoder_works.cache_clear()
    monkeypatch.setattr(encoder, "_open", fails)
    assert not encoder_works(HARDWARE, VIDEO)
    encoder_works.cache_clear()


@pytest.mark.parametrize("is_hardware", [False, True])
def test_a_source_that_changes_its_size_goes_on_in_a_new_track(request, is_hardware):
    if is_hardware:
        request.getfixturevalue("hardware")
    done = captured(Pattern(640, 384, 10), 34, sizes=((320, 192), (640, 384)))
    assert [(f.track.width, len(f.frames)) for f in done.fragments] == [
        *((320, 10), (320, 7), (640, 10), (640, 7)),
    ]
    assert [barcode.read_number(image) for image in done.images] == list(range(34))


def test_a_bitrate_bounds_what_comes_out():
    pattern = Pattern(640, 384, 10)
    sizes = []
    for kbit in (100, 4000):
        encoder = Encoder(VideoFormat(640, 384, 10.0, kbit))
        frames = [
            encoder.encode(pattern.frame(n, n * 7.0), n * 100, is_key=n % 10 == 0)
            for n in range(40)
        ]
        sizes.append(sum(len(frame.data) for ((frame, _),) in frames))
    # Four seconds, and one that the rate control may be ahead.
    assert sizes[0] * 8 <= 100_000 * 5 < sizes[1] * 8 * 5
    assert isinstance(encoder.flush(), list)
