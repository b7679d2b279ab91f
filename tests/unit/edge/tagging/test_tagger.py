"""Which fragments are tagged: those with motion, or only those with a face."""

import errno
import functools
import stat
import sys
import threading
import types
from pathlib import Path

import av
import numpy as np
import pytest

from edge.capture.pipeline import CapturePipeline
from edge.errors import SourceError
from edge.media.timeline import MS, FilmTimeline
from edge.sources.samples import CodedPacket, DecodedFrame
from edge.sources.source import Source
from edge.tagging import tagger
from edge.tagging.faces import FaceDetector
from edge.tagging.tagger import Tagger
from tests.support.edge.capture import RecordingLog, RecordingSink, capture, config_of
from tests.support.edge.scenes import Scene
from whosthere.geometry import Box
from whosthere.ingest.camera_faces import camera_faces

RATE = 5
STILL_S, WALK_S, AFTER_S = 5, 3, 9
FILM = Path(__file__).parents[4] / "demo" / "film.mp4"
# Seconds of the demo film in which somebody faces the camera, or nobody is there.
FACES = dict.fromkeys((3.0, 12.0, 24.0, 32.0, 37.0), True) | dict.fromkeys((0.0, 9.0, 29.0), False)


class Pictures(Source):
    """A source of frames, or of their H.264, with a key frame each second."""

    name, is_live, rate = "pictures", False, RATE

    def __init__(self, pictures, *, can_pass_through=False):
        self.pictures, self.can_pass_through = pictures, can_pass_through
        self.timeline = FilmTimeline(is_unpaced=True)
        self.decoder = av.CodecContext.create("h264", "r")

    def samples(self):
        images = (image_of(picture) for picture in self.pictures)
        if not self.can_pass_through:
            yield from (DecodedFrame(image, number / RATE) for number, image in enumerate(images))
            return
        codec = av.CodecContext.create("libx264", "w")
        codec.width, codec.height, codec.pix_fmt = 256, 144, "yuv420p"
        codec.time_base, codec.framerate, codec.gop_size = MS, RATE, RATE
        codec.options = {"tune": "zerolatency", "preset": "superfast"}
        for number, image in enumerate(images):
            image.pts, image.time_base = number * 1000 // RATE, MS
            for packet in codec.encode(image):
                yield CodedPacket(packet, packet.pts / 1000)

    def close(self):
        pass


def image_of(picture):
    large = np.kron(picture, np.ones((2, 2), np.uint8))
    return av.VideoFrame.from_ndarray(large, format="gray8").reformat(format="yuv420p")


@functools.cache
def a_walk():
    """Return a scene: nobody for 5 s, somebody for 3 s, nobody for 9 s."""
    scene = Scene()
    walk = [scene.picture(person=10 + 7 * n, height=30) for n in range(WALK_S * RATE)]
    before = [scene.picture() for _ in range(STILL_S * RATE)]
    return before + walk + [scene.picture() for _ in range(AFTER_S * RATE)]


def tagged(captured):
    return [number for number, fragment in enumerate(captured.fragments) if fragment.is_tagged]


@functools.cache
def a_standstill():
    """Nobody for 2 s."""
    scene = Scene()
    return [scene.picture() for _ in range(2 * RATE)]


def run(*options, can_pass_through=False):
    config = config_of("test", "--rate", str(RATE), *options)
    return capture(config, Pictures(a_walk(), can_pass_through=can_pass_through))


@pytest.mark.parametrize("can_pass_through", [False, True])
def test_fragments_are_marked_from_where_motion_begins_to_some_seconds_after(can_pass_through):
    done = run(can_pass_through=can_pass_through)
    assert len(done.fragments) == STILL_S + WALK_S + AFTER_S
    marked = tagged(done)
    assert set(range(STILL_S, STILL_S + WALK_S + 4)) <= set(marked)
    # Passed on, motion in a key frame marks the fragment that it ends, too.
    assert STILL_S - 1 <= marked[0] <= STILL_S
    assert marked[-1] <= STILL_S + WALK_S + 6
    assert all(fragment.is_wanted for fragment in done.fragments)


def test_only_tagged_wants_nothing_else():
    done = run("--only-tagged")
    assert [fragment.is_wanted for fragment in done.fragments] == [
        fragment.is_tagged for fragment in done.fragments
    ]
    assert 0 < len(tagged(done)) < len(done.fragments)


@pytest.mark.parametrize(("tag", "is_marked"), [("always", True), ("never", False)])
def test_always_and_never_look_at_nothing(tag, is_marked):
    done = capture(config_of("test", "--rate", str(RATE), "--tag", tag), Pictures(a_standstill()))
    assert {fragment.is_tagged for fragment in done.fragments} == {is_marked}


class DarkPatch:
    """A fake face detector: a face is a patch as dark as the person, at the left."""

    looks = 0

    def detect(self, image):
        type(self).looks += 1
        luma = image.reformat(format="gray8").to_ndarray()
        return [(0, 0, 1, 1)] if (luma[90:130, :70] < 40).mean() > 0.02 else []


@pytest.mark.parametrize("can_pass_through", [False, True])
def test_a_face_marks_its_own_fragment_and_no_other(monkeypatch, can_pass_through):
    monkeypatch.setattr(tagger, "FaceDetector", DarkPatch)
    DarkPatch.looks = 0
    done = run("--tag", "face", can_pass_through=can_pass_through)
    assert tagged(done) == [STILL_S]
    # Looked for only while something moves and a little after.
    assert DarkPatch.looks <= 2.5 * (WALK_S + 6)


@pytest.mark.parametrize("can_pass_through", [False, True])
def test_the_tag_says_where_the_faces_are_when_images_are_made(monkeypatch, can_pass_through):
    monkeypatch.setattr(tagger, "FaceDetector", Everywhere)
    done = run("--tag", "face", can_pass_through=can_pass_through)
    marked = [fragment for fragment in done.fragments if fragment.is_tagged]
    assert len(marked) > 3
    for fragment in marked[1:-1]:  # they are marked for a part of the first and the last
        for at_ms in (fragment.at_ms, fragment.frames[-1].at_ms):
            assert camera_faces(fragment.tags, at_ms) == (Box(0.001, 0.002, 0.5, 0.25),)


def test_motion_and_always_say_nothing_of_faces():
    for tag in ("motion", "always"):
        assert {str(f.tags) for f in run("--tag", tag).fragments if f.is_tagged} == {"{}"}


class Everywhere:
    """A fake face detector that finds a face in each picture."""

    def detect(self, image):
        return [(1, 2, 500, 250)]


@pytest.mark.parametrize("can_pass_through", [False, True])
def test_a_face_that_stays_marks_every_fragment_while_something_moves(
    monkeypatch, can_pass_through
):
    monkeypatch.setattr(tagger, "FaceDetector", Everywhere)
    marked = tagged(run("--tag", "face", can_pass_through=can_pass_through))
    assert marked == list(range(marked[0], marked[-1] + 1))
    assert set(range(STILL_S, STILL_S + WALK_S)) <= set(marked)


def test_without_opencv_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(SourceError, match="opencv-python-headless>=4.13,<5"):
        CapturePipeline(
            config_of("test", "--tag", "face"),
            Pictures([]),
            RecordingSink(),
            RecordingLog(),
            threading.Event(),
        )


def test_an_opencv_that_brings_no_cascade_is_told_by_its_version(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", types.SimpleNamespace(__version__="5.0.0"))
    with pytest.raises(SourceError, match=r"here is OpenCV 5\.0\.0"):
        FaceDetector()


def test_the_check_finds_the_films_people_and_nobody_on_an_empty_doorstep():
    check, found = FaceDetector(), {}
    with av.open(str(FILM)) as film:
        for image in film.decode(video=0):
            if image.time in FACES:
                found[image.time] = bool(check.detect(image))
    assert found == FACES


def test_explain_writes_a_few_annotated_pictures_for_this_user_only(tmp_path):
    folder = tmp_path / "explain"
    folder.mkdir(mode=0o755)
    for number in range(150):
        (folder / f"20260101T000000.{number:03}Z-still-0.00-percent.jpg").touch()
    for number in range(150):
        (folder / f"IMG_{number}.jpg").touch()
    run("--explain", str(folder))
    assert len(list(folder.glob("2*.jpg"))) == 100, "the last hundred are kept"
    assert len(list(folder.glob("IMG*.jpg"))) == 150, "what is the owner's own stays"
    pictures = [path for path in sorted(folder.glob("*.jpg")) if path.stat().st_size]
    assert 2 <= len(pictures) <= 5
    assert any("-motion-" in path.name for path in pictures)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755, "a folder that was there is as it was"
    assert {stat.S_IMODE(path.stat().st_mode) for path in pictures} == {0o600}
    with av.open(str(next(p for p in pictures if "-motion-" in p.name))) as container:
        luma = next(container.decode(video=0)).reformat(format="gray8").to_ndarray()
    assert luma.shape == (360, 640)
    assert (luma > 225).any(axis=0).sum() > 4, "no frame around what moved"


def test_a_folder_that_cannot_be_written_to_is_said_and_one_that_is_made_is_this_users(tmp_path):
    config = config_of("test", "--explain", str(tmp_path / "new" / "explain"))
    Tagger(config)
    assert stat.S_IMODE((tmp_path / "new" / "explain").stat().st_mode) == 0o700
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="--explain .* cannot be written to"):
        Tagger(config_of("test", "--explain", str(tmp_path / "file")))


def test_a_disk_that_takes_no_explaining_picture_does_not_end_the_video(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert run("--explain", str(tmp_path)).fragments
