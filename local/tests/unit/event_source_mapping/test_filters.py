"""The filter patterns of a mapping, on records as the stream processor writes them."""

import json

import pytest

from local.event_source_mapping.batches.events import to_event_record
from local.event_source_mapping.filters import FilterError, compile_pattern
from local.event_source_mapping.mapping import parse_mapping
from local.event_source_mapping.model import Record

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/front-door"

SOME_FACE = {"data": {"FaceSearchResponse": {"DetectedFace": {"Confidence": [{"exists": True}]}}}}
SOME_MATCH = {
    "data": {"FaceSearchResponse": {"MatchedFaces": {"Face": {"FaceId": [{"exists": True}]}}}}
}


def face(*matches, confidence=99.9):
    return {
        "DetectedFace": {"Confidence": confidence, "Pose": {"Yaw": 2.5}},
        "MatchedFaces": [
            {"Similarity": similarity, "Face": {"FaceId": face_id, "ExternalImageId": person}}
            for similarity, face_id, person in matches
        ],
    }


def frame(*faces):
    return {
        "InputInformation": {
            "KinesisVideo": {"FragmentNumber": "913", "FrameOffsetInSeconds": 0.2}
        },
        "StreamProcessorInformation": {"Status": "RUNNING"},
        "FaceSearchResponse": list(faces),
    }


ALICE = (97.5, "f1", "alice")
BETH = (81.0, "f2", "beth")


def passes(data, *patterns, key="camera"):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    record = Record("1", 1.0, key, raw)
    criteria = {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in patterns]}
    mapping = parse_mapping(
        {
            "UUID": "m",
            "EventSourceArn": STREAM,
            "FunctionArn": "f",
            "FilterCriteria": criteria,
        }
    )
    assert mapping.problem is None, mapping.problem
    event_record = to_event_record(record, shard_id="s", stream_arn=STREAM, role_arn="r")
    return mapping.passes_filters(record, event_record.event)


@pytest.mark.parametrize(
    ("data", "some_face", "some_match"),
    [
        (frame(), False, False),
        (frame(face()), True, False),
        (frame(face(ALICE)), True, True),
        (frame(face(), face(ALICE, BETH)), True, True),
    ],
)
def test_a_leaf_inside_nested_lists_of_objects_is_found(data, some_face, some_match):
    assert passes(data, SOME_FACE) is some_face
    assert passes(data, SOME_MATCH) is some_match


def test_an_object_or_list_is_no_leaf_and_does_not_exist():
    assert not passes(frame(face()), {"data": {"FaceSearchResponse": [{"exists": True}]}})
    assert passes(frame(face()), {"data": {"FaceSearchResponse": [{"exists": False}]}})


def test_two_fields_must_hold_for_the_same_element_of_a_list():
    pattern = {
        "data": {
            "FaceSearchResponse": {
                "MatchedFaces": {
                    "Similarity": [{"numeric": [">=", 90]}],
                    "Face": {"ExternalImageId": ["beth"]},
                }
            }
        }
    }
    assert not passes(frame(face(ALICE, BETH)), pattern)
    assert not passes(frame(face(ALICE), face(BETH)), pattern)
    assert passes(frame(face(ALICE, (90.0, "f2", "beth"))), pattern)


def leaf(rule):
    return {"data": {"x": rule}}


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        (["a"], "a", True),
        (["a"], "b", False),
        (["a", "b"], "b", True),
        ([1], 1.0, True),
        ([1], "1", False),
        ([1], True, False),
        ([True], True, True),
        ([True], 1, False),
        ([None], None, True),
        ([None], "", False),
        ([""], "", True),
        ([""], None, False),
        ([{"exists": True}], None, True),
        ([{"exists": True}], [], False),
        ([{"exists": False}], [], True),
        ([{"exists": False}], 3, False),
        ([{"exists": False}, "a"], "a", True),
        ([{"prefix": "ab"}], "abc", True),
        ([{"prefix": "ab"}], "cab", False),
        ([{"prefix": "1"}], 10, False),
        ([{"suffix": ".jpg"}], "1.jpg", True),
        ([{"suffix": ".jpg"}], "1.png", False),
        ([{"equals-ignore-case": "Front-Door"}], "FRONT-door", True),
        ([{"equals-ignore-case": "Front-Door"}], "back-door", False),
        ([{"anything-but": "a"}], "b", True),
        ([{"anything-but": "a"}], "a", False),
        ([{"anything-but": ["a", 1]}], 1, False),
        ([{"anything-but": ["a", 1]}], ["a", "c"], True),
        ([{"anything-but": ["a"]}], [], False),
        ([{"numeric": ["=", 5]}], 5.0, True),
        ([{"numeric": [">", 0, "<=", 5]}], 5, True),
        ([{"numeric": [">", 0, "<=", 5]}], 5.01, False),
        ([{"numeric": [">", 0]}], "1", False),
        ([{"numeric": [">", 0]}], True, False),
        (["b"], ["a", "b"], True),
        (["b"], ["a", ["b"]], True),
        (["b"], {"b": 1}, False),
    ],
)
def test_each_operator_does_what_the_guide_says(rule, value, expected):
    assert passes({"x": value}, leaf(rule)) is expected


@pytest.mark.parametrize(
    ("pattern", "data", "expected"),
    [
        ({"data": {"x": [1], "y": [2]}}, {"x": 1, "y": 2}, True),
        ({"data": {"x": [1], "y": [2]}}, {"x": 1, "y": 3}, False),
        ({"data": {"$or": [{"x": [1]}, {"y": [2]}]}}, {"x": 7, "y": 2}, True),
        ({"data": {"$or": [{"x": [1]}, {"y": [2]}]}}, {"x": 7, "y": 7}, False),
        ({"data": {"z": [0], "$or": [{"x": [1]}, {"y": [2]}]}}, {"x": 1, "z": 9}, False),
        ({"data": {"z": [0], "$or": [{"x": [1]}, {"y": [2]}]}}, {"x": 1, "z": 0}, True),
        ({"$or": [{"data": {"x": [1]}}, {"partitionKey": ["camera"]}]}, {}, True),
        ({"data": {"absent": [{"exists": False}], "x": [1]}}, {"x": 1}, True),
    ],
)
def test_fields_are_anded_and_or_is_ored(pattern, data, expected):
    assert passes(data, pattern) is expected


def test_several_filters_are_ored():
    assert passes({"x": 2}, leaf([1]), leaf([2]))
    assert not passes({"x": 3}, leaf([1]), leaf([2]))


def test_without_a_filter_everything_passes():
    assert passes(b"\xff\x00 no JSON")


def test_data_that_is_not_json_fails_a_filter_on_data_only():
    assert not passes(b"plain text", SOME_FACE)
    assert not passes(b"\xff\xfe", leaf([{"exists": False}]))
    assert passes(b"plain text", {"partitionKey": ["camera"]})
    assert not passes(b"plain text", {"partitionKey": ["other"]})
    assert passes(b"plain text", SOME_FACE, {"partitionKey": ["camera"]})


@pytest.mark.parametrize("depth", [500, 990, 20_000])
@pytest.mark.parametrize("opened", ["[", '{"DetectedFace":'])
def test_data_that_is_nested_too_deep_passes_no_filter_and_stops_nothing(depth, opened):
    closed = "]" if opened == "[" else "}"
    for end in ("", "1" + closed * depth + "}"):
        data = '{"FaceSearchResponse":' + opened * depth + end
        assert not passes(data.encode(), SOME_FACE)


def test_a_pattern_that_is_nested_too_deep_is_refused():
    for text in ('{"a":' * 20_000, '{"a":' * 900 + '["x"]' + "}" * 900):
        with pytest.raises(FilterError):
            compile_pattern(text)


def test_a_filter_may_be_on_data_and_partition_key():
    pattern = {"partitionKey": [{"prefix": "cam"}], **leaf([1])}
    assert passes({"x": 1}, pattern)
    assert not passes({"x": 1}, pattern, key="door")


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        "{}",
        '{"data": {}}',
        '{"data": {"x": []}}',
        '{"data": {"x": "a"}}',
        '{"data": {"x": [[1]]}}',
        '{"data": {"x": [{"wildcard": "a*"}]}}',
        '{"data": {"x": [{"prefix": 1}]}}',
        '{"data": {"x": [{"numeric": [">"]}]}}',
        '{"data": {"x": [{"numeric": ["~", 1]}]}}',
        '{"data": {"x": [{"exists": "yes"}]}}',
        '{"data": {"x": [{"anything-but": []}]}}',
        '{"data": {"x": [{"prefix": "a", "suffix": "b"}]}}',
        '{"data": {"$or": [{"x": [1]}]}}',
    ],
)
def test_a_pattern_that_lambda_refuses_is_refused(text):
    with pytest.raises(FilterError):
        compile_pattern(text)


def test_a_plain_text_filter_on_data_is_the_mappings_problem():
    settings = {
        "UUID": "m",
        "EventSourceArn": STREAM,
        "FunctionArn": "f",
        "FilterCriteria": {"Filters": [{"Pattern": '{"data": ["text"]}'}]},
    }
    problem = parse_mapping(settings).problem
    assert problem is not None
    assert problem.startswith("Invalid filter pattern definition")
