"""V4L2 devices: their modes, and the one that is chosen.

The answers have the layout of linux/videodev2.h, because no device is here to give them.
"""

import errno
import struct
import threading

import pytest

from edge.capture.pipeline import CapturePipeline
from edge.errors import SourceError, SourceLostError
from edge.sources import barcode, v4l2
from edge.sources.v4l2 import best_mode, open_v4l2
from edge.sources.v4l2_ioctl import (
    ENUM_FMT,
    ENUM_FRAMEINTERVALS,
    ENUM_FRAMESIZES,
    QUERYCAP,
    Mode,
    query_device,
)
from local.tests.support.media.films import draw
from tests.support.edge.capture import RecordingLog, RecordingSink, config_of

CAPTURE, META, M2M, HAS_DEVICE_CAPS = 0x04200001, 0x04A00000, 0x04204000, 0x80000000
WEBCAM = {
    "YUYV": {(640, 480): [30, 10], (1280, 720): [10, 5], (1920, 1080): [5]},
    "MJPG": {(640, 480): [30], (1280, 720): [30, 15], (1920, 1080): [30]},
}


class Answers:
    """A fake ioctl that answers as a driver does."""

    def __init__(self, driver, card, caps, formats, ranged):
        self.driver, self.card, self.caps = driver, card, caps
        self.formats, self.ranged = formats, ranged

    def __call__(self, _handle, request, answer):
        {
            QUERYCAP: self.capability,
            ENUM_FMT: self.format,
            ENUM_FRAMESIZES: self.size,
            ENUM_FRAMEINTERVALS: self.interval,
        }[request](answer)
        return 0

    def capability(self, answer):
        names = (self.driver.encode(), self.card.encode(), b"usb-1")
        everything = self.caps | HAS_DEVICE_CAPS | META
        struct.pack_into("=16s32s32sIII", answer, 0, *names, 0x060C00, everything, self.caps)

    def format(self, answer):
        assert struct.unpack_from("=I", answer, 4) == (1,)
        name = entry(self.formats, answer)
        struct.pack_into("=I32s4s", answer, 8, 0, b"described", name.encode())

    def size(self, answer):
        if self.ranged:
            entry([None], answer)
            struct.pack_into("=I6I", answer, 8, 3, 32, 1920, 2, 32, 1080, 2)
        else:
            size = entry(self.formats[bytes(answer[4:8]).decode()], answer)
            struct.pack_into("=III", answer, 8, 1, *size)

    def interval(self, answer):
        if self.ranged:
            raise OSError(errno.ENOTTY, "not known")
        code, width, height = struct.unpack_from("=4sII", answer, 4)
        rate = entry(self.formats[code.decode()][width, height], answer)
        struct.pack_into("=III", answer, 16, 1, 1, rate)


def entry(items, answer):
    """Return the entry with the requested number."""
    items, (number,) = list(items), struct.unpack_from("=I", answer)
    if number >= len(items):
        raise OSError(errno.EINVAL, "no more")
    return items[number]


def device(driver="uvcvideo", card="HD Webcam", caps=CAPTURE, formats=WEBCAM, ranged=False):
    return Answers(driver, card, caps, formats, ranged)


def test_a_webcam_says_what_it_is_and_all_that_it_gives():
    found = query_device(0, device())
    assert (found.driver, found.card, found.is_camera) == ("uvcvideo", "HD Webcam", True)
    assert len(found.modes) == 9
    assert Mode("MJPG", 1280, 720, 15.0) in found.modes


def test_a_driver_with_any_size_within_bounds_is_asked_for_usual_ones():
    found = query_device(0, device("vivid", "any", formats={"YUYV": {}}, ranged=True))
    assert found.modes == [
        Mode("YUYV", *size, 30.0) for size in ((640, 480), (1280, 720), (1920, 1080))
    ]


@pytest.mark.parametrize(
    ("formats", "size", "rate", "chosen"),
    [
        # Uncompressed does at ten frames a second: nothing has to be decoded.
        (WEBCAM, (1280, 720), 10, Mode("YUYV", 1280, 720, 10)),
        (WEBCAM, (1280, 720), 15, Mode("MJPG", 1280, 720, 15)),
        (WEBCAM, (1920, 1080), 10, Mode("MJPG", 1920, 1080, 30)),
        # What the camera gives below what was asked for; never more.
        (WEBCAM, (1000, 700), 10, Mode("YUYV", 640, 480, 10)),
        ({"YUYV": {(320, 240): [30]}}, (1280, 720), 10, Mode("YUYV", 320, 240, 30)),
        # Only too large: the smallest of it.
        ({"MJPG": {(1920, 1080): [30], (3840, 2160): [30]}}, (1280, 720), 10,
         Mode("MJPG", 1920, 1080, 30)),
        # Ready-made H.264 is handed on.
        (WEBCAM | {"H264": {(1280, 720): [30]}}, (1280, 720), 10, Mode("H264", 1280, 720, 30)),
        # Too slow everywhere: what is fastest at the largest size.
        ({"YUYV": {(1280, 720): [5, 2]}}, (1280, 720), 10, Mode("YUYV", 1280, 720, 5)),
        ({"BG10": {(1280, 720): [30]}}, (1280, 720), 10, None),
    ],
)  # fmt: skip
def test_the_mode_that_fits_best_is_taken(formats, size, rate, chosen):
    modes = query_device(0, device(formats=formats)).modes
    assert best_mode(modes, size, rate) == chosen


def opened(path, **more):
    return open_v4l2(str(path), config_of("test"), threading.Event(), ioctl=device(**more))


@pytest.mark.parametrize("driver", ["unicam", "rp1-cfe", "bcm2835-isp", "pispbe"])
def test_the_camera_module_names_its_own_source(tmp_path, driver):
    (tmp_path / "video0").touch()
    with pytest.raises(SourceError, match="Use --source picamera"):
        opened(tmp_path / "video0", driver=driver, card="unicam")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"caps": M2M, "driver": "bcm2835-codec", "card": "encoder"}, r"\(encoder\) is no camera"),
        ({"formats": {"BG10": {(640, 480): [30]}}}, "gives BG10; MJPEG, YUYV or H.264 is needed"),
    ],
)
def test_what_is_no_camera_is_told_with_its_name(tmp_path, more, words):
    (tmp_path / "video0").touch()
    with pytest.raises(SourceError, match=words):
        opened(tmp_path / "video0", **more)


def test_a_file_is_no_device_and_a_device_that_is_gone_may_come_back(tmp_path):
    (tmp_path / "video0").touch()
    with pytest.raises(SourceError, match="video0 is no camera"):
        open_v4l2(str(tmp_path / "video0"), config_of("test"), threading.Event())
    with pytest.raises(SourceLostError, match="There is no /dev/video99. Is it plugged in?"):
        open_v4l2("/dev/video99", config_of("test"), threading.Event())


def test_mjpeg_is_decoded_encoded_and_dated_as_it_comes(tmp_path, monkeypatch):
    """FFmpeg's own reader of devices is replaced: it reads the same MJPEG from a file."""
    path = draw(
        tmp_path / "video0.mjpeg",
        frames=20,
        codec="mjpeg",
        size=(320, 192),
        options={"strict": "-1"},
    )
    monkeypatch.setattr(v4l2, "INPUT_FORMAT", "mjpeg")
    kept, said = RecordingSink(), RecordingLog()
    config = config_of("test", "--tag", "never", "--rate", "30")
    with opened(path, formats={"MJPG": {(320, 192): [10]}}) as source:
        assert source.name.endswith("(HD Webcam)")
        with pytest.raises(SourceLostError, match="has ended"):
            CapturePipeline(config, source, kept, said, threading.Event()).run()
    images = [image for fragment in kept.fragments for image in fragment.images()]
    assert len(images) == 20
    assert barcode.read_number(images[0]) is None
    assert kept.fragments[0].frames[0].is_key
