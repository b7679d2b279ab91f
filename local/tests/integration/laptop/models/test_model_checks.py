"""The check of answers finds what it is there for."""

import json

import pytest

from local.tests.support.models.checks import check_answer, model

STREAM = {"StreamName": "door", "Status": "ACTIVE", "DataRetentionInHours": 1}
FACE = {"FaceId": "0" * 8 + "-0000-0000-0000-" + "0" * 12, "Confidence": 99.5}


def check(service, name, answer, status=200, **headers):
    """The check of an answer as its bytes."""
    operation = model(service).operation_model(name)
    check_answer(operation, status, headers, json.dumps(answer).encode())


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"Colour": "red"}, "unknown Colour"),
        ({"Status": "READY"}, "Status is not one of"),
        ({"StreamName": "a door"}, "StreamName does not match"),
        ({"StreamName": ""}, "StreamName: 0 is out of bounds"),
        ({"DataRetentionInHours": "1"}, "DataRetentionInHours is no integer"),
        ({"DataRetentionInHours": True}, "DataRetentionInHours is no integer"),
        ({"CreationTime": "2026-01-01"}, "CreationTime is no timestamp"),
    ],
)
def test_an_answer_that_the_model_does_not_allow_is_found(changes, complaint):
    check("kinesisvideo", "DescribeStream", {"StreamInfo": STREAM})
    with pytest.raises(AssertionError, match=complaint):
        check("kinesisvideo", "DescribeStream", {"StreamInfo": STREAM | changes})


def test_a_list_is_looked_into():
    check("rekognition", "ListFaces", {"Faces": [FACE]})
    with pytest.raises(AssertionError, match="FaceId does not match"):
        check("rekognition", "ListFaces", {"Faces": [FACE, FACE | {"FaceId": "1"}]})


@pytest.mark.parametrize(
    ("code", "status", "complaint"),
    [
        ("ResourceNotFoundException", 400, "status 400, not 404"),
        ("NoDataRetentionException", 400, "is not an error of it"),
        ("AccessDeniedException", 403, None),
        ("ResourceNotFoundException", 404, None),
    ],
)
def test_an_error_is_one_of_the_operation_s_with_its_status(code, status, complaint):
    answer = {"__type": code, "Message": "No"}
    if complaint is None:
        check("kinesisvideo", "DescribeStream", answer, status)
        return
    with pytest.raises(AssertionError, match=complaint):
        check("kinesisvideo", "DescribeStream", answer, status)


def test_an_error_says_something():
    with pytest.raises(AssertionError, match="says nothing"):
        check("rekognition", "ListFaces", {"__type": "InvalidParameterException"}, 400)


def test_a_client_s_answers_are_checked(laptop):
    """The event that the check hangs on is still sent: it is no promise of botocore's."""
    client = laptop.session().client("kinesisvideo", endpoint_url=laptop.endpoint)
    seen = []

    def answered(response_dict, **_):
        seen.append(response_dict)
        response_dict["body"] = b'{"StreamInfoList": [{"Colour": "red"}]}'

    client.meta.events.register_first("response-received.kinesis-video.ListStreams", answered)
    with pytest.raises(AssertionError, match="unknown Colour"):
        client.list_streams()
    assert seen
