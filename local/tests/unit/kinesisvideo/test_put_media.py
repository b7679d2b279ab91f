"""One PutMedia session over a made-up connection, with a clock that the test sets."""

import asyncio
import json
from contextlib import ExitStack

import pytest

from local.kinesisvideo.errors import KinesisVideoError
from local.kinesisvideo.media import connection, ingest, put_media
from local.kinesisvideo.media.connection import Connection
from local.kinesisvideo.media.put_media_headers import parse_headers
from local.kinesisvideo.store.state import KinesisVideo
from local.ministack import Principal
from local.tests.support.media import mkv

CALLER = Principal("arn:aws:iam::000000000000:user/pi")
NOON = 1_800_000_000_000
GOOD = {
    "x-amzn-stream-name": "door",
    "x-amzn-fragment-timecode-type": "ABSOLUTE",
    "x-amzn-producer-start-timestamp": "1800000000.000",
}


class Session:
    """Runs PutMedia on messages that are given one by one."""

    def __init__(self, directory):
        self.now = NOON / 1000
        self.service = KinesisVideo(directory, clock=lambda: self.now)
        self.stream = self.service.streams.create("door", retention_hours=1)
        self.sent = []

    def run(self, *bodies, ends=True, headers=GOOD):
        """The acknowledgements for a body in pieces; a function is called when its turn comes."""
        asyncio.run(self._run(list(bodies), ends, headers))
        bodies = [message["body"] for message in self.sent if message.get("body")]
        return [json.loads(body) for body in bodies]

    async def _run(self, bodies, ends, headers):
        async def receive():
            if bodies:
                body = bodies.pop(0)
                body = (body() if callable(body) else body) or b""
                return {"type": "http.request", "body": body, "more_body": bool(bodies) or not ends}
            return await asyncio.Event().wait()

        async def send(message):
            self.sent.append(message)

        asked, opened = parse_headers(headers), Connection(receive, send)
        await put_media.put_media(self.service, self.stream, asked, CALLER, opened)


@pytest.fixture
def session(tmp_path):
    made = Session(tmp_path)
    yield made
    made.service.stop()


def kinds(acks):
    return [ack["EventType"] for ack in acks]


def test_the_answer_begins_before_the_body_and_ends_after_it(session):
    session.run(mkv.header() + mkv.cluster(NOON))
    assert (session.sent[0]["type"], session.sent[0]["status"]) == ("http.response.start", 200)
    headers = dict(session.sent[0]["headers"])
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"x-amzn-requestid"] == headers[b"x-amz-requestid"] != b""
    assert session.sent[-1].get("more_body", False) is False


def test_the_server_s_time_is_that_of_a_fragment_s_first_bytes(session):
    def later():
        session.now += 5

    media = mkv.cluster(NOON)
    session.run(mkv.header() + media[:40], later, media[40:])
    (fragment,) = session.service.store.after(session.stream.arn, 0)
    assert fragment.server_ms == NOON


def test_a_silent_producer_hears_idle_and_then_the_end(session, monkeypatch):
    monkeypatch.setattr(ingest, "IDLE_SECONDS", 0.01)
    acks = session.run(mkv.header() + mkv.cluster(NOON) + mkv.end(), ends=False)
    assert kinds(acks) == ["BUFFERING", "RECEIVED", "PERSISTED", "IDLE", "IDLE"]
    assert "FragmentTimecode" not in acks[-1]
    assert session.sent[-1].get("more_body", False) is False


def test_a_session_lasts_at_most_45_minutes(session):
    def much_later():
        session.now += 45 * 60 + 1

    acks = session.run(mkv.header() + mkv.cluster(NOON) + mkv.end(), much_later, b"", b"")
    assert kinds(acks)[:3] == ["BUFFERING", "RECEIVED", "PERSISTED"]
    assert acks[3]["ErrorCode"] == "MAX_CONNECTION_DURATION_REACHED"


def test_a_fragment_that_cannot_be_stored_is_said_so(session, monkeypatch):
    def full(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(session.service.store, "add", full)
    acks = session.run(mkv.header() + mkv.cluster(NOON))
    assert kinds(acks) == ["BUFFERING", "RECEIVED", "ERROR"]
    assert (acks[-1]["ErrorId"], acks[-1]["FragmentTimecode"]) == (5001, NOON)


def test_a_fault_of_the_service_itself_is_said_so_too(session, monkeypatch, caplog):
    def broken(*_, **__):
        raise KeyError("nobody thought of this")

    monkeypatch.setattr(session.service.store, "add", broken)
    acks = session.run(mkv.header() + mkv.cluster(NOON))
    assert (acks[-1]["ErrorId"], acks[-1]["ErrorCode"]) == (5000, "INTERNAL_ERROR")
    assert "a PutMedia session failed" in caplog.text
    assert session.sent[-1].get("more_body", False) is False


def test_a_stream_deleted_under_way_is_no_longer_active(session):
    def delete():
        session.service.delete(session.stream)
        return mkv.end()

    acks = session.run(mkv.header() + mkv.cluster(NOON), delete, b"")
    assert kinds(acks) == ["BUFFERING", "RECEIVED", "ERROR"]
    assert (acks[-1]["ErrorId"], acks[-1]["FragmentTimecode"]) == (4008, NOON)
    assert list(session.service.store._directory.rglob("*.*")) == []


def test_an_error_names_the_fragment_it_is_about(session):
    acks = session.run(mkv.header() + mkv.cluster(NOON) + mkv.cluster(NOON + 100))
    assert acks[-1]["EventType"] == "ERROR"
    assert acks[-1]["FragmentTimecode"] == NOON + 100
    assert acks[-1]["FragmentNumber"] == acks[-2]["FragmentNumber"]


def test_a_sixth_session_on_one_stream_is_refused(session):
    with ExitStack() as others:
        for _ in range(put_media.MAX_SESSIONS):
            others.enter_context(put_media.SESSIONS.acquire(session.stream))
        with pytest.raises(KinesisVideoError) as caught:
            session.run(b"")
    assert caught.value.code == "ConnectionLimitExceededException"
    assert session.run(b"") == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"x-amzn-stream-name": ""},
        {"x-amzn-stream-arn": "arn:aws:kinesisvideo:us-east-1:0:stream/door/1"},
        {"x-amzn-fragment-timecode-type": "absolute"},
        {"x-amzn-producer-start-timestamp": "soon"},
        {"x-amzn-producer-start-timestamp": "-1"},
    ],
)
def test_headers_that_make_no_sense_are_refused(wrong):
    with pytest.raises(KinesisVideoError) as caught:
        parse_headers({**GOOD, **wrong})
    assert caught.value.code == "InvalidArgumentException"


def test_relative_times_count_from_the_start_header(session):
    relative = {"x-amzn-fragment-timecode-type": "RELATIVE"}
    acks = session.run(mkv.header() + mkv.cluster(1500), headers={**GOOD, **relative})
    (fragment,) = session.service.store.after(session.stream.arn, 0)
    assert (acks[0]["FragmentTimecode"], fragment.producer_ms) == (1500, NOON + 1500)


def test_a_start_may_lack_the_zeros_of_its_milliseconds():
    assert parse_headers({**GOOD, "x-amzn-producer-start-timestamp": "12.5"}).start_ms == 12_500


def test_a_body_of_tiny_elements_lets_others_have_their_turn(session, monkeypatch):
    """One piece of it is parsed at a time; in between the loop is free."""
    monkeypatch.setattr(ingest, "TURN_SECONDS", 0)
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def both():
        counting = asyncio.ensure_future(count())
        await session._run([mkv.header() + mkv.element(mkv.VOID) * 32_768], True, GOOD)
        counting.cancel()

    asyncio.run(both())
    assert turns >= 65_536 / ingest.SLICE_BYTES


def test_a_reset_leaves_no_stream_and_no_fragment(session, tmp_path):
    session.run(mkv.header() + mkv.cluster(NOON))
    assert list(tmp_path.rglob("*.fragment"))
    session.service.reset()
    assert session.service.streams.all() == []
    assert list(tmp_path.rglob("*.fragment")) == []


def test_a_request_whose_body_does_not_come_is_told_so(monkeypatch):
    async def receive():
        return await asyncio.Event().wait()

    async def read():
        await asyncio.wait_for(connection.read_body(Connection(receive, None)), 10)

    monkeypatch.setattr(connection, "BODY_SECONDS", 0.01)
    with pytest.raises(KinesisVideoError) as caught:
        asyncio.run(read())
    assert (caught.value.code, caught.value.status) == ("RequestTimeoutException", 408)
