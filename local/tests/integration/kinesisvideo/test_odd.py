"""Odd and hostile requests on every route: an error in AWS's shape, and no harm."""

import json
import random
import string
import uuid

import pytest

from local.tests.support.kinesisvideo_raw import operations, send
from local.tests.support.memory import growth

MEGABYTE = 1024 * 1024
OPERATIONS = {name: (path, model.input_shape, port) for name, path, model, port in operations()}
IMPLEMENTED = {
    "CreateStream", "DeleteStream", "DescribeImageGenerationConfiguration",
    "DescribeNotificationConfiguration", "DescribeStream", "DescribeStreamStorageConfiguration",
    "GetClip", "GetDataEndpoint", "GetImages", "GetMedia", "GetMediaForFragmentList",
    "ListFragments", "ListStreams", "ListTagsForStream", "TagStream", "UntagStream",
    "UpdateDataRetention", "UpdateImageGenerationConfiguration",
    "UpdateNotificationConfiguration", "UpdateStream", "UpdateStreamStorageConfiguration",
}  # fmt: skip
NO_JSON = [b"{", b"door", b"\xff\xfe\x00", b"\x00" * 100, b"[" * 100_000, b'{"a":' * 100_000,
           b'{"StreamName": NaN}', b"9" * 5000]  # fmt: skip
NO_PARAMETERS = [b"null", b"[]", b'"door"', b"17", b"true", b"1e400"]
HUGE = {"integer": 2**40, "long": 2**70, "timestamp": 10**300, "string": "x" * 100_000}
WRONG = {"string": 7, "integer": "7", "long": 1.5, "timestamp": {}, "structure": [], "list": {},
         "map": "x", "boolean": "yes"}  # fmt: skip
CONTENT_TYPES = [
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "application/x-amz-json-1.1", "x" * 1000, None,
]  # fmt: skip


@pytest.fixture(scope="module")
def stream(laptop):
    control = laptop.client("kinesisvideo")
    name = f"odd-{uuid.uuid4().hex[:8]}"
    arn = control.create_stream(StreamName=name, DataRetentionInHours=1)["StreamARN"]
    yield name
    control.delete_stream(StreamARN=arn)


def asked(laptop, name, body, **more):
    path, _, port = OPERATIONS[name]
    return send(laptop, port, path, body, **more)


def is_error_of_aws(answer, *names):
    """An error that SDKs understand, of one of the names."""
    document = answer.document
    return (
        400 <= answer.status < 500
        and answer.error in names
        and answer.headers["content-type"] == "application/json"
        and document["__type"] == answer.error
        and 0 < len(document["message"]) < 500
    )


def some(name, whole, odd):
    """All that is odd, or one of it, another for each operation."""
    return odd if whole else [odd[sorted(OPERATIONS).index(name) % len(odd)]]


# Requests of all operations are read in one place: by default each is asked with something else.
WHOLE = pytest.mark.parametrize(
    "whole", [False, pytest.param(True, marks=pytest.mark.long)], ids=["one", "all"]
)


@WHOLE
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_operation_of_aws_s_answers_what_is_no_request_by_an_error_s_name(
    laptop, name, whole
):
    known = ["SerializationException"] if name in IMPLEMENTED else ["UnknownOperationException"]
    for body in some(name, whole, NO_JSON):
        assert is_error_of_aws(asked(laptop, name, body), *known), body[:20]
    if name in IMPLEMENTED:
        known = ["InvalidArgumentException"]
    for body in some(name, whole, NO_PARAMETERS):
        assert is_error_of_aws(asked(laptop, name, body), *known, "SerializationException")


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - IMPLEMENTED))
def test_what_is_not_implemented_answers_with_its_name(laptop, name):
    answer = asked(laptop, name, b"{}")
    assert (answer.status, answer.error) == (404, "UnknownOperationException")
    assert name in answer.document["message"]


def faulty(shape, stream):
    """Bodies with one fault each: a member of another type, or far too large."""
    for member, inner in shape.members.items():
        named = {"StreamName": stream} if member != "StreamName" else {}
        for value in (WRONG[inner.type_name], HUGE.get(inner.type_name)):
            if value is not None:
                yield member, json.dumps({**named, member: value}).encode()


@pytest.mark.parametrize("name", sorted(IMPLEMENTED))
def test_a_parameter_of_another_type_or_far_too_large_is_refused(laptop, stream, name):
    for member, body in faulty(OPERATIONS[name][1], stream):
        answer = asked(laptop, name, body)
        assert is_error_of_aws(answer, "InvalidArgumentException"), (member, answer.body)


@WHOLE
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_another_method_is_no_operation(laptop, name, whole):
    for method in some(name, whole, ("GET", "PUT", "DELETE", "PATCH")):
        answer = asked(laptop, name, b"{}", method=method)
        assert (answer.status, answer.error) == (404, "UnknownOperationException"), method


@pytest.mark.parametrize("content_type", CONTENT_TYPES, ids=lambda kind: str(kind)[:20])
def test_the_content_type_decides_nothing(laptop, stream, content_type):
    body = json.dumps({"StreamName": stream}).encode()
    answer = asked(laptop, "DescribeStream", body, content_type=content_type)
    assert answer.document["StreamInfo"]["StreamName"] == stream
    answer = asked(laptop, "GetClip", body, content_type=content_type)
    assert is_error_of_aws(answer, "InvalidArgumentException")


RANGES = [
    ("NaN", "1"), ("1e400", "1e400"), ("-1e400", "0"), ("1e300", "1e300"), ("5", "4"),
    ('"tomorrow"', "5"), ("null", "5"), ("1", "1e17"), ("true", "2"), ("-1e13", "0"),
]  # fmt: skip


@pytest.mark.parametrize(("start", "end"), RANGES)
def test_times_that_are_none_are_refused(laptop, stream, start, end):
    times = f'"StartTimestamp": {start}, "EndTimestamp": {end}'
    kind = '"FragmentSelectorType": "PRODUCER_TIMESTAMP"'
    selector = f'{{{kind}, "TimestampRange": {{{times}}}}}'
    bodies = {
        "ListFragments": f'{{"StreamName": "{stream}", "FragmentSelector": {selector}}}',
        "GetClip": f'{{"StreamName": "{stream}", "ClipFragmentSelector": {selector}}}',
        "GetImages": f'{{"StreamName": "{stream}", "ImageSelectorType": "PRODUCER_TIMESTAMP",'
        f' "Format": "PNG", {times}}}',
    }
    for name, body in bodies.items():
        answer = asked(laptop, name, body.encode())
        known = ("InvalidArgumentException", "SerializationException")
        assert is_error_of_aws(answer, *known), (name, answer.body)


def test_a_body_beyond_all_bounds_is_refused(laptop, stream):
    body = json.dumps({"StreamName": stream, "NextToken": "x" * 900_000}).encode()
    for name in ("ListStreams", "ListFragments"):
        assert is_error_of_aws(asked(laptop, name, body), "InvalidArgumentException")


def test_a_body_of_a_hundred_megabytes_is_answered_but_not_kept(laptop, stream):
    with growth(laptop) as grown:
        answer = asked(laptop, "DescribeStream", b" " * 100 * MEGABYTE)
    assert is_error_of_aws(answer, "InvalidArgumentException")
    assert grown() < 20 * MEGABYTE
    assert asked(laptop, "DescribeStream", b'{"StreamName": "%s"}' % stream.encode()).status == 200


def test_nothing_odd_shows_in_another_s_answer(laptop, stream):
    for key in (b"\\ud800", b"\\udfff\\ud800"):
        body = b'{"StreamName": "odd-key", "KmsKeyId": "' + key + b'"}'
        assert is_error_of_aws(asked(laptop, "CreateStream", body), "InvalidArgumentException")
    listed = laptop.client("kinesisvideo").list_streams()["StreamInfoList"]
    assert stream in [one["StreamName"] for one in listed]


class Scribbler:
    """Requests at random, that mostly follow the model: the same for the same seed."""

    def __init__(self, seed, stream):
        self._random = random.Random(seed)
        self._stream = stream

    def body(self, shape):
        body = json.dumps(self._value(shape, 0)).encode()
        if self._random.random() < 0.1:
            at = self._random.randrange(len(body) + 1)
            body = body[:at] + bytes([self._random.randrange(256)]) + body[at + 1 :]
        return body

    def _value(self, shape, depth):
        kind = shape.type_name
        if depth and self._random.random() < 0.05:
            return self._random.choice([None, [], {}, "", "\ud800", -1, 2**63, 1e308, True])
        if kind == "structure":
            return {
                name: self._value(member, depth + 1)
                for name, member in shape.members.items()
                if name in shape.required_members or self._random.random() < 0.6
            }
        return getattr(self, f"_{kind}")(shape, depth)

    def _list(self, shape, depth):
        return [self._value(shape.member, depth + 1) for _ in range(self._random.randrange(4))]

    def _map(self, shape, depth):
        return {
            str(self._value(shape.key, depth + 1)): self._value(shape.value, depth + 1)
            for _ in range(self._random.randrange(3))
        }

    def _string(self, shape, depth):
        if names := shape.metadata.get("enum"):
            return self._random.choice(names)
        if shape.name == "StreamName":
            return self._random.choice([self._stream, "nothing", "no such stream"])
        letters = self._random.choices(string.printable + "äß€", k=self._random.randrange(30))
        return self._random.choice(["100", "s3://bucket/folder", "us-east-1", "".join(letters)])

    def _integer(self, shape, depth):
        return self._random.choice([0, 1, 25, 200, 1000, -1, 2**31 - 1, 2**31, 10**30])

    _long = _integer

    def _boolean(self, shape, depth):
        return self._random.random() < 0.5

    def _timestamp(self, shape, depth):
        return self._random.choice([0, 1, 300, 1.8e9, 1e300, -1, "2027-01-01T00:00:00Z", "soon"])


UNHARMED = {"CreateStream", "DeleteStream", "GetMedia"}  # GetMedia would wait for media


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_requests_at_random_never_break_anything(laptop, stream, seed):
    scribbler = Scribbler(seed, stream)
    for _ in range(20):
        for name in sorted(IMPLEMENTED - UNHARMED):
            body = scribbler.body(OPERATIONS[name][1])
            answer = asked(laptop, name, body)
            assert answer.status < 500, (name, body)
            assert answer.status == 200 or answer.error, (name, body)
    laptop.client("kinesisvideo").describe_stream(StreamName=stream)
