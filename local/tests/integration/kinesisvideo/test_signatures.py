"""PutMedia as each kind of producer signs it."""

import hashlib
import socket
import time
import uuid
from urllib.parse import urlsplit

import pytest

from local.tests.support.kinesisvideo.kvssink_signing import EMPTY, authorization

UNSIGNED = "UNSIGNED-PAYLOAD"
MEDIA_HEADERS = (
    "x-amzn-fragment-timecode-type",
    "x-amzn-producer-start-timestamp",
    "x-amzn-stream-name",
)


@pytest.fixture(scope="module")
def stream(laptop):
    control = laptop.client("kinesisvideo")
    name = f"stream-{uuid.uuid4().hex[:8]}"
    arn = control.create_stream(StreamName=name, DataRetentionInHours=1)["StreamARN"]
    yield name
    control.delete_stream(StreamARN=arn)


def put(laptop, stream, *, host=None, signed=(), payload=EMPTY, unsigned=()):
    """The status that PutMedia answers to a producer that sends and signs these headers."""
    address = urlsplit(laptop.facts["media_endpoint"])
    headers = {
        "host": host or address.netloc,
        "connection": "keep-alive",
        "transfer-encoding": "chunked",
        "user-agent": "AWS-SDK-KVS-CPP-CLIENT/3.5.0/1.6.0 GCC/12.2.0 Linux/6.1 x86_64 CPPSDK",
        "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
        "x-amzn-fragment-acknowledgment-required": "1",
        "x-amzn-fragment-timecode-type": "ABSOLUTE",
        "x-amzn-producer-start-timestamp": "1795356026.58",  # milliseconds without their zero
        "x-amzn-stream-name": stream,
        "x-amz-content-sha256": UNSIGNED,
    }
    names = sorted({"host", "x-amz-date", *MEDIA_HEADERS, *signed})
    sent = {name: headers[name] for name in {*names, *unsigned, "transfer-encoding"}}
    keys = laptop.facts["access_key_id"], laptop.facts["secret_access_key"]
    sent["authorization"] = authorization(
        keys, laptop.facts["region"], "/putMedia", headers, names, payload
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    with socket.create_connection((address.hostname, address.port), 10) as connection:
        connection.sendall(f"POST /putMedia HTTP/1.1\r\n{head}\r\n0\r\n\r\n".encode())
        with connection.makefile("rb") as answer:
            return int(answer.readline().split()[1])


CPP = ("connection", "transfer-encoding", "user-agent", "x-amzn-fragment-acknowledgment-required")


def test_the_c_and_cpp_producers_sign_the_empty_body_and_hop_by_hop_headers(laptop, stream):
    assert put(laptop, stream, signed=CPP) == 200


def test_the_c_and_cpp_producers_leave_the_port_out_of_the_host(laptop, stream):
    assert put(laptop, stream, signed=CPP, host="127.0.0.1") == 200


def test_botocore_signs_the_empty_body_or_the_literal_it_is_given(laptop, stream):
    assert put(laptop, stream) == 200
    assert put(laptop, stream, signed=("x-amz-content-sha256",), payload=UNSIGNED) == 200


def test_the_java_producer_adds_its_hash_header_after_signing(laptop, stream):
    assert put(laptop, stream, unsigned=("x-amz-content-sha256",), payload=UNSIGNED) == 200


def test_a_signature_over_another_body_is_refused(laptop, stream):
    assert put(laptop, stream, payload=hashlib.sha256(b"another").hexdigest()) == 403
