"""PutMedia and GetMedia over HTTP, as a producer and a consumer see them."""

import socket
import time
import uuid

import pytest

from local.tests.support.kinesisvideo.client import Producer, Reader, frames_of, listed, tags_of
from local.tests.support.media import mkv

NOON = 1_800_000_000_000


@pytest.fixture
def control(laptop):
    return laptop.client("kinesisvideo")


def test_a_fragment_is_acknowledged_three_times_each_in_a_chunk_of_its_own(laptop, stream, film):
    with Producer(laptop, stream) as producer:
        assert producer.statuses == [100, 200]
        acks = producer.send(film.header, film.fragment(NOON)).end()
    assert [ack["EventType"] for ack in acks] == ["BUFFERING", "RECEIVED", "PERSISTED"]
    assert {ack["FragmentTimecode"] for ack in acks} == {NOON}
    assert len({ack["FragmentNumber"] for ack in acks}) == 1
    assert all(len(chunk) < 1024 for chunk in producer.chunks)


def test_acknowledgements_come_while_the_body_is_still_open(laptop, stream, film):
    with Producer(laptop, stream) as producer:
        producer.send(film.header, film.fragment(NOON)[:200])
        assert producer.ack()["EventType"] == "BUFFERING"
        producer.send(film.fragment(NOON)[200:], mkv.end())
        assert producer.until("PERSISTED")["FragmentTimecode"] == NOON


def test_without_retention_nothing_is_acknowledged_as_persisted(laptop, control, film):
    name = f"stream-{uuid.uuid4().hex[:8]}"
    arn = control.create_stream(StreamName=name)["StreamARN"]
    with Reader(laptop, name) as reader, Producer(laptop, name) as producer:
        acks = producer.send(film.header, film.fragment(NOON)).end()
        assert len(frames_of(reader.fragment())) == 10
    assert [ack["EventType"] for ack in acks] == ["BUFFERING", "RECEIVED"]
    assert listed(laptop, name) == []
    control.delete_stream(StreamARN=arn)


def test_the_payload_may_be_unsigned(laptop, stream, film):
    with Producer(laptop, stream, unsigned=True) as producer:
        assert len(producer.send(film.header, film.fragment(NOON)).end()) == 3


def test_a_reader_gets_each_fragment_as_soon_as_it_is_whole(laptop, stream, film):
    with Reader(laptop, stream) as reader, Producer(laptop, stream) as producer:
        for start in (NOON, NOON + 1000):
            producer.send(film.header if start == NOON else b"", film.fragment(start), mkv.end())
            number = producer.until("PERSISTED")["FragmentNumber"]
            found = reader.fragment()
            tags = tags_of(found)
            assert tags["AWS_KINESISVIDEO_FRAGMENT_NUMBER"] == number
            assert tags["AWS_KINESISVIDEO_PRODUCER_TIMESTAMP"] == f"{start // 1000}.000"
            assert abs(float(tags["AWS_KINESISVIDEO_SERVER_TIMESTAMP"]) - time.time()) < 60
            assert [frame.pts for frame in frames_of(found)] == list(
                range(start, start + 1000, 100)
            )
            assert found.endswith(number.encode())


def test_two_sessions_may_overlap(laptop, stream, film):
    with Producer(laptop, stream) as old, Producer(laptop, stream) as new:
        old.send(film.header, film.fragment(NOON), mkv.end())
        old.until("PERSISTED")
        new.send(film.header, film.fragment(NOON + 1000), mkv.end())
        assert new.until("PERSISTED")["FragmentTimecode"] == NOON + 1000
        assert old.end() == []
        new.end()
    assert len(listed(laptop, stream)) == 2


def test_what_was_unfinished_when_the_producer_left_is_lost(laptop, stream, film, wait_until):
    with Producer(laptop, stream) as producer:
        producer.send(film.header, film.fragment(NOON), film.fragment(NOON + 1000)[:-50])
        producer.until("PERSISTED")
    with Producer(laptop, stream) as again:
        acks = again.send(film.header, film.fragment(NOON + 1000)).end()
    assert acks[-1]["EventType"] == "PERSISTED"
    sent = [round(one["ProducerTimestamp"].timestamp() * 1000) for one in listed(laptop, stream)]
    assert sent == [NOON, NOON + 1000]


def test_a_body_may_lack_its_last_chunk(laptop, stream, film):
    """As kvssink leaves it now and then, after the tag that ends its last fragment."""
    with Producer(laptop, stream) as producer:
        producer.send(film.header, film.fragment(NOON), mkv.end()).until("PERSISTED")
        producer.socket.shutdown(socket.SHUT_WR)
        assert not isinstance(producer.ack(), dict)
    assert len(listed(laptop, stream)) == 1
    with Producer(laptop, stream) as again:
        assert len(again.send(film.header, film.fragment(NOON + 1000)).end()) == 3


@pytest.mark.long  # waits 30 seconds
def test_a_producer_that_says_nothing_is_let_go_after_half_a_minute(laptop, stream, film):
    with Producer(laptop, stream) as producer:
        producer.send(film.header, film.fragment(NOON), mkv.end()).until("PERSISTED")
        begun, heard = time.monotonic(), []
        while ack := producer.acks.get(timeout=60):
            heard.append(ack["EventType"])
    assert heard == ["IDLE", "IDLE"]
    assert 29 < time.monotonic() - begun < 45


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (lambda film: b"this is no film at all" * 10, 4006),
        (lambda film: film.header + mkv.cluster(2**60), 4007),
    ],
    ids=[
        "no film",
        "far future",
    ],
)
def test_bad_media_ends_the_session_with_aws_s_error_id(laptop, stream, film, body, error):
    with Producer(laptop, stream) as producer:
        acks = producer.send(body(film)).end()
    assert acks[-1]["EventType"] == "ERROR"
    assert acks[-1]["ErrorId"] == error
    assert not [ack for ack in acks[:-1] if ack["EventType"] == "ERROR"]


def test_an_error_ends_the_answer_though_the_body_goes_on(laptop, stream, film):
    with Producer(laptop, stream) as producer:
        producer.send(film.header, film.fragment(NOON), film.fragment(NOON))
        assert producer.until("ERROR")["ErrorCode"] == "FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS"
        assert producer.ack() is None


def test_a_producer_that_goes_on_after_an_error_is_cut_off(laptop, stream):
    with Producer(laptop, stream) as producer:
        assert producer.send(b"no film").until("ERROR")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while True:
                producer.send(b"x" * 65_536, size=65_536)


@pytest.mark.parametrize(
    ("headers", "status", "name"),
    [
        ({"x_amzn_stream_name": "nothing"}, 404, "ResourceNotFoundException"),
        ({}, 400, "InvalidArgumentException"),
    ],
)
def test_a_bad_request_is_refused_before_its_body(laptop, headers, status, name):
    with Producer(laptop, **headers) as producer:
        assert producer.status == status
        assert producer.error()[0] == name


def test_a_wrong_signature_is_refused(laptop, stream):
    keys = laptop.facts["access_key_id"], "not the secret"
    with Producer(laptop, stream, keys=keys) as producer:
        assert (producer.status, producer.error()[0]) == (403, "InvalidSignatureException")


def test_a_stream_that_is_deleted_ends_its_sessions(laptop, control, film):
    name = f"stream-{uuid.uuid4().hex[:8]}"
    arn = control.create_stream(StreamName=name, DataRetentionInHours=1)["StreamARN"]
    with Reader(laptop, name) as reader, Producer(laptop, name) as producer:
        producer.send(film.header, film.fragment(NOON), mkv.end())
        producer.until("PERSISTED")
        reader.fragment()
        control.delete_stream(StreamARN=arn)
        producer.send(film.fragment(NOON + 1000), mkv.end())
        assert producer.until("ERROR")["ErrorCode"] == "STREAM_NOT_ACTIVE"
        with pytest.raises(AssertionError, match="ended"):
            reader.fragment()
