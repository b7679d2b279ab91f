"""Waiting for data streams: in any order, through refusals, and not for ever."""

import pytest
from botocore.exceptions import ClientError

from whosthere.errors import StreamsNotActiveError
from whosthere.session.streams import wait_for_cameras, wait_until_active


class Kinesis:
    """Streams that become ACTIVE after so many looks; None never does, a text is a refusal."""

    def __init__(self, **looks):
        self.looks = looks

    def describe_stream_summary(self, StreamName):
        left = self.looks[StreamName]
        if isinstance(left, str) or left is None:
            code = left or "ResourceNotFoundException"
            raise ClientError({"Error": {"Code": code, "Message": ""}}, "DescribeStreamSummary")
        self.looks[StreamName] = left - 1
        status = "ACTIVE" if left <= 0 else "CREATING"
        return {"StreamDescriptionSummary": {"StreamStatus": status}}


def test_all_streams_are_waited_for_and_each_only_until_it_is_active():
    kinesis, pauses = Kinesis(a=3, b=0, c=1), []
    wait_until_active(kinesis, ["a", "b", "c"], pause=pauses.append)
    assert len(pauses) == 3
    assert kinesis.looks == {"a": -1, "b": -1, "c": -1}


def test_no_stream_is_waited_for_without_an_end():
    kinesis, pauses = Kinesis(a=0, b=None, c="AccessDeniedException"), []
    with pytest.raises(StreamsNotActiveError) as failed:
        wait_until_active(kinesis, ["a", "b", "c"], seconds=20, pause=pauses.append)
    assert sum(pauses) == 20
    assert "b: ResourceNotFoundException, c: AccessDeniedException" in str(failed.value)
    assert "a:" not in str(failed.value)
    assert "at most five" in str(failed.value)


def test_a_name_that_no_stream_can_have_is_not_waited_for():
    pauses = []
    with pytest.raises(ClientError, match="ValidationException"):
        wait_until_active(Kinesis(a=3, b="ValidationException"), ["a", "b"], pause=pauses.append)
    assert not pauses


def test_the_streams_of_cameras_that_go_are_not_waited_for():
    event = {"ResourceProperties": {"Cameras": ["a"]}}
    wait_for_cameras(Kinesis(), "home", event | {"RequestType": "Delete"})
    kinesis = Kinesis(**{"home-a": 0})
    wait_for_cameras(kinesis, "home", event | {"RequestType": "Update"})
    assert kinesis.looks == {"home-a": -1}
