"""Films of all kinds, as the edge reads them."""

import av
import pytest

from edge.errors import SourceError
from edge.film import Film, FilmClock
from tests.unit.edge_films import draw, draw_sound, number_of, turn_clockwise


def frames_of(path):
    with Film(path) as film:
        return (film.width, film.height), list(film.frames())


def corner_is_dark(image, right, bottom):
    plane = image.planes[0]
    x, y = (image.width - 8 if right else 7), (image.height - 8 if bottom else 7)
    return bytes(plane)[y * plane.line_size + x] < 24


def test_every_frame_comes_in_order_and_at_its_time(tmp_path):
    size, frames = frames_of(draw(tmp_path / "film.mp4", frames=12))
    assert size == (64, 48)
    assert [number_of(frame.image) for frame in frames] == list(range(12))
    assert [frame.seconds for frame in frames] == pytest.approx([n / 10 for n in range(12)])


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
    _, frames = frames_of(draw(tmp_path / name, codec=codec))
    assert [number_of(frame.image) for frame in frames] == list(range(10))
    assert {frame.image.format.name for frame in frames} == {"yuv420p"}


def test_sound_is_left_out(tmp_path):
    _, frames = frames_of(draw(tmp_path / "film.mp4", is_with_sound=True))
    assert len(frames) == 10


def test_a_rotated_film_comes_upright(tmp_path):
    path = draw(tmp_path / "film.mp4")
    _, (lying, *_) = frames_of(path)
    assert corner_is_dark(lying.image, right=False, bottom=False)
    size, frames = frames_of(turn_clockwise(path))
    assert size == (48, 64)
    assert len(frames) == 10
    assert [number_of(frame.image) for frame in frames] == list(range(10))
    assert corner_is_dark(frames[5].image, right=True, bottom=False)
    assert not corner_is_dark(frames[5].image, right=False, bottom=False)


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
    size, frames = frames_of(draw(tmp_path / "film.mp4", frames=1, size=drawn))
    assert size == sent == (frames[0].image.width, frames[0].image.height)


def test_an_odd_size_becomes_even(tmp_path):
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=10)
        video.width, video.height, video.pix_fmt = 65, 49, "yuv444p"
        container.mux(video.encode(av.VideoFrame(65, 49, "yuv444p")))
        container.mux(video.encode(None))
    size, _ = frames_of(path)
    assert size == (64, 48)


def test_a_variable_frame_rate_keeps_its_times(tmp_path):
    times = [0, 100, 350, 400, 1400]
    _, frames = frames_of(draw(tmp_path / "film.mkv", frames=5, times_ms=times))
    assert [round(frame.seconds * 1000) for frame in frames] == times


def test_frames_without_times_come_at_the_films_rate(tmp_path):
    _, frames = frames_of(draw(tmp_path / "film.h264", frames=10, rate=25))
    assert len(frames) == 10
    steps = {round(b.seconds - a.seconds, 3) for a, b in zip(frames, frames[1:], strict=False)}
    assert steps == {0.04}


def test_a_fast_film_is_thinned_to_thirty_frames_a_second(tmp_path):
    _, frames = frames_of(draw(tmp_path / "film.mp4", frames=24, rate=120))
    assert [number_of(frame.image) for frame in frames] == [0, 4, 8, 12, 16, 20]


def test_a_film_that_was_cut_off_gives_what_there_is(tmp_path):
    path = draw(tmp_path / "film.mkv", frames=32)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    _, frames = frames_of(path)
    assert 5 < len(frames) < 32


def test_times_only_grow_whatever_the_film_says():
    clock = FilmClock(10.0)
    raw = [None, None, 5.0, 5.2, 5.1, 5.2, 4000.0, 4000.3, None]
    assert [round(clock.seconds(at), 3) for at in raw] == [
        *(0, 0.1, 5.0, 5.2, 5.3, 5.4, 5.5, 5.8, 5.9),
    ]


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
            Film(tmp_path / name)
        text = str(refused.value)
        assert name in text, name
        assert what in text, name
        assert "Give a film" in text or "Check the path" in text, name
