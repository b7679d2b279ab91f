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
    deep = b'{"StreamNameCondition": {"ComparisonValue": null}}'
    assert requests.read("ListStreams", deep) == {"StreamNameCondition": {}}


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
    "body",
    [
        b"[" * 500_000,
        b'{"a":' * 500_000,
        b'{"StreamName": "door", "DataRetentionInHours": NaN}',
        b'{"StreamName": "door", "DataRetentionInHours": Infinity}',
        b'{"StreamName": "door", "DataRetentionInHours": ' + b"9" * 5000 + b"}",
    ],
    ids=["deep lists", "deep objects", "NaN", "Infinity", "too many digits"],
)
def test_what_only_looks_like_json_is_said_to_be_none(body):
    assert refusal("CreateStream", body).code == "SerializationException"


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("CreateStream", {"StreamName": "door", "KmsKeyId": "\ud800"}),
        ("CreateStream", {"StreamName": "door", "Tags": {"\udfff": ""}}),
        ("CreateStream", {"StreamName": "door", "DataRetentionInHours": 2**31}),
        ("GetImages", {"StreamName": "door", "SamplingInterval": 2**31}),
        ("GetImages", {"StreamName": "door", "MaxResults": 2**63}),
        ("CreateStream", {"StreamName": "door", "Tags": {"wo": None}}),
    ],
)
def test_what_no_answer_could_repeat_is_refused(operation, asked):
    assert refusal(operation, json.dumps(asked).encode()).code == "InvalidArgumentException"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (1.5, 1500),
        (1800000000, 1800000000000),
        ("2027-01-15T08:00:00Z", 1800000000000),
        ("2027-01-15T08:00:00", 1800000000000),
        (-1.5, -1500),
    ],
)
def test_timestamps_are_seconds_or_iso_8601_in_utc(given, meant):
    assert requests.milliseconds(given) == meant


@pytest.mark.parametrize(
    "given", ["soon", float("inf"), float("nan"), 1e300, -(10**30), 10**400, "9" * 5000]
)
def test_what_is_no_time_is_refused(given):
    with pytest.raises(KinesisVideoError) as caught:
        requests.milliseconds(given)
    assert len(caught.value.message) < 100


def test_a_page_s_token_carries_where_the_next_begins():
    token = requests.seal("ListStreams", {"after": "Tür"})
    assert requests.unseal("ListStreams", token) == {"after": "Tür"}


def test_a_token_is_good_for_its_own_listing_only():
    with pytest.raises(KinesisVideoError):
        requests.unseal("ListFragments", requests.seal("ListStreams", {"after": "x"}))


@pytest.mark.parametrize("token", ["nonsense", "WzFd", "AAAA", "====", "", "Ü", "A" * 44])
def test_a_made_up_token_is_refused(token):
    with pytest.raises(KinesisVideoError):
        requests.unseal("ListStreams", token)
