"""A network camera over RTSP: passed through, named without its password, and lost."""

import threading
import time
from itertools import pairwise

import pytest

from edge.capture.pipeline import CapturePipeline
from edge.config import Config
from edge.errors import SourceError, SourceLostError
from edge.sources import barcode, open_source
from edge.sources.rtsp import open_rtsp
from tests.support.edge.capture import RecordingLog, RecordingSink, config_of
from tests.support.edge.h264 import good, sent_units, stream, units_of
from tests.support.edge.rtsp import Camera

PASSWORD = "s3cr3t-w0rd"
USER = ("door", PASSWORD)


def captured(source, *, fragments, stop=None, config=None, meanwhile=lambda: None):
    """Capture until there are so many fragments, or the source is lost."""
    stop, said = stop or threading.Event(), RecordingLog()
    is_reordered = config is not None and config.passthrough == "always"

    class Counted(RecordingSink):
        def end(self, tags, **how):
            super().end(tags, **how)
            if len(self.fragments) == fragments:
                meanwhile()
                stop.set()

    kept = Counted(is_reordered=is_reordered)
    with source:
        config = config or config_of("test", "--tag", "never", "--rate", "30")
        CapturePipeline(config, source, kept, said, stop).run()
    return kept, said


@pytest.fixture(scope="module")
def packets():
    return good(20)


def test_a_camera_is_passed_on_over_tcp_with_its_own_times(packets):
    with Camera(packets, rate=20) as camera:
        begun = time.time()
        kept, said = captured(open_rtsp(camera.url(), "it", threading.Event()), fragments=3)
        ended = time.time()
    assert said.lines == []
    assert all("TCP" in transport for transport in camera.transports)
    frames = [frame for fragment in kept.fragments for frame in fragment.frames]
    sent = units_of(packets)
    assert all(units in sent for units in sent_units(frames))
    steps = [b.at_ms - a.at_ms for a, b in pairwise(frames)]
    # The camera's own steps, whatever the network made of them; a twentieth is the clocks'.
    own = [step for step in steps if abs(step - 50) <= 4]
    assert len(own) >= 0.9 * len(steps), steps
    assert begun - 1 <= frames[0].at_ms / 1000 <= frames[-1].at_ms / 1000 <= ended + 1


def test_a_camera_sends_by_udp_if_asked_to(packets):
    with Camera(packets, rate=20) as camera:
        config = config_of(
            camera.url(), "--rtsp-transport", "udp", "--tag", "never", "--rate", "30"
        )
        stop = threading.Event()
        kept, said = captured(open_source(config, stop), fragments=2, stop=stop, config=config)
    assert said.lines == []
    assert all("TCP" not in transport for transport in camera.transports)
    sent = units_of(packets)
    frames = [frame for fragment in kept.fragments for frame in fragment.frames]
    assert all(units in sent for units in sent_units(frames))


def test_a_camera_that_asks_for_a_password_gets_it(packets):
    with Camera(packets, rate=20, password=USER) as camera:
        kept, _ = captured(
            open_rtsp(camera.url(":".join(USER)), "it", threading.Event()), fragments=1
        )
    assert kept.fragments


@pytest.mark.parametrize(
    ("user", "path", "words"),
    [
        (f"door:{PASSWORD}-not", None, "refuses the user name or password"),
        (":".join(USER), "/elsewhere", "has no such stream"),
    ],
)
def test_what_can_never_work_is_said_without_the_password(packets, user, path, words):
    with Camera(packets, password=USER) as camera:
        config = config_of(camera.url(path=path))
        shown = config.shown_source
        with pytest.raises(SourceError) as refused:
            open_rtsp(camera.url(user, path), shown, threading.Event())
    assert words in str(refused.value)
    assert str(camera.port) in str(refused.value)
    assert PASSWORD not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_camera_that_is_not_there_may_come_back(closed_port):
    url = f"rtsp://door:{PASSWORD}@127.0.0.1:{closed_port}/live"
    with pytest.raises(SourceLostError, match="does not play: Connection refused") as lost:
        open_rtsp(url, "rtsp://camera", threading.Event())
    assert PASSWORD not in str(lost.value)


def test_a_camera_that_falls_silent_is_noticed(packets):
    with Camera(packets, rate=20) as camera:
        source = open_rtsp(camera.url(), "rtsp://camera", threading.Event(), stall_s=2)
        with pytest.raises(SourceLostError, match="rtsp://camera"):
            captured(source, fragments=99, meanwhile=None, stop=SilenceAfter(camera, 2))


class SilenceAfter(threading.Event):
    """A stop event that is never set, but silences the camera after a while."""

    def __init__(self, camera, seconds):
        super().__init__()
        threading.Timer(seconds, camera.silence.set).start()


def test_a_camera_that_hangs_up_is_noticed_at_once(packets):
    with Camera(packets, rate=20) as camera:
        source = open_rtsp(camera.url(), "rtsp://camera", threading.Event())
        threading.Timer(1, camera.hang_up).start()
        begun = time.monotonic()
        with pytest.raises(SourceLostError, match="rtsp://camera"):
            captured(source, fragments=99)
        assert time.monotonic() - begun < 8


def test_told_to_stop_while_the_camera_is_silent_it_ends_at_once(packets):
    stop = threading.Event()
    with Camera(packets, rate=20) as camera:
        source = open_rtsp(camera.url(), "it", stop)
        camera.silence.set()
        threading.Timer(0.5, stop.set).start()
        begun = time.monotonic()
        captured(source, fragments=99, stop=stop)
        assert time.monotonic() - begun < 5


def test_a_camera_with_b_frames_is_encoded():
    with Camera(stream(20, bf=2), rate=20) as camera:
        kept, said = captured(open_rtsp(camera.url(), "it", threading.Event()), fragments=2)
    assert said.lines == ["The source is encoded again, because it has B-frames."]
    numbers = [barcode.read_number(image) for f in kept.fragments for image in f.images()]
    assert None not in numbers


@pytest.mark.parametrize("passthrough", ["auto", "always"])
def test_a_camera_with_b_frames_is_stored_whole_for_as_long_as_it_sends(passthrough):
    with Camera(stream(40, bf=3, b_adapt=0, rate=20, group=20), rate=20) as camera:
        config = config_of(
            camera.url(), "--passthrough", passthrough, "--tag", "never", "--rate", "30"
        )
        stop = threading.Event()
        source, stopped = open_source(config, stop), []
        note = lambda: stopped.append(time.time() * 1000)  # noqa: E731
        kept, _ = captured(source, fragments=6, stop=stop, config=config, meanwhile=note)
    numbers = [barcode.read_number(image) for f in kept.fragments for image in f.images()]
    steps = {(b - a) % 40 for a, b in pairwise(numbers)}
    assert steps == {1}, "a frame is missing or repeated"
    times = sorted(frame.at_ms for fragment in kept.fragments for frame in fragment.frames)
    assert all(abs(b - a - 50) <= 25 for a, b in pairwise(times))
    assert stopped[0] - 1500 <= times[-1] <= time.time() * 1000 + 1


def test_the_url_is_opened_and_its_password_kept_out_of_the_name(packets):
    with Camera(packets, rate=20, password=USER) as camera:
        typed = config_of("test")
        config = Config(
            **{name: getattr(typed, name) for name in Config.__slots__}
            | {"source": camera.url(":".join(USER))}
        )
        with open_source(config, threading.Event()) as source:
            assert source.can_pass_through
            assert PASSWORD not in source.name


def test_another_kind_of_url_is_no_missing_file():
    with pytest.raises(
        SourceError, match="http://camera.lan/video cannot be read: .* rtsp://"
    ) as no:
        open_source(config_of("http://camera.lan/video?token=x"), threading.Event())
    assert "token" not in str(no.value)
