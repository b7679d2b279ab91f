"""The tutorial's producer: kvssink's own sequence of calls, bytes and expectations."""

import json
import time
import uuid

import pytest

from local.tests.support.kinesisvideo import kvssink_mkv
from local.tests.support.kinesisvideo.client import Reader, frames_of, listed, tags_of
from local.tests.support.kinesisvideo.kvssink import Kvssink
from local.tests.support.laptop.parts import allow, make_role

NOON = 1_800_000_000_000
CURL_GIVES_UP_WAITING_SECONDS = 1.0
AAC = bytes.fromhex("1210")


@pytest.fixture
def sink(laptop):
    """A kvssink whose stream does not exist yet; it is gone afterwards."""
    made = Kvssink(laptop, f"sink-{uuid.uuid4().hex[:8]}")
    yield made
    status, found = made.control("/describeStream", StreamName=made.name)
    if status == 200:
        laptop.client("kinesisvideo").delete_stream(StreamARN=found["StreamInfo"]["StreamARN"])


@pytest.fixture
def temporary(laptop):
    """Make the keys of a role's session: a token goes with them, which kvssink does not sign."""

    def make(action):
        account = laptop.facts["account"]
        role = make_role(laptop, "credentials.iot.amazonaws.com", allow(action))
        trust = allow("sts:AssumeRole", Principal={"AWS": f"arn:aws:iam::{account}:root"})
        del trust["Resource"]
        laptop.client("iam").update_assume_role_policy(
            RoleName=role.rpartition("/")[2],
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )
        given = laptop.client("sts").assume_role(RoleArn=role, RoleSessionName="camera")
        keys = given["Credentials"]
        return keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]

    return make


class Pipeline:
    """Sends a film as kvssink does: frame by frame, each in an HTTP chunk of its own."""

    def __init__(self, film, session, sound=False):
        self._film, self._session, self._sound = film, session, sound
        tracks = [kvssink_mkv.video(film.private, film.size)]
        tracks += [kvssink_mkv.audio(AAC, 48_000.0, 2)] if sound else []
        self._before = kvssink_mkv.header(*tracks)

    def fragment(self, start, frames=10):
        """The first frames of a fragment; the head of the file goes with the very first."""
        for index, (at, data) in enumerate(self._film.packets[:frames]):
            head = self._before + kvssink_mkv.cluster_head(start) if index == 0 else b""
            self._before = b"" if index == 0 else self._before
            self._session.send(head, kvssink_mkv.block(round(at), data, key=index == 0))
            if self._sound:
                self._session.send(kvssink_mkv.block(round(at) + 5, b"\x21\x10", track=2))

    def tags(self, *pairs):
        """Metadata before the next cluster."""
        self._before += kvssink_mkv.tags(*pairs)

    def end(self, last):
        """End of stream: say so, wait until the last fragment is stored, then hang up."""
        self._session.send(kvssink_mkv.end())
        self._session.until("PERSISTED", last)
        return self._session.finish()


def stored(laptop, name):
    """The producer's times of the fragments that are stored, in milliseconds."""
    found = listed(laptop, name)
    return [round(one["ProducerTimestamp"].timestamp() * 1000) for one in found]


def test_a_new_stream_is_made_fed_and_ended_in_good_order(laptop, sink, film):
    sink.prepare(place="door")
    assert sink.calls == [
        ("/describeStream", 404),
        ("/createStream", 200),
        ("/tagStream", 200),
        ("/getDataEndpoint", 200),
    ]
    with sink.session() as session:
        assert session.statuses[0] == 100
        assert session.waited < CURL_GIVES_UP_WAITING_SECONDS
        pipeline, heard = Pipeline(film, session), []
        for start in (NOON, NOON + 1000):
            pipeline.fragment(start)
        heard = [session.ack() for _ in range(4)]
        # Its end is not known before the next begins, or until the stream ends.
        assert [(ack["EventType"], ack["FragmentTimecode"] - NOON) for ack in heard] == [
            ("BUFFERING", 0),
            ("RECEIVED", 0),
            ("PERSISTED", 0),
            ("BUFFERING", 1000),
        ]
        assert session.statuses == [100, 200]
        assert pipeline.end(NOON + 1000) == []
    assert stored(laptop, sink.name) == [NOON, NOON + 1000]
    tags = laptop.client("kinesisvideo").list_tags_for_stream(StreamName=sink.name)["Tags"]
    assert tags == {"place": "door"}
    sink.calls.clear()
    sink.prepare()
    assert sink.calls == [("/describeStream", 200), ("/getDataEndpoint", 200)]


def test_a_renewed_token_opens_a_second_session_that_waits_for_the_next_fragment(
    laptop, sink, film, temporary
):
    """The old one goes on meanwhile; the new one has no body for almost four seconds."""
    sink.prepare()
    sink.keys = temporary("kinesisvideo:PutMedia")
    with sink.session() as old:
        pipeline = Pipeline(film, old)
        pipeline.fragment(NOON)
        sink.keys = temporary("kinesisvideo:PutMedia")
        with sink.session() as new:
            for second in range(1, 5):
                time.sleep(0.93)
                pipeline.fragment(NOON + 1000 * second)
            assert pipeline.end(NOON + 4000) == []
            renewed = Pipeline(film, new)
            renewed.fragment(NOON + 5000)
            assert renewed.end(NOON + 5000) == []
            assert new.statuses == old.statuses == [100, 200]
    assert stored(laptop, sink.name) == [NOON + 1000 * second for second in range(6)]


def test_a_lost_connection_is_taken_up_from_the_start_of_the_unfinished_fragment(
    laptop, sink, film
):
    sink.prepare()
    with sink.session() as session:
        pipeline = Pipeline(film, session)
        pipeline.fragment(NOON)
        pipeline.fragment(NOON + 1000, frames=4)
        session.until("BUFFERING", NOON + 1000)
    with sink.session() as session:
        pipeline = Pipeline(film, session)
        pipeline.fragment(NOON + 1000)
        assert pipeline.end(NOON + 1000) == []
    assert stored(laptop, sink.name) == [NOON, NOON + 1000]


def test_a_fragment_that_is_sent_again_is_stored_and_read_again(laptop, sink, film):
    """Its acknowledgement was lost: the producer can't know that it is there."""
    sink.prepare()
    for _ in range(2):
        with sink.session() as session:
            pipeline = Pipeline(film, session)
            pipeline.fragment(NOON)
            pipeline.end(NOON)
    assert stored(laptop, sink.name) == [NOON, NOON]
    with Reader(laptop, sink.name, StartSelectorType="EARLIEST") as reader:
        found = [reader.fragment() for _ in range(2)]
    assert [len(frames_of(one)) for one in found] == [10, 10]
    numbers = [tags_of(one)["AWS_KINESISVIDEO_FRAGMENT_NUMBER"] for one in found]
    assert int(numbers[0]) < int(numbers[1])


def test_persistent_metadata_stands_before_each_cluster_and_reaches_readers(laptop, sink, film):
    sink.prepare()
    with Reader(laptop, sink.name) as reader, sink.session() as session:
        pipeline = Pipeline(film, session)
        for zone in "7", "8":
            pipeline.tags(("zone", zone))
            pipeline.fragment(NOON + 1000 * int(zone))
        pipeline.end(NOON + 8000)
        assert [tags_of(reader.fragment())["zone"] for _ in range(2)] == ["7", "8"]


def test_an_event_after_the_key_frame_with_an_explicit_end_is_about_that_fragment(
    laptop, sink, film
):
    event = (("AWS_KINESISVIDEO_NOTIFICATION", ""), ("gate", "open"))
    sink.prepare()
    with Reader(laptop, sink.name) as reader, sink.session() as session:
        pipeline = Pipeline(film, session)
        pipeline.fragment(NOON)
        session.send(kvssink_mkv.tags(*event), kvssink_mkv.end())
        session.until("PERSISTED", NOON)
        pipeline.fragment(NOON + 1000)
        pipeline.end(NOON + 1000)
        first, second = (tags_of(reader.fragment()) for _ in range(2))
    assert (first.get("gate"), second.get("gate")) == ("open", None)


def test_sound_goes_along_on_a_second_track(laptop, sink, film):
    sink.prepare(media="video/h264,audio/aac")
    with Reader(laptop, sink.name) as reader, sink.session() as session:
        pipeline = Pipeline(film, session, sound=True)
        pipeline.fragment(NOON)
        assert pipeline.end(NOON) == []
        fragment = reader.fragment()
    assert len(frames_of(fragment)) == 10
    assert fragment.count(b"A_AAC") == 1


def test_times_may_count_from_the_start_of_the_session(laptop, sink, film):
    sink.prepare()
    with sink.session(kind="RELATIVE") as session:
        pipeline, before = Pipeline(film, session), time.time()
        pipeline.fragment(0)
        pipeline.fragment(1000)
        pipeline.end(1000)
    first, second = stored(laptop, sink.name)
    assert second - first == 1000
    # Up to nine tenths of a second off, as kvssink writes its start.
    assert abs(first / 1000 - before) < 10


def test_after_an_error_the_session_ends_in_good_order_and_the_next_one_goes_on(laptop, sink, film):
    sink.prepare()
    with sink.session() as session:
        pipeline = Pipeline(film, session)
        pipeline.fragment(NOON)
        session.send(kvssink_mkv.cluster_head(NOON), kvssink_mkv.block(0, b"late", key=True))
        assert session.until("ERROR", NOON)["ErrorId"] == 4004
        assert session.finish() == []
    with sink.session() as session:
        pipeline = Pipeline(film, session)
        pipeline.fragment(NOON + 2000)
        pipeline.end(NOON + 2000)
    assert stored(laptop, sink.name) == [NOON, NOON + 2000]
