"""The edge against the laptop's Kinesis Video Streams: every captured frame is stored."""

import io
import json
import subprocess
import sys
import threading
from datetime import datetime
from itertools import count, pairwise
from pathlib import Path

import av
import pytest

import edge.run
from edge.config import parse
from edge.errors import RefusedError
from edge.monitor.event_log import EventLog
from edge.upload.stream import VideoStream
from local.tests.support.media.films import draw, number_of
from tests.support.edge.run import archive, fragments_in

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 60


@pytest.fixture
def film(tmp_path):
    return draw(tmp_path / "film.mp4", frames=26, size=(320, 240))


def run_edge(laptop, *arguments):
    command = [sys.executable, "-m", "edge", "--camera", "front-door", *arguments]
    return subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=laptop.environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )


def frames_in(laptop, stream, fragments):
    """Decode what is stored and return the number of each frame."""
    media = archive(laptop, stream, "GET_MEDIA_FOR_FRAGMENT_LIST")
    numbers = []
    for fragment in fragments:
        reply = media.get_media_for_fragment_list(
            StreamName=stream, Fragments=[fragment["FragmentNumber"]]
        )
        with av.open(io.BytesIO(reply["Payload"].read()), format="matroska") as stored:
            numbers.append([number_of(image) for image in stored.decode(video=0)])
    return numbers


def test_every_frame_of_the_film_arrives_in_its_fragment_at_its_time(laptop, stream, film):
    ran = run_edge(laptop, "--source", film, "--stream", stream, "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    started, ended = [json.loads(line) for line in ran.stdout.splitlines()]
    fragments = fragments_in(laptop, stream)
    numbers = [list(range(0, 10)), list(range(10, 20)), list(range(20, 26))]
    assert frames_in(laptop, stream, fragments) == numbers
    assert (ended["frames"], ended["fragments"], ended["persisted"]) == (26, 3, 3)
    first = datetime.fromisoformat(started["first_capture"])
    assert fragments[0]["ProducerTimestamp"] == first
    steps = [b["ProducerTimestamp"] - a["ProducerTimestamp"] for a, b in pairwise(fragments)]
    assert [step.total_seconds() for step in steps] == [1.0, 1.0]
    for fragment in fragments:
        delay = fragment["ServerTimestamp"] - fragment["ProducerTimestamp"]
        assert -0.1 < delay.total_seconds() < 5


class CutStream(VideoStream):
    """A video stream whose first connection breaks within a frame."""

    connections = 0
    pieces_before_cut = 15

    def connect(self, on_ack, on_change):
        connection = super().connect(on_ack, on_change)
        type(self).connections += 1
        if self.connections == 1:
            self._cut_later(connection)
        return connection

    def _cut_later(self, connection):
        send, pieces = connection.send, count(1)

        def send_some(data):
            if next(pieces) == self.pieces_before_cut:
                connection._socket.send(b"%x\r\n%b" % (len(data), data[: len(data) // 2]))
                connection._socket.shut_down()
            send(data)

        connection.send = send_some


def test_a_connection_cut_in_the_middle_is_made_good(laptop, stream, film, monkeypatch):
    for name, value in laptop.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("edge.run.VideoStream", CutStream)
    config = parse(["--camera", "front-door", "--source", str(film), "--stream", stream])
    out, err = io.StringIO(), io.StringIO()
    is_whole = edge.run.run(config, EventLog(config, out, err), threading.Event())
    assert is_whole, err.getvalue()
    assert CutStream.connections == 2
    assert "Reconnecting" in err.getvalue()
    arrived = frames_in(laptop, stream, fragments_in(laptop, stream))
    assert sorted({number for fragment in arrived for number in fragment}) == list(range(26))
    # The first fragment was acknowledged before the cut, so it came once.
    assert arrived.count(list(range(10))) == 1


def test_what_the_service_refuses_is_an_error_that_says_what_to_do(
    laptop, stream, film, tmp_path, monkeypatch
):
    for name, value in laptop.environment().items():
        monkeypatch.setenv(name, value)
    given = ["--camera", "front-door", "--source", str(film), "--buffer-folder", str(tmp_path)]

    def refused(*options):
        config = parse([*given, *options])
        with pytest.raises(RefusedError) as error:
            edge.run.run(config, EventLog(config, io.StringIO(), io.StringIO()), threading.Event())
        return str(error.value)

    nowhere = refused("--stack", "elsewhere")
    assert "elsewhere-front-door" in nowhere
    assert "There is no such stream here" in nowhere
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert "Check the credentials" in refused("--stream", stream)
