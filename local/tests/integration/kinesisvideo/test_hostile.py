"""What must not hurt: random requests, broken HTTP, web pages; with a good producer beside it."""

import json
import random

import pytest

from local.tests.support.kinesisvideo.client import Producer
from local.tests.support.kinesisvideo.hostile import address, exchange, request, signed
from local.tests.support.media import mkv

NOON = 1_800_000_000_000
MEDIA_PATHS = (
    "/putMedia",
    "/getMedia",
    "/listFragments",
    "/getMediaForFragmentList",
    "/getClip",
    "/getImages",
    "/getHLSStreamingSessionURL",
    "/nothing",
    "/",
)
CONTROL_PATHS = (
    "/createStream",
    "/describeStream",
    "/deleteStream",
    "/listStreams",
    "/getDataEndpoint",
    "/updateDataRetention",
    "/tagStream",
    "/updateImageGenerationConfiguration",
)
PUT_MEDIA = {
    "x_amzn_fragment_timecode_type": "ABSOLUTE",
    "x_amzn_producer_start_timestamp": "1800000000.000",
}
TYPES = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "\x80/\xff")


def junk(chance):
    """A body that is no request: bytes, or JSON that means nothing."""
    values = [
        None, [], 7, "text", True, {"StreamName": None}, {"StreamName": 7}, {"StreamName": ""},
        {"StreamName": "x" * 5000}, {"StreamARN": "arn:aws:s3:::x"}, {"NextToken": "%%%"},
        {"StreamName": "a", "StartSelector": {"StartSelectorType": "LATER"}},
        {"StreamName": "a", "StartSelector": []}, {"StreamName": "\ud800"},
        {"StreamName": "a", "Fragments": ["x"] * 2000}, {"StreamName": "a", "MaxResults": 10**40},
        {"StreamName": "a", "StartTimestamp": 1e400, "EndTimestamp": "\ud800"},
        {"StreamName": "a", "Tags": {"": {}}}, {"APIName": ["PUT_MEDIA"]},
    ]  # fmt: skip
    return chance.choice(
        (
            lambda: chance.randbytes(chance.randrange(300)),
            lambda: json.dumps(chance.choice(values)).encode(),
            lambda: b"[" * 100_000,
            lambda: b'{"StreamName":' * 20_000,
            lambda: b"1" * 10_000,
            lambda: b'{"StreamName":"a","StreamName":NaN}',
        )
    )()


def send_junk(laptop, media, seed, count=20):
    """Some requests by lot, each with a signature that is right; what was not as it must be."""
    chance = random.Random(seed)
    for _ in range(count):
        url = chance.choice((media, laptop.endpoint))
        path = chance.choice(MEDIA_PATHS if url == media else CONTROL_PATHS)
        method = chance.choice(("POST",) * 6 + ("GET", "PUT", "DELETE", "PATCH"))
        body = b"{" * 50 if path == "/createStream" else junk(chance)  # it must not succeed
        kind = {"content_type": chance.choice(TYPES[:-1])} if chance.random() < 0.5 else {}
        lines = signed(laptop, url, path, body, method, **kind)
        answer = request(url, path, lines, body, method)
        told = f"seed {seed}: {method} {path} {body[:80]!r}: {answer.status} {answer.body[:200]!r}"
        fine = answer.status == 200 and path == "/listStreams"  # which may be asked anything
        assert fine or (400 <= answer.status < 500 and answer.error), told


@pytest.mark.parametrize("seed", range(2))
def test_random_requests_are_answered_as_aws_answers_errors(laptop, media, unharmed, seed):
    send_junk(laptop, media, seed)


@pytest.mark.long  # 3000 requests; two seeds run above
@pytest.mark.parametrize("seed", range(1000, 1020))
def test_many_random_requests_are_answered_as_aws_answers_errors(laptop, media, unharmed, seed):
    send_junk(laptop, media, seed, count=150)


BROKEN_HTTP = {
    "no HTTP": b"\x16\x03\x01\x02\x00" * 50,
    "a head without end": b"POST /getMedia HTTP/1.1\r\n" + b"x: " + b"y" * 200_000,
    "ten thousand headers": b"POST /getMedia HTTP/1.1\r\n" + b"x: y\r\n" * 10_000 + b"\r\n",
    "a negative length": b"POST /getMedia HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"POST /getMedia HTTP/1.1\r\nHost: h\r\n"
    b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "a line break in a header": b"POST /getMedia HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n",
    "a chunk of no size": b"POST /putMedia HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("case", BROKEN_HTTP)
def test_what_is_no_http_is_hung_up_on(media, unharmed, case):
    assert exchange(media, BROKEN_HTTP[case]).status in (0, 400, 403, 431)


def test_a_chunk_of_no_size_in_the_middle_ends_that_session_only(laptop, streams, film, unharmed):
    with Producer(laptop, streams[1]) as producer:
        producer.send(film.header, film.fragment(NOON), mkv.end()).until("PERSISTED")
        producer.socket.sendall(b"no size at all\r\n")
        while (ack := producer.ack()) and isinstance(ack, dict):
            pass


PAGES = {
    "a page of another site": {"Origin": "https://evil.example"},
    "a rebound name with our port": {"Host": "evil.example:{port}"},
}


@pytest.mark.parametrize("path", ["/putMedia", "/getMedia"])
@pytest.mark.parametrize("page", PAGES)
def test_a_web_page_gets_nothing_even_with_a_good_signature(laptop, streams, media, page, path):
    body = json.dumps(
        {"StreamName": streams[1], "StartSelector": {"StartSelectorType": "NOW"}}
    ).encode()
    more = PUT_MEDIA | {"x_amzn_stream_name": streams[1]} if path == "/putMedia" else {}
    lines = signed(laptop, media, path, body, **more)
    port = address(media)[1]
    forged = {name: value.format(port=port) for name, value in PAGES[page].items()}
    answer = request(media, path, lines | forged, body)
    assert (answer.status, "access-control-allow-origin" in answer.headers) == (403, False)
