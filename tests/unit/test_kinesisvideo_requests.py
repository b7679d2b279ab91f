"""Requests, checked against the models of the three services."""

import json

import pytest

from local.kinesisvideo import requests
from local.kinesisvideo.errors import KinesisVideoError


def refusal(operation, body):
    with pytest.raises(KinesisVideoError) as caught:
        requests.read(operation, body)
    return caught.value


def test_a_good_request_is_its_parameters():
    asked = {"StreamName": "door", "DataRetentionInHours": 24, "Tags": {"wo": "Tür"}}
    assert requests.read("CreateStream", json.dumps(asked).encode()) == asked


def test_nothing_is_as_good_as_not_given():
    assert requests.read("CreateStream", b'{"StreamName": "door", "MediaType": null}') == {
        "StreamName": "door"
    }
    assert requests.read("ListStreams", b"") == {}


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"door"])
def test_what_is_no_json_is_said_to_be_so(body):
    assert refusal("CreateStream", body).code == "SerializationException"


@pytest.mark.parametrize(
    ("operation", "asked", "named"),
    [
        ("CreateStream", [], "CreateStream"),
        ("CreateStream", {}, "StreamName"),
        ("CreateStream", {"StreamName": 7}, "StreamName"),
        ("CreateStream", {"StreamName": ""}, "StreamName"),
        ("CreateStream", {"StreamName": "the door"}, "StreamName"),
        ("CreateStream", {"StreamName": "d" * 257}, "StreamName"),
        ("ListFragments", {"StreamName": "door", "MaxResults": 1001}, "MaxResults"),
        ("CreateStream", {"StreamName": "door", "DataRetentionInHours": True}, "DataRetention"),
        ("CreateStream", {"StreamName": "door", "Tags": {"wo!": "x"}}, "Tags"),
        ("UntagStream", {"StreamName": "door", "TagKeyList": []}, "TagKeyList"),
        ("GetDataEndpoint", {"StreamName": "door", "APIName": "GET_CAKE"}, "APIName"),
        ("GetMedia", {"StreamName": "door", "StartSelector": {}}, "StartSelectorType"),
        ("GetMediaForFragmentList", {"Fragments": ["1", "x"]}, "Fragments"),
        ("GetImages", {"Format": "JPEG"}, "ImageSelectorType"),
    ],
)
def test_a_broken_rule_is_named(operation, asked, named):
    error = refusal(operation, json.dumps(asked).encode())
    assert (error.code, error.status) == ("InvalidArgumentException", 400)
    assert named in error.message


@pytest.mark.parametrize(
    ("given", "meant"),
    [(1.5, 1500), (1800000000, 1800000000000), ("2027-01-15T08:00:00Z", 1800000000000)],
)
def test_timestamps_are_seconds_or_iso_8601(given, meant):
    assert requests.milliseconds(given) == meant


@pytest.mark.parametrize("given", ["soon", float("inf"), float("nan")])
def test_what_is_no_time_is_refused(given):
    with pytest.raises(KinesisVideoError):
        requests.milliseconds(given)


def test_a_page_s_token_carries_where_the_next_begins():
    assert requests.unseal(requests.seal({"after": "Tür"})) == {"after": "Tür"}


@pytest.mark.parametrize("token", ["nonsense", "WzFd", "AAAA", "===="])
def test_a_made_up_token_is_refused(token):
    with pytest.raises(KinesisVideoError):
        requests.unseal(token)
