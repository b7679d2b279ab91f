"""What GetMedia says when it can't go on, over a made-up connection."""

import asyncio
import time

import pytest

from local.kinesisvideo.media import get_media
from local.kinesisvideo.media.connection import Connection
from local.kinesisvideo.mkv.parser import FragmentFinished
from local.kinesisvideo.store.state import KinesisVideo

EARLIEST = {"StartSelector": {"StartSelectorType": "EARLIEST"}}


@pytest.fixture
def service(tmp_path):
    made = KinesisVideo(tmp_path)
    yield made
    made.stop()


def answered(service, stream, asked):
    """All that one reader is sent."""
    sent = []

    async def receive():
        return await asyncio.Event().wait()

    async def send(message):
        sent.append(message.get("body", b""))

    asyncio.run(get_media.get_media(service, stream, asked, Connection(receive, send)))
    return b"".join(sent)


def test_a_disk_that_cannot_be_read_ends_the_film_with_an_internal_error(
    service, monkeypatch, caplog
):
    def broken(*_):
        raise OSError("input/output error")

    stream = service.streams.create("door", retention_hours=1)
    now = round(service.clock() * 1000)
    media = FragmentFinished(0, 0, 1000, b"header", b"cluster", ())
    service.store.add(stream.arn, "1", media, producer=now, server=now)
    monkeypatch.setattr(service.store, "read", broken)
    said = answered(service, stream, EARLIEST)
    assert b"AWS_KINESISVIDEO_ERROR_ID" in said
    assert b"5000" in said
    assert "a fragment could not be read" in caplog.text


@pytest.fixture
def hurried(monkeypatch):
    """GetMedia with its seconds as hundredths."""
    monkeypatch.setattr(get_media, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(get_media, "POLL_SECONDS", 0.01)


def test_it_ends_some_seconds_after_the_producer_stopped(service, hurried):
    stream = service.streams.create("door", retention_hours=1)
    now = round(service.clock() * 1000)
    media = FragmentFinished(0, 0, 1000, b"header", b"cluster", ())
    service.store.add(stream.arn, "1", media, producer=now, server=now)
    assert answered(service, stream, EARLIEST).count(b"cluster") == 1
    assert answered(service, stream, {"StartSelector": {"StartSelectorType": "NOW"}}) == b""


def test_while_somebody_sends_it_goes_on_and_ends_after_three_quarters_of_an_hour(
    service, hurried, monkeypatch
):
    monkeypatch.setattr(get_media, "LONGEST_SECONDS", 0.5)
    stream = service.streams.create("door", retention_hours=1)
    begun = time.monotonic()
    with get_media.SESSIONS.acquire(stream):
        answered(service, stream, EARLIEST)
    assert 0.5 <= time.monotonic() - begun < 60


def test_a_fragment_that_expired_while_others_were_sent_is_left_out(service, monkeypatch):
    stream = service.streams.create("door", retention_hours=1)
    now = round(service.clock() * 1000)
    for number in "1", "2":
        media = FragmentFinished(0, 0, 1000, b"header", b"cluster" + number.encode(), ())
        service.store.add(stream.arn, number, media, producer=now, server=now)

    def gone_or_last(arn, fragment):
        if fragment.number == "1":
            return None
        service.delete(stream)  # and so the film ends
        return b"header", b"cluster2"

    monkeypatch.setattr(service.store, "read", gone_or_last)
    said = answered(service, stream, EARLIEST)
    assert (b"cluster1" in said, b"cluster2" in said) == (False, True)
