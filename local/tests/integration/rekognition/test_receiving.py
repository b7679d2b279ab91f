"""Live media through broken connections: nothing lost, nothing twice."""

import queue
import re
import threading
import uuid

import pytest

from local.rekognition.processors import receiving
from local.rekognition.processors.media import MediaSource, read_live
from local.security.signing import Credentials
from local.tests.support.kinesisvideo.client import Film, Producer
from local.tests.support.media import mkv

SECONDS = 20
NOBODY = "9" * 47  # a fragment that never was


class Line:
    """The connection to the real service, with a hand on the wire."""

    def __init__(self, laptop, stream_arn, cut_after):
        facts = laptop.facts
        self.keys = Credentials(facts["access_key_id"], facts["secret_access_key"])
        source = MediaSource(facts["endpoint"], facts["region"], stream_arn)
        self.cut_after, self.asked = cut_after, []
        self.accepted = threading.Semaphore(0)
        self.may_connect = threading.Semaphore(1)
        self.receiver = receiving.MediaReceiver(source, self.connect)

    def connect(self):
        self.may_connect.acquire()
        return self.keys

    def live(self, source, keys, *, after=None):
        """As the service answers it; the first connection breaks after some fragments."""
        self.asked.append(after)
        fragments = 0
        for piece in read_live(source, keys, after=self.spoilt(after)):
            yield piece
            fragments += len(re.findall(b"CONTINUATION_TOKEN", piece))
            if len(self.asked) == 1 and fragments >= self.cut_after:
                raise ConnectionResetError

    def spoilt(self, after):
        return after

    def number(self):
        """The number of the next fragment; queue.Empty if none comes."""
        came = queue.Queue()
        threading.Thread(target=lambda: came.put(self.receiver.next()), daemon=True).start()
        arrived = came.get(timeout=SECONDS)
        assert not isinstance(arrived, str), arrived
        return arrived.fragment.number


class ForgetfulLine(Line):
    """The service does not have the fragment any more that the reader names."""

    def spoilt(self, after):
        return NOBODY if after else None


class Sender:
    """Sends one fragment after the other and learns its number."""

    def __init__(self, laptop, name, film):
        self._film, self._at = film, 1_800_000_000_000
        self._producer = Producer(laptop, name).send(film.header)

    def send(self):
        self._at += 1000
        self._producer.send(self._film.fragment(self._at), mkv.end())
        return self._producer.until("PERSISTED")["FragmentNumber"]

    def close(self):
        self._producer.leave()


@pytest.fixture
def line_to(laptop, tmp_path, monkeypatch):
    """A line of a kind to a stream of its own, and who sends into it."""
    senders = []

    def make(kind):
        name = f"line-{uuid.uuid4().hex[:8]}"
        control = laptop.client("kinesisvideo")
        made = control.create_stream(StreamName=name, DataRetentionInHours=1)
        line = kind(laptop, made["StreamARN"], cut_after=2)
        monkeypatch.setattr(receiving, "read_live", line.live)
        line.receiver.start(line.accepted.release)
        assert line.accepted.acquire(timeout=SECONDS)
        senders.append(Sender(laptop, name, Film(tmp_path)))
        return line, senders[0]

    yield make
    for sender in senders:
        sender.close()


def test_what_comes_while_the_connection_is_broken_is_read_after_it(line_to):
    line, sender = line_to(Line)
    sent = [sender.send() for _ in range(5)]  # the connection is cut after two
    line.may_connect.release()
    assert [line.number() for _ in sent] == sent
    assert line.asked == [None, sent[1]]
    sent.append(sender.send())
    assert line.number() == sent[-1]


def test_after_a_fragment_that_is_gone_the_film_goes_on_live(line_to):
    line, sender = line_to(ForgetfulLine)
    sent = [sender.send() for _ in range(2)]
    assert [line.number() for _ in sent] == sent
    for _ in range(2):  # the first asks for what is gone
        line.may_connect.release()
        assert line.accepted.acquire(timeout=SECONDS)
    sent.append(sender.send())
    assert line.number() == sent[-1]
    assert line.asked == [None, sent[1], None]


def test_after_a_long_break_only_what_is_live_counts(line_to, monkeypatch):
    monkeypatch.setattr(receiving, "RESUME_SECONDS", 0.0)
    line, sender = line_to(Line)
    sent = [sender.send() for _ in range(4)]
    assert [line.number() for _ in range(2)] == sent[:2]
    line.may_connect.release()
    assert line.accepted.acquire(timeout=SECONDS)
    sent.append(sender.send())
    assert line.number() == sent[-1]
    assert line.asked == [None, None]
