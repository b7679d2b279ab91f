"""The writing half of a stream processor when the world around it misbehaves."""

import http.client
from concurrent.futures import Future

import pytest

from local.rekognition.collections import Collections, Face
from local.rekognition.processors.record import Frame
from local.rekognition.processors.spec import UNEXPECTED, ProcessorSpec
from local.rekognition.processors.writer import RecordWriter
from local.security.signing import Credentials

ARN = "arn:aws:{}:us-east-1:000000000000:{}"
FRAME = Frame(fragment="1", server=1.0, producer=1.0, offset=0.0)


class Cloud:
    """A data stream whose first answers are what they should not be."""

    account, region, endpoint = "000000000000", "us-east-1", ""

    def __init__(self, *failures):
        self._failures = list(failures)
        self.written = []

    def assume(self, role_arn, processor_arn, session):
        return Credentials("key", "secret")

    def put_record(self, keys, stream_arn, record, key):
        if self._failures:
            raise self._failures.pop(0)
        self.written.append(record)


class Writing:
    """A writer at work; what it said of its frames."""

    def __init__(self, cloud):
        collections = Collections(ARN.format("rekognition", ""))
        people = collections.create("people", {})
        for name, distance in (("near", 0.5), ("far", 0.59)):
            vector = (distance, *[0.0] * 127)
            people.add(Face(name, "image", name, {}, 99.0, vector))
        spec = ProcessorSpec(
            name="door",
            arn=ARN.format("rekognition", "streamprocessor/door"),
            video_arn=ARN.format("kinesisvideo", "stream/door/1"),
            data_arn=ARN.format("kinesis", "stream/door"),
            role_arn=ARN.format("iam", "role/door"),
            collection="people",
            threshold=85.5,
        )
        self.failed, self.settled = [], 0
        self.writer = RecordWriter(spec, cloud, collections, self.failed.append, self.settle)
        self.writer.start()

    def settle(self):
        self.settled += 1

    def write(self, *frames):
        """Write the records of frames with these faces, until all are settled."""
        for faces in frames:
            found = Future()
            found.set_result(faces)
            self.writer.add(FRAME, found)
        self.writer.close()


@pytest.mark.parametrize(
    "failure",
    [http.client.IncompleteRead(b""), ConnectionResetError(), http.client.BadStatusLine("")],
)
def test_an_answer_that_breaks_off_is_asked_for_again(failure):
    cloud = Cloud(failure)
    writing = Writing(cloud)
    writing.write([])
    assert (len(cloud.written), writing.failed, writing.settled) == (1, [], 1)


def test_what_nobody_foresaw_ends_the_run_and_no_frame_waits_for_ever(caplog):
    cloud = Cloud()
    writing = Writing(cloud)
    writing.write([{"no": "detail"}], [])
    assert (writing.failed, writing.settled) == ([UNEXPECTED], 2)
    assert "can't be written" in caplog.text


def test_a_face_is_matched_by_the_processors_own_threshold():
    cloud = Cloud()
    Writing(cloud).write([{"detail": {}, "vector": [0.0] * 128}])
    [record] = cloud.written
    [face] = record["FaceSearchResponse"]
    assert [match["Face"]["FaceId"] for match in face["MatchedFaces"]] == ["near"]
