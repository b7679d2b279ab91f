"""Records: read strictly, and explained when they are none."""

import json

import pytest

from tests.support.records.alert_harness import START, face, match, record
from whosthere.clock import iso
from whosthere.errors import RecordError
from whosthere.geometry import Box, distance
from whosthere.ingest import record as records


def read_frame(found, stack):
    return records.read_frame(found, stack, id="1", recognised_ms=START)


def test_a_record_is_read_with_both_clocks_and_in_milliseconds():
    found = record(2.5, face(match("p-1", 97.5), match("p-2", 81)), face())
    video = found["InputInformation"]["KinesisVideo"]
    video["FrameOffsetInSeconds"] = 0.2000000029802322  # a 32-bit float's 0.2
    frame = read_frame(found, "whosthere")
    assert (frame.camera, frame.captured_ms) == ("front-door", START + 2700)
    assert frame.server_ms == START + 3100
    assert frame.offset_ms == 200
    assert [match.person_id for match in frame.faces[0].matches] == ["p-1", "p-2"]
    assert frame.faces[1].matches == ()


def test_a_frame_without_faces_is_a_record():
    assert read_frame(record(0), "whosthere").faces == ()


def test_an_arn_without_a_creation_time_is_a_streams_too():
    found = record(0)
    video = found["InputInformation"]["KinesisVideo"]
    video["StreamArn"] = video["StreamArn"].rpartition("/")[0]
    assert read_frame(found, "whosthere").camera == "front-door"


@pytest.mark.parametrize(
    ("label", "who"),
    [("p-1:0123456789abcdef", "p-1"), ("p-1", "p-1"), ("their:own:label", "their"), (":1", "f9")],
)
def test_a_label_says_whose_the_face_is_and_of_which_photo(label, who):
    known = match(label, 90.0)
    known["Face"]["FaceId"] = "f9"
    assert read_frame(record(0, face(known)), "whosthere").faces[0].matches[0].person_id == who


def test_a_face_indexed_without_a_name_is_still_somebody_known():
    known = {"Similarity": 95.0, "Face": {"FaceId": "f9"}}
    assert read_frame(record(0, face(known)), "whosthere").faces[0].matches[0].person_id == "f9"


BROKEN = [
    ("InputInformation", None),
    ("InputInformation.KinesisVideo.StreamArn", 7),
    ("InputInformation.KinesisVideo.FragmentNumber", ""),
    ("InputInformation.KinesisVideo.ServerTimestamp", "1510552593.455"),
    ("InputInformation.KinesisVideo.ProducerTimestamp", True),
    ("InputInformation.KinesisVideo.FrameOffsetInSeconds", None),
    ("FaceSearchResponse", {}),
    ("FaceSearchResponse.0.DetectedFace", None),
    ("FaceSearchResponse.0.DetectedFace.BoundingBox.Width", 0),
    ("FaceSearchResponse.0.DetectedFace.Pose.Yaw", "left"),
    ("FaceSearchResponse.0.DetectedFace.Quality.Sharpness", None),
    ("FaceSearchResponse.0.MatchedFaces.0.Similarity", None),
    ("FaceSearchResponse.0.MatchedFaces.0.Face.FaceId", 12),
    # Numbers that are none for the arithmetic, the table or the calendar.
    ("InputInformation.KinesisVideo.ServerTimestamp", 1e308),
    ("InputInformation.KinesisVideo.ServerTimestamp", 10**400),
    ("InputInformation.KinesisVideo.ProducerTimestamp", -1),
    ("InputInformation.KinesisVideo.ProducerTimestamp", 253_402_300_800),
    ("InputInformation.KinesisVideo.FrameOffsetInSeconds", 1e308),
    ("FaceSearchResponse.0.DetectedFace.BoundingBox.Left", -1e308),
    ("FaceSearchResponse.0.DetectedFace.BoundingBox.Height", 1e-9),
    ("FaceSearchResponse.0.DetectedFace.BoundingBox.Height", 1e200),
    ("FaceSearchResponse.0.DetectedFace.Quality.Sharpness", 10**400),
    ("FaceSearchResponse.0.MatchedFaces.0.Similarity", 1e200),
    ("FaceSearchResponse.0.MatchedFaces.0.Similarity", -5),
    ("FaceSearchResponse.0.DetectedFace.Confidence", 100.1),
    ("FaceSearchResponse.0.DetectedFace.BoundingBox.Left", -1.5),
    ("InputInformation.KinesisVideo.FrameOffsetInSeconds", -5),
    ("InputInformation.KinesisVideo.FragmentNumber", "9" * 129),
    # More than Rekognition finds.
    ("FaceSearchResponse", [face()] * 101),
    ("FaceSearchResponse.0.MatchedFaces", [match("p-1")] * 4097),
    # Texts that are no part of a key.
    ("FaceSearchResponse.0.MatchedFaces.0.Face.ExternalImageId", "p" * 1001),
    ("FaceSearchResponse.0.MatchedFaces.0.Face.FaceId", "f" * 1001),
    ("InputInformation.KinesisVideo.FragmentNumber", "9" * 1001),
]


@pytest.mark.parametrize(("path", "value"), BROKEN)
def test_a_broken_record_is_refused_and_the_field_is_named(path, value):
    found = record(0, face(match("p-1")))
    *way, last = path.split(".")
    place = found
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    place[last] = value
    with pytest.raises(RecordError, match=last):
        read_frame(found, "whosthere")


@pytest.mark.parametrize("text", ["[]", "7", '"x"', "null", "{}"])
def test_json_of_another_kind_is_refused_with_a_reason(text):
    with pytest.raises(RecordError, match="."):
        read_frame(json.loads(text), "whosthere")


def test_a_reason_names_what_is_wrong_and_nothing_of_the_frame():
    found = record(0, face(match("p-secret")))
    found["FaceSearchResponse"][0]["MatchedFaces"][0]["Face"]["FaceId"] = {"p-secret": 1}
    del found["InputInformation"]["KinesisVideo"]["StreamArn"]
    with pytest.raises(RecordError) as refused:
        read_frame(found, "whosthere")
    assert str(refused.value) == (
        "FaceSearchResponse.0.MatchedFaces.0.Face.FaceId: type has to be string; "
        "InputInformation.KinesisVideo: 'StreamArn' is a required property"
    )


@pytest.mark.parametrize("text", ["ä" * 501, "\ud800"])
def test_a_text_is_bounded_in_bytes_of_utf_8(text):
    with pytest.raises(RecordError, match=r"too long|surrogates"):
        read_frame(record(0, face(match(text))), "whosthere")


def test_numbers_that_are_none_are_refused():
    found = record(0, face())
    text = json.dumps(found).replace("99.9", "NaN")
    with pytest.raises(RecordError):
        read_frame(json.loads(text), "whosthere")


def test_the_extremes_that_are_read_can_be_written():
    for seconds, size in zip(records.TIMES, records.SIZES, strict=True):
        found = record(0, face(match("p-1"), box=(0, 0, size, size)))
        video = found["InputInformation"]["KinesisVideo"]
        for name in ("ServerTimestamp", "ProducerTimestamp", "FrameOffsetInSeconds"):
            video[name] = seconds
        assert records.explain(found) == ""
        frame = read_frame(found, "whosthere")
        assert iso(frame.captured_ms) == iso(frame.server_ms)
        box = Box.from_row(frame.faces[0].box.to_row())
        assert distance(box, box, 1000) in (0, None)


def test_whatever_goes_wrong_while_a_record_is_read_is_a_record_error(monkeypatch):
    def fail(*_):
        raise OverflowError("not thought of")

    monkeypatch.setattr(records, "camera_of_arn", fail)
    with pytest.raises(RecordError, match="not thought of"):
        read_frame(record(0), "whosthere")


def test_another_stacks_stream_is_refused():
    with pytest.raises(RecordError, match="no camera of this stack"):
        read_frame(record(0), "elsewhere")


def test_what_the_schema_calls_right_is_read():
    found = record(1, face(match("p-1")), face(box=(-0.01, 0.9, 0.1, 0.2)))
    assert records.explain(found) == ""
    assert len(read_frame(found, "whosthere").faces) == 2
