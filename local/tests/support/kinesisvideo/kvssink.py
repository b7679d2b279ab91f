"""A producer that behaves as AWS's kvssink does: its calls, its headers, its strictness."""

import contextlib
import hashlib
import http.client
import json
import queue
import socket
import threading
import time
from urllib.parse import urlsplit

from local.tests.support.kinesisvideo.kvssink_signing import authorization

SECONDS = 20
AGENT = "AWS-SDK-KVS-CPP-CLIENT/3.5.0/1.6.0 GCC/12.2.0 Linux/6.1 x86_64 CPPSDK"
CONTROL_SIGNED = ("host", "user-agent", "x-amz-date")
MEDIA_SIGNED = (
    "connection",
    "host",
    "transfer-encoding",
    "user-agent",
    "x-amz-date",
    "x-amzn-fragment-acknowledgment-required",
    "x-amzn-fragment-timecode-type",
    "x-amzn-producer-start-timestamp",
    "x-amzn-stream-name",
)
# What its parser holds of one delivered piece, and what it reads in an acknowledgement.
LARGEST_PIECE = 1024
KINDS = {"BUFFERING", "RECEIVED", "PERSISTED", "IDLE", "ERROR"}
MAX_TOKENS = 100  # of the answer to describeStream


class Kvssink:
    """One element of a pipeline: makes its stream ready, then opens sessions."""

    def __init__(self, laptop, name, keys=None):
        self._laptop = laptop
        self.name = name
        self.keys = keys or (laptop.facts["access_key_id"], laptop.facts["secret_access_key"])
        self.calls = []

    def control(self, path, **fields):
        """Call the control plane on a new connection; return status and answer."""
        address = urlsplit(self._laptop.endpoint)
        body = json.dumps(fields, indent="\t").encode()
        headers = self._headers() | {"content-type": "application/json"}
        hashed = hashlib.sha256(body).hexdigest()
        region = self._laptop.facts["region"]
        signed = authorization(self.keys[:2], region, path, headers, CONTROL_SIGNED, hashed)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=SECONDS)
        with contextlib.closing(connection):
            connection.putrequest("POST", path, skip_host=True, skip_accept_encoding=True)
            for name, value in {**headers, "Authorization": signed}.items():
                connection.putheader(name, value)
            connection.putheader("content-length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
        self.calls.append((path, answer.status))
        return answer.status, json.loads(content or b"{}")

    def _headers(self):
        token = {"x-amz-security-token": self.keys[2]} if len(self.keys) > 2 else {}
        return {
            "host": "127.0.0.1",  # without the port
            "Accept": "*/*",
            "user-agent": AGENT,
            "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
            **token,
        }

    def prepare(self, media="video/h264", **tags):
        """Find or make the stream, tag it and ask where the media goes."""
        status, found = self.control("/describeStream", StreamName=self.name)
        if status == 404:
            _, made = self.control(
                "/createStream",
                DeviceName="Kinesis_Video_Device",
                StreamName=self.name,
                MediaType=media,
                DataRetentionInHours=2,
            )
            arn = made["StreamARN"]
        else:
            assert found["StreamInfo"]["Status"] == "ACTIVE"
            assert isinstance(found["StreamInfo"]["DataRetentionInHours"], int)
            assert tokens(found) <= MAX_TOKENS
            arn = found["StreamInfo"]["StreamARN"]
        if tags:
            assert self.control("/tagStream", StreamARN=arn, Tags=tags)[0] == 200
        _, answer = self.control("/getDataEndpoint", StreamName=self.name, APIName="PUT_MEDIA")
        self.endpoint = urlsplit(answer["DataEndpoint"])
        return arn

    def session(self, kind="ABSOLUTE"):
        """Open PutMedia; the headers in kvssink's order, signed as its C layer does."""
        now = time.time()
        headers = self._headers() | {
            "connection": "keep-alive",
            "transfer-encoding": "chunked",
            "x-amzn-fragment-acknowledgment-required": "1",
            "x-amzn-fragment-timecode-type": kind,
            # Its milliseconds are not padded: a defect that services have to live with.
            "x-amzn-producer-start-timestamp": f"{int(now)}.{int(now * 1000) % 1000}",
            "x-amzn-stream-name": self.name,
        }
        region = self._laptop.facts["region"]
        signed = authorization(self.keys[:2], region, "/putMedia", headers, MEDIA_SIGNED)
        more = {"content-type": "application/json", "Expect": "100-continue"}
        lines = [*{**headers, "Authorization": signed, **more}.items()]
        return Session((self.endpoint.hostname, self.endpoint.port), lines)


class Session:
    """One PutMedia connection, its acknowledgements read while it sends."""

    def __init__(self, address, lines):
        self.acks = queue.Queue()
        self.socket = socket.create_connection(address, SECONDS)
        self._file = self.socket.makefile("rb")
        head = "".join(f"{name}: {value}\r\n" for name, value in lines)
        begun = time.monotonic()
        self.socket.sendall(f"POST /putMedia HTTP/1.1\r\n{head}\r\n".encode())
        self.statuses = [self._head()]
        self.waited = time.monotonic() - begun  # for 100 Continue
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(SECONDS)
        self._file.close()
        self.socket.close()

    def _head(self):
        status = int(self._file.readline().split()[1])
        while self._file.readline().strip():
            pass
        return status

    def _read(self):
        try:
            self.statuses.append(self._head())
            while size := int(self._file.readline() or b"0", 16):
                self.acks.put(parsed(self._file.read(size)))
                self._file.readline()
        except (OSError, ValueError, AssertionError, IndexError) as error:
            self.acks.put(error)
        self.acks.put(None)

    def send(self, *parts):
        """One HTTP chunk."""
        body = b"".join(parts)
        self.socket.sendall(b"%x\r\n%b\r\n" % (len(body), body))

    def ack(self):
        """Return the next acknowledgement, None at the end; raise what went wrong."""
        found = self.acks.get(timeout=SECONDS)
        if isinstance(found, Exception):
            raise found
        return found

    def until(self, kind, time_ms):
        """Wait for the acknowledgement of a kind for the fragment of a time."""
        while (ack := self.ack()) and (ack["EventType"], ack.get("FragmentTimecode")) != (
            kind,
            time_ms,
        ):
            pass
        assert ack, f"the answer ended before {kind}"
        return ack

    def finish(self):
        """Send the terminating chunk; return the remaining acknowledgements."""
        self.socket.sendall(b"0\r\n\r\n")
        return list(iter(self.ack, None))


def parsed(piece):
    """One acknowledgement, if it is as flat, short and exact as the C parser wants it."""
    assert len(piece) <= LARGEST_PIECE, f"a piece of {len(piece)} bytes"
    ack = json.loads(piece, object_pairs_hook=_once)
    assert ack["EventType"] in KINDS, ack
    for name in ("FragmentTimecode", "ErrorId"):
        assert str(ack.get(name, 0)).isdecimal(), ack
    assert ack.get("FragmentNumber", "0").isdecimal(), ack
    assert (ack["EventType"] == "ERROR") == ("ErrorId" in ack), ack
    return ack


def _once(pairs):
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names), f"a key twice in {names}"
    assert not any(isinstance(value, dict | list) for _, value in pairs), "nested"
    return dict(pairs)


def tokens(value):
    """How many tokens a JSON value has for the C library that reads it."""
    if isinstance(value, dict):
        return 1 + sum(1 + tokens(one) for one in value.values())
    if isinstance(value, list):
        return 1 + sum(tokens(one) for one in value)
    return 1
