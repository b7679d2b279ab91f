"""Odd and hostile requests on every route: an error in AWS's shape, and no harm."""

import json
import uuid

import pytest

from local.tests.support.kinesisvideo.raw import operations, send
from local.tests.support.laptop.memory import growth

MEGABYTE = 1024 * 1024
OPERATIONS = {name: (path, model.input_shape, port) for name, path, model, port in operations()}
IMPLEMENTED = {
    "CreateStream", "DeleteStream", "DescribeImageGenerationConfiguration",
    "DescribeNotificationConfiguration", "DescribeStream", "DescribeStreamStorageConfiguration",
    "GetClip", "GetDataEndpoint", "GetHLSStreamingSessionURL", "GetImages", "GetMedia",
    "GetMediaForFragmentList", "ListFragments", "ListStreams", "ListTagsForStream",
    "TagStream", "UntagStream", "UpdateDataRetention", "UpdateImageGenerationConfiguration",
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


# One operation of each plane, and one that is not implemented: each kind is read in one place.
READ_APART = ["DescribeStream", "ListFragments", "CreateSignalingChannel"]


@pytest.mark.parametrize("name", READ_APART)
def test_what_is_no_request_is_answered_by_an_error_s_name(laptop, name):
    known = ["SerializationException"] if name in IMPLEMENTED else ["UnknownOperationException"]
    for body in NO_JSON:
        assert is_error_of_aws(asked(laptop, name, body), *known), body[:20]
    if name in IMPLEMENTED:
        known = ["InvalidArgumentException"]
    for body in NO_PARAMETERS:
        assert is_error_of_aws(asked(laptop, name, body), *known, "SerializationException")


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


@pytest.mark.parametrize("name", READ_APART)
def test_another_method_is_no_operation(laptop, name):
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = asked(laptop, name, b"{}", method=method)
        assert (answer.status, answer.error) == (404, "UnknownOperationException"), method


@pytest.mark.parametrize("content_type", CONTENT_TYPES, ids=lambda kind: str(kind)[:20])
def test_the_content_type_decides_nothing(laptop, stream, content_type):
    body = json.dumps({"StreamName": stream}).encode()
    answer = asked(laptop, "DescribeStream", body, content_type=content_type)
    assert answer.document["StreamInfo"]["StreamName"] == stream
    answer = asked(laptop, "GetClip", body, content_type=content_type)
    assert is_error_of_aws(answer, "InvalidArgumentException")


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
