"""Good H.264 passes through unchanged; all other video is encoded without losing a frame."""

import threading
import time
from pathlib import Path

import av
import pytest

from edge.capture import pipeline
from edge.capture.passthrough import Passthrough
from edge.capture.pipeline import CapturePipeline
from edge.errors import SourceLostError
from edge.media import h264, h264_sps
from edge.media.codec import HEVC
from edge.media.timeline import FilmTimeline, PacketTimestamps
from edge.sources import barcode
from edge.sources.samples import CodedPacket
from edge.sources.source import Source
from local.tests.support.media.films import draw, number_of
from tests.support.edge.capture import RecordingLog, RecordingSink, capture, capture_film, config_of
from tests.support.edge.h264 import good, hevc_stream, sent_units, stream, units_of, write

UNPACED = ("--as-fast-as-possible", "--tag", "never", "--rate", "30")


class Packets(Source):
    """A live source of prepared packets, with a decoder for them."""

    name = "packets"
    can_pass_through = True

    def __init__(self, packets, rate=10, *, ends_in=None, codec="h264"):
        self.rate, self._packets, self._ends_in = rate, packets, ends_in
        self.timeline = FilmTimeline(is_unpaced=True)
        self.decoder = av.CodecContext.create(codec, "r")

    def samples(self):
        times = PacketTimestamps(self.rate)
        for packet in self._packets:
            yield CodedPacket(packet, times.next_seconds(float(packet.pts * packet.time_base)))
        if self._ends_in:
            raise self._ends_in

    def close(self):
        pass


def capture_packets(packets, *options, is_reordered=False, **more):
    config = config_of("test", *UNPACED, *options)
    return capture(config, Packets(packets, **more), is_reordered=is_reordered)


def numbers_of(done):
    return [barcode.read_number(image) for image in done.images]


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.h264"])
def test_good_h264_is_sent_byte_for_byte(tmp_path, name):
    packets = good(25, group=5)
    path = write(tmp_path / name, packets, is_annex_b=name.endswith("264"))
    done = capture_film(path)
    assert done.said.lines == []
    assert sent_units(done.frames) == units_of(packets)
    assert numbers_of(done) == list(range(25))


@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
def test_a_live_stream_is_sent_byte_for_byte_and_cut_at_key_frames(profile):
    packets = good(47, group=8, profile=profile)
    done = capture_packets(packets)
    assert sent_units(done.frames) == units_of(packets)
    # Each fragment ends at the first key frame once a second has passed, not before.
    assert [len(fragment.frames) for fragment in done.fragments] == [16, 16, 15]
    assert all(fragment.frames[0].is_key for fragment in done.fragments)
    assert done.times_ms == [number * 100 for number in range(47)]


def test_key_frames_a_little_early_end_their_fragment_all_the_same():
    packets = good(40)
    for packet in packets:
        packet.pts = packet.pts * 97 // 100
    assert [len(f.frames) for f in capture_packets(packets).fragments] == [10, 10, 10, 10]


def test_what_comes_before_the_first_key_frame_is_left_out():
    assert numbers_of(capture_packets(good(40)[3:])) == list(range(10, 40))


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("it has B-frames", {"bf": 2}),
        ("its key frames are more than 2 s apart", {"bf": 0, "group": 250}),
        ("it is interlaced", {"bf": 0, "x264_params": "interlaced=1"}),
        ("few players decode its profile", {"bf": 0, "pix_fmt": "yuv444p"}),
    ],
)
def test_what_is_not_good_is_encoded_and_nothing_is_lost(tmp_path, fault, options):
    packets = stream(45, size=(320, 192), **options)
    film = capture_film(write(tmp_path / "film.mkv", packets))
    live = capture_packets(packets)
    assert film.said.lines == []
    assert live.said.lines == [f"The source is encoded again, because {fault}."]
    for done in (film, live):
        assert numbers_of(done) == list(range(45))
        assert done.times_ms == [number * 100 for number in range(45)]


def test_a_stream_that_turns_bad_is_encoded_from_there_on():
    packets = good(20) + good(40, first=20, group=250)
    done = capture_packets(packets)
    assert done.said.lines == [
        "The source is encoded again, because its key frames are more than 2 s apart."
    ]
    assert numbers_of(done) == list(range(60))
    assert done.times_ms == [number * 100 for number in range(60)]
    passed = sent_units(done.frames)[:41]
    assert passed == units_of(packets)[:41]


def test_a_stream_that_never_has_a_key_frame_is_handed_to_the_decoder():
    passing = Passthrough(b"", trial=8)
    packets = good(40, group=250)[1:]
    taken = [passing.push(CodedPacket(packet, n / 10)) for n, packet in enumerate(packets)]
    assert not any(taken)
    assert passing.fault
    assert len(passing.replay) == len(taken)


def test_another_size_or_other_parameters_begin_another_track_at_once():
    packets = good(14) + good(14, first=14, size=(320, 192))
    done = capture_packets(packets)
    assert sent_units(done.frames) == units_of(packets)
    assert [(f.track.width, f.track.height, len(f.frames)) for f in done.fragments] == [
        *((160, 96, 10), (160, 96, 4), (320, 192, 10), (320, 192, 4)),
    ]
    assert numbers_of(done) == list(range(28))


def test_parameter_sets_repeated_in_band_are_no_new_track():
    done = capture_packets(good(30, x264_params="scenecut=0:repeat-headers=1"))
    assert len({fragment.track for fragment in done.fragments}) == 1


def test_a_live_source_that_dies_leaves_what_was_captured():
    kept, source = RecordingSink(), Packets(good(15), ends_in=SourceLostError("gone"))
    run = CapturePipeline(
        config_of("test", *UNPACED), source, kept, RecordingLog(), threading.Event()
    )
    with pytest.raises(SourceLostError):
        run.run()
    assert [len(fragment.frames) for fragment in kept.fragments] == [10, 5]
    assert kept.fragments[-1].is_wanted is not None, "its last fragment never ended"


@pytest.mark.parametrize("size", [(1920, 1080), (640, 360), (66, 50)])
@pytest.mark.parametrize(
    ("options", "reorder_frames"),
    [
        ({"bf": 0}, 0),
        ({"bf": 2, "b_pyramid": "none"}, 1),
        ({"bf": 0, "profile": "baseline"}, 0),
        ({"bf": 0, "x264_params": "nal-hrd=cbr:vbv-maxrate=900:vbv-bufsize=900"}, 0),
        ({"bf": 0, "x264_params": "sar=4/3:videoformat=pal:colorprim=bt709:range=pc"}, 0),
    ],
)
def test_the_size_and_order_of_frames_are_read_from_the_parameter_set(
    size, options, reorder_frames
):
    units = units_of(stream(1, size=size, **options))[0]
    sequence = h264_sps.parse_sps(h264.first_of_type(units, h264.SPS))
    assert (sequence.width, sequence.height) == size
    assert (sequence.reorder_frames, sequence.is_progressive) == (reorder_frames, True)


def test_the_demo_film_passes():
    film = Path(__file__).resolve().parents[4] / "demo" / "film.mp4"
    done = capture_film(film)
    assert done.said.lines == []
    assert done.segmenter.frame_count == 430
    assert {len(fragment.frames) for fragment in done.fragments} == {10}


ALWAYS = ("--passthrough", "always")


def shown_at_ms(done):
    """Return when each decoded picture is shown, counted from the first."""
    shown = [round(image.pts * image.time_base * 1000) for image in done.images]
    return [at_ms - shown[0] for at_ms in shown]


def test_b_frames_are_passed_on_if_asked_for_and_each_is_shown_at_its_time(tmp_path):
    packets = stream(45, bf=3, b_adapt=0)
    path = write(tmp_path / "film.mkv", packets)
    for done in (
        capture_film(path, *ALWAYS, is_reordered=True),
        capture_packets(packets, *ALWAYS, is_reordered=True),
    ):
        assert done.said.lines == []
        assert done.video == "H.264 at 160x96 passed on"
        assert sent_units(done.frames) == units_of(packets)
        assert numbers_of(done) == list(range(45))
        assert shown_at_ms(done) == [number * 100 for number in range(45)]
        assert sorted(done.times_ms) == [number * 100 for number in range(45)]
        assert done.times_ms != sorted(done.times_ms)


def test_b_frames_without_times_of_their_own_are_encoded_even_then(tmp_path):
    path = write(tmp_path / "film.h264", stream(30, bf=2), is_annex_b=True)
    done = capture_film(path, *ALWAYS)
    assert done.video == "H.264 encoded to H.264 at 160x96"
    assert numbers_of(done) == list(range(30))


@pytest.mark.parametrize("parameters", ["bframes=0", "bframes=3:b-adapt=0:open-gop=0"])
def test_hevc_is_encoded_and_passed_on_only_if_asked_for(parameters):
    packets = hevc_stream(25, parameters=parameters)
    encoded = capture_packets(packets, codec="hevc")
    assert encoded.said.lines == [
        "The source's HEVC is encoded to H.264, because Rekognition reads nothing else."
    ]
    assert encoded.video == "HEVC encoded to H.264 at 160x96"
    passed = capture_packets(packets, *ALWAYS, codec="hevc", is_reordered=True)
    assert passed.said.lines == []
    assert passed.video == "HEVC at 160x96 passed on"
    assert sent_units(passed.frames) == units_of(packets)
    assert [len(fragment.frames) for fragment in passed.fragments] == [10, 10, 5]
    assert {fragment.track.codec for fragment in passed.fragments} == {HEVC}
    for done in (encoded, passed):
        assert numbers_of(done) == list(range(25))
        assert shown_at_ms(done) == [number * 100 for number in range(25)]


def test_an_hevc_film_is_passed_on_if_asked_for(tmp_path):
    path = draw(
        tmp_path / "film.mp4", frames=20, codec="libx265", options={"x265-params": "bframes=0"}
    )
    done = capture_film(path, *ALWAYS, is_reordered=True)
    assert done.video == "HEVC at 64x48 passed on"
    assert [number_of(image) for image in done.images] == list(range(20))


def test_hevc_whose_fragments_could_not_be_decoded_alone_is_encoded():
    packets = hevc_stream(45, parameters="bframes=3:b-adapt=0:open-gop=1")
    done = capture_packets(packets, *ALWAYS, codec="hevc", is_reordered=True)
    assert done.said.lines == [
        "The source is encoded again, because its groups of pictures cannot be decoded alone."
    ]
    # The key frame was sent before the pictures came that are shown before it.
    assert set(range(45)) - set(numbers_of(done)) <= {7, 8, 9}


def test_what_the_limits_forbid_is_passed_on_and_said_unless_it_is_to_be_encoded():
    packets = good(20, size=(640, 384))
    limits = ("--size", "320x240", "--bitrate", "100")
    (line,) = capture_packets(packets, *limits).said.lines
    assert line.startswith("H.264 at 640x384 and 10 frames a second is passed on as it is: --size")
    assert "--encode" in line
    encoded = capture_packets(packets, *limits, "--encode")
    assert (encoded.said.lines, encoded.size) == ([], (320, 192))
    slower = capture_packets(good(20), "--rate", "5", "--encode")
    assert slower.times_ms == [number * 200 for number in range(10)]


def test_a_packet_without_a_slice_is_no_frame():
    packets = good(20)
    for delimiter in (b"\0\0\0\1\x09\xf0", b"\0\0\0\1\x06\x05\x01\x00\x80"):
        lone = av.Packet(delimiter)
        lone.pts, lone.dts, lone.time_base = 2000, 2000, packets[0].time_base
        done = capture_packets([*packets, lone])
        assert sent_units(done.frames) == units_of(packets)


def test_a_camera_with_b_frames_that_goes_away_leaves_no_frame_behind():
    kept = RecordingSink()
    source = Packets(stream(30, bf=3, b_adapt=0), ends_in=SourceLostError("gone"))
    run = CapturePipeline(
        config_of("test", *UNPACED), source, kept, RecordingLog(), threading.Event()
    )
    with pytest.raises(SourceLostError):
        run.run()
    numbers = [barcode.read_number(image) for one in kept.fragments for image in one.images()]
    assert numbers == list(range(30))


def test_a_fragment_whose_times_stand_still_ends_all_the_same(monkeypatch):
    monkeypatch.setattr(pipeline, "LONGEST_FINISH_S", 0.2)
    stop, given = threading.Event(), []

    class Standing(Packets):
        """A source whose clock stands still after the tenth frame."""

        def samples(self):
            first, *others = super().samples()
            yield first
            stop.set()
            for sample in others * 500:
                time.sleep(0.005)
                given.append(sample)
                yield CodedPacket(sample.packet, first.seconds)

    done = capture(config_of("test", *UNPACED), Standing(good(10)), stop)
    assert 5 * len(given) <= 1000, "0.2 s later it ends, or soon"
    assert len(done.fragments) == 1
