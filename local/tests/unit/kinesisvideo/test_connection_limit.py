"""So many connections of one operation a stream may have, and no more."""

from contextlib import ExitStack

import pytest

from local.kinesisvideo.errors import KinesisVideoError
from local.kinesisvideo.media import archived
from local.kinesisvideo.media.connection_limit import ConnectionLimit
from local.tests.support.kinesisvideo.plane import Plane


@pytest.fixture
def plane(tmp_path):
    made = Plane(tmp_path)
    yield made
    made.service.stop()


def test_a_sixth_list_of_fragments_at_once_is_refused(plane):
    with ExitStack() as others:
        for _ in range(5):
            others.enter_context(archived.READERS.acquire(plane.stream))
        with pytest.raises(KinesisVideoError) as caught:
            plane.ask("GetMediaForFragmentList", Fragments=["1"])
    assert caught.value.code == "ClientLimitExceededException"
    assert b"EXCEPTION_MESSAGE" in plane.ask("GetMediaForFragmentList", Fragments=["1"])


def test_each_stream_has_connections_of_its_own_and_who_fails_frees_one(plane):
    limit = ConnectionLimit("GetMedia", 1, "ConnectionLimitExceededException")
    plane.control("CreateStream", StreamName="gate", DataRetentionInHours=1)
    gate = plane.service.streams.find("gate")
    with pytest.raises(ZeroDivisionError), limit.acquire(plane.stream), limit.acquire(gate):
        raise ZeroDivisionError
    with limit.acquire(plane.stream), pytest.raises(KinesisVideoError, match="door has 1 GetMedia"):
        limit.acquire(plane.stream).__enter__()
