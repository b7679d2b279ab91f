"""GetMedia as AWS's Python consumer library reads it, and as slow or resuming readers do."""

import io
import re
import socket
import threading
import uuid
from urllib.parse import urlsplit

import av
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from local.kinesisvideo.mkv import ebml
from local.tests.support.kinesisvideo.client import (
    EBML,
    Producer,
    Reader,
    elements_of,
    frames_of,
    media_client,
    service_tags,
)
from local.tests.support.laptop.memory import growth
from local.tests.support.media import mkv

NOON = 1_800_000_000_000
MEGABYTE = 1024 * 1024
NUMBERS = ("MILLIS_BEHIND_NOW", "PRODUCER_TIMESTAMP", "SERVER_TIMESTAMP")
TIMESTAMP = re.compile(r"\d+\.\d{3}")


class Consumer(threading.Thread):
    """Reads as the library does: in pieces, and a fragment ends where the next one begins."""

    def __init__(self, laptop, stream):
        super().__init__(daemon=True)
        control = laptop.session().client("kinesisvideo", endpoint_url=laptop.endpoint)
        endpoint = control.get_data_endpoint(StreamName=stream, APIName="GET_MEDIA")
        client = laptop.session().client(
            "kinesis-video-media", endpoint_url=endpoint["DataEndpoint"]
        )
        selector = {"StartSelectorType": "NOW"}
        self._answer = client.get_media(StreamName=stream, StartSelector=selector)
        self.fragments = []

    def run(self):
        held = b""
        for piece in self._answer["Payload"]:  # 1024 bytes each, as botocore cuts them
            held += piece
            while (end := held.find(EBML, len(EBML))) > 0:
                self.fragments.append(held[:end])
                held = held[end:]


def test_the_consumer_library_finds_its_tags_and_a_film_in_every_fragment(laptop, film, wait_until):
    name = f"stream-{uuid.uuid4().hex[:8]}"
    control = laptop.client("kinesisvideo")
    arn = control.create_stream(StreamName=name, DataRetentionInHours=1)["StreamARN"]
    consumer = Consumer(laptop, name)
    consumer.start()
    numbers = []
    with Producer(laptop, name) as producer:
        producer.send(film.header)
        for second in range(4):
            producer.send(film.fragment(NOON + 1000 * second), mkv.end())
            numbers.append(producer.until("PERSISTED")["FragmentNumber"])
        producer.end()
    # The last one's end is never seen: the library delivers it with the next one.
    wait_until(lambda: len(consumer.fragments) == 3, 20)
    control.delete_stream(StreamARN=arn)
    consumer.join(20)
    assert not consumer.is_alive()
    assert len(consumer.fragments) == 3
    for number, fragment in zip(numbers, consumer.fragments, strict=False):
        tags = service_tags(fragment)
        assert tags["FRAGMENT_NUMBER"] == number
        assert all(float(tags[name]) >= 0 for name in NUMBERS)
        assert len(frames_of(fragment)) == 10
        with av.open(io.BytesIO(fragment), format="matroska") as alone:
            assert [one.type for one in alone.streams] == ["video"]


@pytest.fixture
def stored(laptop, stream, film):
    """A stream with four fragments, one of them tagged; their numbers."""
    with Producer(laptop, stream) as producer:
        parts = [film.fragment(NOON + 1000 * number) for number in range(4)]
        parts[2] = mkv.tags(("zone", "7")) + parts[2]
        acks = producer.send(film.header, *parts).end()
    return stream, [ack["FragmentNumber"] for ack in acks if ack["EventType"] == "PERSISTED"]


def test_each_fragment_is_laid_out_as_aws_s_and_tells_how_far_behind_it_is(laptop, stored):
    stream, numbers = stored
    with Reader(laptop, stream, StartSelectorType="EARLIEST") as reader:
        films = [reader.fragment() for _ in numbers]
    before = [ebml.EBML, ebml.SEGMENT, ebml.INFO, ebml.TRACKS, ebml.TAGS]
    for number, one in enumerate(films):
        own = [ebml.TAGS] if number == 2 else []
        assert [number for number, _ in elements_of(one)] == [
            *before,
            *own,
            ebml.CLUSTER,
            ebml.TAGS,
        ]
    first = next(content for number, content in elements_of(films[2]) if number == ebml.TAGS)
    assert "zone" not in dict(ebml.read_tags(first))  # the service's stand before the fragment's
    tags = [service_tags(one) for one in films]
    server = [one["SERVER_TIMESTAMP"] for one in tags]
    assert all(TIMESTAMP.fullmatch(time) for time in server)
    behind = [round(1000 * (float(server[-1]) - float(time))) for time in server]
    assert [int(one["MILLIS_BEHIND_NOW"]) for one in tags] == behind
    assert [one["CONTINUATION_TOKEN"] for one in tags] == numbers


def test_a_reader_that_was_cut_off_goes_on_behind_its_token(laptop, stored):
    stream, numbers = stored
    with Reader(laptop, stream, StartSelectorType="EARLIEST") as reader:
        reader.fragment()
        token = service_tags(reader.fragment())["CONTINUATION_TOKEN"]
    selector = {"StartSelectorType": "CONTINUATION_TOKEN", "ContinuationToken": token}
    with Reader(laptop, stream, **selector) as reader:
        found = [service_tags(reader.fragment()) for _ in range(2)]
    assert [one["FRAGMENT_NUMBER"] for one in found] == numbers[2:]


def test_what_is_asked_for_after_the_end_of_all_is_what_comes_next(laptop, stored, film):
    stream, _ = stored
    late = {"StartSelectorType": "PRODUCER_TIMESTAMP", "StartTimestamp": NOON / 1000 + 3600}
    with Reader(laptop, stream, **late) as reader, Producer(laptop, stream) as producer:
        number = producer.send(film.header, film.fragment(NOON + 9000)).end()[-1]["FragmentNumber"]
        assert service_tags(reader.fragment())["FRAGMENT_NUMBER"] == number


@pytest.mark.parametrize(
    "selector",
    [
        {"StartSelectorType": "FRAGMENT_NUMBER", "AfterFragmentNumber": "17"},
        {"StartSelectorType": "CONTINUATION_TOKEN", "ContinuationToken": "17"},
    ],
)
def test_what_is_no_longer_there_is_said_in_tags(laptop, stored, selector):
    stream, _ = stored
    client = media_client(laptop, "kinesis-video-media")
    answer = client.get_media(StreamName=stream, StartSelector=selector)
    tags = service_tags(answer["Payload"].read())
    assert tags["ERROR_ID"] == "4000"
    assert "ERROR_CODE" in tags


@pytest.mark.parametrize(
    ("selector", "first"),
    [
        ({"StartSelectorType": "EARLIEST"}, 0),
        ({"StartSelectorType": "FRAGMENT_NUMBER", "AfterFragmentNumber": 1}, 2),
        ({"StartSelectorType": "CONTINUATION_TOKEN", "ContinuationToken": 2}, 3),
        ({"StartSelectorType": "PRODUCER_TIMESTAMP", "StartTimestamp": NOON / 1000 + 1.5}, 1),
        ({"StartSelectorType": "PRODUCER_TIMESTAMP", "StartTimestamp": NOON / 1000 + 2}, 2),
        ({"StartSelectorType": "SERVER_TIMESTAMP", "StartTimestamp": 0}, 0),
    ],
)
def test_readers_start_where_they_ask_to(laptop, stored, selector, first):
    stream, numbers = stored
    asked = {
        name: numbers[value] if isinstance(value, int) and value and "Time" not in name else value
        for name, value in selector.items()
    }
    with Reader(laptop, stream, **asked) as reader:
        found = [service_tags(reader.fragment()) for _ in numbers[first:]]
    assert [tags["FRAGMENT_NUMBER"] for tags in found] == numbers[first:]


def test_a_fourth_reader_is_one_too_many(laptop, stream, wait_until):
    def fourth():
        try:
            Reader(laptop, stream).__exit__()
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "welcome"

    with Reader(laptop, stream), Reader(laptop, stream), Reader(laptop, stream):
        assert fourth() == "ConnectionLimitExceededException"
    wait_until(lambda: fourth() == "welcome")


class Sleeper:
    """Asks for media and then reads none of it."""

    def __init__(self, laptop, stream):
        url = laptop.facts["media_endpoint"]
        body = f'{{"StreamName":"{stream}","StartSelector":{{"StartSelectorType":"NOW"}}}}'
        request = AWSRequest("POST", f"{url}/getMedia", data=body.encode())
        keys = laptop.facts["access_key_id"], laptop.facts["secret_access_key"]
        SigV4Auth(Credentials(*keys), "kinesisvideo", "us-east-1").add_auth(request)
        lines = {"Host": urlsplit(url).netloc, "Content-Length": len(body), **request.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.socket.settimeout(20)
        self.socket.connect((urlsplit(url).hostname, urlsplit(url).port))
        self.socket.sendall(f"POST /getMedia HTTP/1.1\r\n{head}\r\n{body}".encode())
        assert b"200" in self.socket.recv(20)


def test_a_reader_that_reads_nothing_holds_up_nobody_and_fills_no_memory(laptop, stream, film):
    heavy = mkv.block(950, b"x" * 4 * MEGABYTE)
    sleeper = Sleeper(laptop, stream)
    try:
        with (
            growth(laptop) as grown,
            Reader(laptop, stream) as reader,
            Producer(laptop, stream) as producer,
        ):
            producer.send(film.header)
            for second in range(16):
                start = NOON + 1000 * second
                producer.send(film.fragment(start), heavy, mkv.end(), size=65_536)
                assert producer.until("PERSISTED")["FragmentTimecode"] == start
                assert service_tags(reader.fragment())["PRODUCER_TIMESTAMP"].startswith(
                    str(start // 1000)
                )
        # 64 megabytes went by, twice; of what the sleeper lets lie, one fragment waits.
        assert grown() < 50 * MEGABYTE
    finally:
        sleeper.socket.close()
