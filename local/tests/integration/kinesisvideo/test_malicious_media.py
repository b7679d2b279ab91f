"""Malicious media and writers that dribble, with a good producer beside them."""

import itertools
import random
import socket
import time

import pytest

from local.tests.support.kinesisvideo.client import Producer
from local.tests.support.kinesisvideo.hostile import MEGABYTE, address, signed
from local.tests.support.media import mkv
from local.tests.support.media.mkv_mutations import good, mutated

NOON = 1_800_000_000_000
MANY = 100_000


def refused(laptop, stream, *pieces):
    """The error that a body brings, which is the last thing said; None if there was none."""
    with Producer(laptop, stream) as producer:
        try:
            for piece in itertools.chain.from_iterable(pieces):
                producer.send(piece, size=65_536)
            acks = producer.end()
        except ConnectionError:  # cut off while it went on after the error
            acks = list(iter(producer.acks.get, None))
    acks = [ack for ack in acks if isinstance(ack, dict)]
    errors = [ack["ErrorId"] for ack in acks if ack["EventType"] == "ERROR"]
    assert len(errors) <= 1
    assert not errors or acks[-1]["EventType"] == "ERROR"
    return errors[0] if errors else None


def claim(number, size=2 * 1024**3):
    return mkv.identity(number) + mkv.coded(size, 8)


def open_cluster(time=NOON):
    return mkv.identity(mkv.CLUSTER) + mkv.UNKNOWN + mkv.integer(mkv.TIMESTAMP, time)


def nested(depth, number):
    inside = b""
    for _ in range(depth):
        inside = mkv.element(number, inside)
    return inside


BAD_MEDIA = {
    "an endless cluster": (
        4001,
        lambda film: [film.header, open_cluster()] + [mkv.block(0, b"x" * MEGABYTE)] * 60,
    ),
    "two gigabytes in a frame": (
        4001,
        lambda film: [film.header, open_cluster(), claim(mkv.BLOCK)],
    ),
    "two gigabytes in a cluster": (4001, lambda film: [film.header, claim(mkv.CLUSTER)]),
    "two gigabytes of tags": (4009, lambda film: [film.header, claim(mkv.TAGS)]),
    "two gigabytes of header": (4006, lambda film: [claim(mkv.EBML)]),
    "countless tiny elements in a cluster": (
        4011,
        lambda film: [film.header, open_cluster(), mkv.element(mkv.VOID) * MANY],
    ),
    "countless tiny elements outside": (
        None,
        lambda film: [film.header, mkv.element(mkv.VOID) * MANY, film.fragment(NOON)],
    ),
    "countless tiny elements in a frame's group": (
        4006,
        lambda film: [
            film.header,
            open_cluster(),
            mkv.element(mkv.GROUP, mkv.element(mkv.VOID) * MANY),
        ],
    ),
    "a hundred thousand tags": (
        4009,
        lambda film: [film.header, mkv.tags(*((f"t{n}", "") for n in range(100_000)))],
    ),
    "tags nested ten thousand deep": (
        None,
        lambda film: [
            film.header,
            mkv.element(mkv.TAGS, mkv.element(mkv.TAG, nested(10_000, mkv.SIMPLE)))[:60_000],
        ],
    ),
    "segments in segments": (
        4006,
        lambda film: [film.header, (mkv.identity(mkv.SEGMENT) + mkv.UNKNOWN) * 10_000],
    ),
    "cut in the middle": (4006, lambda film: [film.header, film.fragment(NOON)[:-100]]),
    "no media": (4006, lambda film: [b"<html>" * 100]),
}


@pytest.mark.parametrize("case", BAD_MEDIA)
def test_malicious_media_ends_its_own_session_only(laptop, streams, film, unharmed, case):
    expected, body = BAD_MEDIA[case]
    assert refused(laptop, streams[1], body(film)) == expected


def test_slow_writers_of_heads_and_of_bodies_take_nothing_from_others(
    laptop, streams, film, media, unharmed
):
    """Forty half-sent heads, a request whose body never comes, and a body byte by byte."""
    heads = [socket.create_connection(address(media), 30) for _ in range(40)]
    lines = signed(laptop, media, "/getMedia", b"{}") | {"Content-Length": 100}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    heads[0].sendall(f"POST /getMedia HTTP/1.1\r\n{head}\r\n{{".encode())
    with Producer(laptop, streams[1]) as slow:
        body = film.header + film.fragment(NOON)
        for at in range(40):
            for connection in heads[1:]:
                connection.sendall(b"POST /getMedia HTTP/1.1\r\nHost: 127.0.0.1\r\n"[at : at + 1])
            slow.send(body[at : at + 1])
            time.sleep(0.02)
        acks = slow.send(body[40:]).end()
        assert [ack["EventType"] for ack in acks] == ["BUFFERING", "RECEIVED", "PERSISTED"]
    for connection in heads:
        connection.close()


def send_broken(laptop, stream, seed, tmp_path, count=5):
    """Broken bodies by lot, over the wire; kept if one of them hurts."""
    chance = random.Random(seed)
    for number in range(count):
        body = mutated(chance, good(chance))
        try:
            refused(laptop, stream, [body])
        except Exception as error:
            kept = tmp_path / f"seed-{seed}-body-{number}.mkv"
            kept.write_bytes(body)
            raise AssertionError(f"seed {seed}: {error!r} by {kept}") from error


@pytest.mark.parametrize("seed", range(1))
def test_broken_bodies_over_the_wire_harm_nobody(laptop, streams, unharmed, seed, tmp_path):
    send_broken(laptop, streams[1], seed, tmp_path)


@pytest.mark.long  # 600 bodies, two minutes; one seed runs above
@pytest.mark.parametrize("seed", range(1000, 1020))
def test_many_broken_bodies_over_the_wire_harm_nobody(laptop, streams, unharmed, seed, tmp_path):
    send_broken(laptop, streams[1], seed, tmp_path, count=30)
