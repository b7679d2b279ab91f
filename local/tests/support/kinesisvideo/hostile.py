"""A raw HTTP client that says what no honest one would, and a good producer beside it."""

import contextlib
import json
import socket
import threading
import time
import uuid
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.tests.support.kinesisvideo.client import Producer
from local.tests.support.laptop.memory import growth
from local.tests.support.media import mkv
from local.tests.support.plugin import wait_until_true

SECONDS = 30
NOON = 1_800_000_000_000
FRAGMENT_MS = 1000
PAUSE_SECONDS = 0.1
FEWEST = 3  # fragments that it sends in any case
MEGABYTE = 1024 * 1024
# A fragment may have 50, which is held twice while one frame fills it.
MAX_MEMORY = 150 * MEGABYTE
LATEST_SECONDS = 10  # for an acknowledgement on a machine with other work


class Answer:
    """A status (0 if the server just hung up), headers by lower-case name, and a body."""

    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1]) if first else 0
        self.headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }

    @property
    def error(self):
        """Return the error's name, or None if the answer is not an AWS error."""
        name = self.headers.get("x-amzn-errortype")
        try:
            said = json.loads(self.body)
        except ValueError:
            return None
        return name if name and "message" in {key.lower() for key in said} else None


def address(url):
    parts = urlsplit(url)
    return parts.hostname, parts.port


def signed(laptop, url, path, body=b"", method="POST", **headers):
    """Return the head of a correctly signed request."""
    keys = laptop.facts["access_key_id"], laptop.facts["secret_access_key"]
    asked = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest(method, f"{url}{path}", data=body, headers=asked)
    SigV4Auth(Credentials(*keys), "kinesisvideo", "us-east-1").add_auth(request)
    lines = {"Host": urlsplit(url).netloc, **request.headers}
    return lines | {"Content-Length": len(body), "Connection": "close"}


def request(url, path, lines, body=b"", method="POST"):
    """Send a request as it stands; its answer."""
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return exchange(url, f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)


def exchange(url, data):
    """Send bytes; what comes back until the server hangs up."""
    with socket.create_connection(address(url), SECONDS) as connection:
        # Who is refused early need not be listened to.
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
            return Answer(read_to_the_end(connection))
        return Answer(b"")


def read_to_the_end(connection):
    """Everything up to the end of one answer: a close, or as long as it said it is."""
    raw = b""
    while piece := connection.recv(65_536):
        raw += piece
        head, found, body = raw.partition(b"\r\n\r\n")
        if found and b"content-length: %d\r" % len(body) in head.lower() + b"\r":
            break
    return raw


class Neighbour(threading.Thread):
    """A good session that goes on meanwhile, one fragment after the other."""

    def __init__(self, laptop, stream, film):
        super().__init__(daemon=True)
        self._laptop, self._stream, self._film = laptop, stream, film
        self._enough = threading.Event()
        self.took = []
        self.error = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        wait_until_true(lambda: len(self.took) >= FEWEST or not self.is_alive(), SECONDS)
        self._enough.set()
        self.join(SECONDS)

    def run(self):
        try:
            with Producer(self._laptop, self._stream) as producer:
                producer.send(self._film.header)
                while not self._enough.wait(PAUSE_SECONDS):
                    self._send(producer)
                assert producer.end() == []
        except Exception as error:
            self.error = error

    def _send(self, producer):
        start = NOON + FRAGMENT_MS * len(self.took)
        begun = time.monotonic()
        producer.send(self._film.fragment(start), mkv.end())
        kinds = [producer.ack()["EventType"] for _ in range(3)]
        assert kinds == ["BUFFERING", "RECEIVED", "PERSISTED"], kinds
        self.took.append(time.monotonic() - begun)

    def check(self):
        """It is alive, was never disturbed and never had to wait long."""
        assert self.error is None, self.error
        assert self.took, "it sent nothing"
        assert max(self.took) < LATEST_SECONDS


@contextlib.contextmanager
def nobody_harmed(laptop, stream, film):
    """A good session gets all its acknowledgements, memory stays bounded, nothing fails inside."""
    log = laptop.directory / "laptop.log"
    before = log.stat().st_size
    with growth(laptop) as grown, Neighbour(laptop, stream, film) as neighbour:
        yield
    neighbour.check()
    assert grown() < MAX_MEMORY
    assert "Traceback" not in log.read_bytes()[before:].decode(errors="replace")


@contextlib.contextmanager
def two_streams(laptop):
    """The names of two new streams, gone afterwards."""
    control, arns, names = laptop.client("kinesisvideo"), [], []
    for kind in "good", "bad":
        names.append(f"{kind}-{uuid.uuid4().hex[:8]}")
        made = control.create_stream(StreamName=names[-1], DataRetentionInHours=1)
        arns.append(made["StreamARN"])
    yield names
    for arn in arns:
        control.delete_stream(StreamARN=arn)
