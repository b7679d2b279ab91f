"""Films of all formats, as the edge captures them."""

import time

import av
import pytest

from edge.errors import SourceError
from edge.media.timeline import PacketTimestamps
from edge.sources.film import FilmSource
from edge.sources.packet_decoder import PacketDecoder
from edge.sources.samples import CodedPacket
from local.tests.support.media.films import draw, draw_sound, number_of, turn_clockwise
from tests.support.edge.capture import capture, capture_film, config_of


def corner_is_dark(image, right, bottom):
    plane = image.planes[0]
    x, y = (image.width - 8 if right else 7), (image.height - 8 if bottom else 7)
    return bytes(plane)[y * plane.line_size + x] < 24


def test_every_frame_comes_in_order_and_at_its_time(tmp_path):
    done = capture_film(draw(tmp_path / "film.mp4", frames=12))
    assert done.size == (64, 48)
    assert [number_of(image) for image in done.images] == list(range(12))
    assert done.times_ms == [n * 100 for n in range(12)]
    assert [len(fragment.frames) for fragment in done.fragments] == [10, 2]
    assert done.said.starts == [done.frames[0].at_ms]
    assert (done.segmenter.frame_count, done.segmenter.seconds) == (12, 1.1)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("film.mp4", "libx265"),
        ("film.mkv", "libx265"),
        ("film.avi", "mpeg4"),
        ("film.webm", "libvpx"),
    ],
)
def test_other_formats_give_the_same_frames(tmp_path, name, codec):
    done = capture_film(draw(tmp_path / name, codec=codec))
    assert [number_of(image) for image in done.images] == list(range(10))
    assert {image.format.name for image in done.images} == {"yuv420p"}


def test_sound_is_left_out(tmp_path):
    done = capture_film(draw(tmp_path / "film.mp4", is_with_sound=True))
    assert done.segmenter.frame_count == 10


def test_a_rotated_film_comes_upright(tmp_path):
    path = draw(tmp_path / "film.mp4")
    lying = capture_film(path).images[0]
    assert corner_is_dark(lying, right=False, bottom=False)
    done = capture_film(turn_clockwise(path))
    assert done.size == (48, 64)
    assert [number_of(image) for image in done.images] == list(range(10))
    assert corner_is_dark(done.images[5], right=True, bottom=False)
    assert not corner_is_dark(done.images[5], right=False, bottom=False)


def test_a_rotated_film_is_encoded_however_good_its_h264_is(tmp_path):
    good = draw(tmp_path / "film.mp4", options={"bf": "0", "g": "10"})
    assert capture_film(turn_clockwise(good)).size == (48, 64)


@pytest.mark.parametrize(
    ("drawn", "sent"),
    [
        ((66, 50), (66, 50)),
        ((1920, 1080), (1280, 720)),
        ((1080, 1920), (720, 1280)),
        ((1600, 1200), (960, 720)),
    ],
)
def test_the_size_is_even_bounded_and_keeps_its_ratio(tmp_path, drawn, sent):
    done = capture_film(draw(tmp_path / "film.mp4", frames=2, size=drawn))
    assert done.size == sent == (done.images[0].width, done.images[0].height)


def test_the_size_and_rate_asked_for_bound_what_is_sent(tmp_path):
    path = draw(tmp_path / "film.mp4", frames=25, rate=25, size=(640, 360))
    done = capture_film(path, "--size", "320x180", "--rate", "10")
    assert done.size == (320, 180)
    assert done.times_ms == [0, 120, 200, 320, 400, 520, 600, 720, 800, 920]


def test_an_odd_size_becomes_even(tmp_path):
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=10)
        video.width, video.height, video.pix_fmt = 65, 49, "yuv444p"
        container.mux(video.encode(av.VideoFrame(65, 49, "yuv444p")))
        container.mux(video.encode(None))
    assert capture_film(path).size == (64, 48)


def test_a_variable_frame_rate_keeps_its_times(tmp_path):
    times = [0, 100, 350, 400, 1400]
    done = capture_film(draw(tmp_path / "film.mkv", frames=5, times_ms=times))
    assert done.times_ms == times
    assert [fragment.at_ms for fragment in done.fragments] == [
        done.frames[0].at_ms,
        done.frames[4].at_ms,
    ]


def test_frames_without_times_come_at_the_films_rate(tmp_path):
    done = capture_film(draw(tmp_path / "film.h264", frames=10, rate=25))
    assert done.times_ms == [n * 40 for n in range(10)]


# Without a container nothing says how fast this film plays; 25 is FFmpeg's own assumption.
@pytest.mark.parametrize(("name", "rate"), [("film.mp4", 10), ("film.h264", 25)])
def test_a_film_sent_faster_than_it_plays_ends_now_and_not_in_the_future(tmp_path, name, rate):
    done = capture_film(draw(tmp_path / name, frames=100))
    assert done.frames[-1].at_ms <= time.time() * 1000
    assert done.times_ms[-1] == round(99 * 1000 / rate)


def test_a_film_at_its_own_pace_is_dated_by_the_wall_clock(tmp_path):
    begun = time.time()
    done = capture(config_of(draw(tmp_path / "film.mp4", frames=6), "--tag", "never"))
    ended = time.time()
    assert ended - begun >= 0.5
    assert begun * 1000 - 1 <= done.frames[0].at_ms
    assert done.frames[-1].at_ms <= ended * 1000


def test_a_film_that_was_cut_off_gives_what_there_is(tmp_path):
    path = draw(tmp_path / "film.mkv", frames=32)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    done = capture_film(path)
    assert 5 < done.segmenter.frame_count < 32
    assert [number_of(image) for image in done.images] == list(range(done.segmenter.frame_count))


def test_a_film_that_was_damaged_goes_on_behind_the_damage(tmp_path):
    path = draw(tmp_path / "film.mkv", frames=60, options={"g": "10", "bf": "0"})
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 200] = bytes(200)
    path.write_bytes(whole)
    assert number_of(capture_film(path).fragments[-1].images()[-1]) == 59 % 32


def test_packet_times_grow_but_for_b_frames_whatever_the_film_says():
    clock = PacketTimestamps(10.0)
    raw = [None, None, 5.0, 5.2, 5.1, 5.2, 4000.0, 4000.3, None, 3.0, 3.1]
    assert [round(clock.next_seconds(at), 3) for at in raw] == [
        *(0, 0.1, 5.0, 5.2, 5.1, 5.3, 5.4, 5.7, 5.8, 5.9, 6.0),
    ]


def test_the_times_of_decoded_frames_only_grow_whatever_their_packets_say(tmp_path):
    film = draw(tmp_path / "film.mkv", frames=9, options={"bf": "0"})
    with FilmSource(film) as source:
        decoder = PacketDecoder(source.decoder, 10.0)
        said = [0.0, 0.1, 0.5, 0.3, 0.3, 0.4, 0.6, 0.7, 0.8]
        samples = [
            CodedPacket(one.packet, at) for one, at in zip(source.samples(), said, strict=True)
        ]
        frames = [frame for sample in samples for frame in decoder.push(sample)]
        frames += decoder.flush()
    times = [round(frame.seconds, 3) for frame in frames]
    assert times == [0.0, 0.1, 0.5, 0.501, 0.502, 0.503, 0.6, 0.7, 0.8]


def write_still(path):
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as container:
        video = container.add_stream("mjpeg", rate=1)
        video.width, video.height, video.pix_fmt = 64, 48, "yuvj420p"
        container.mux(video.encode(av.VideoFrame(64, 48, "yuvj420p")))
        container.mux(video.encode(None))


def test_what_is_no_film_is_refused_with_its_name_and_advice(tmp_path):
    (tmp_path / "words.txt").write_text("Dear diary, nobody came.\n" * 50)
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    draw_sound(tmp_path / "song.wav")
    write_still(tmp_path / "still.jpg")
    for name, what in {
        "words.txt": "no video",
        "noise.mp4": "no video",
        "empty.mp4": "no video",
        "song.wav": "no video",
        "still.jpg": "no video",
        "folder.mp4": "is no file",
        "absent.mp4": "There is no file",
    }.items():
        with pytest.raises(SourceError) as refused:
            FilmSource(tmp_path / name)
        text = str(refused.value)
        assert name in text, name
        assert what in text, name
        assert "Give a film" in text or "Check the path" in text, name
