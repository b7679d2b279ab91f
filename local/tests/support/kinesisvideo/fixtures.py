"""What the tests of Kinesis Video share; `stream` is one of its own for each test."""

import uuid
from contextlib import contextmanager

import pytest

from local.tests.support.kinesisvideo.archive import stored_fragments
from local.tests.support.kinesisvideo.client import Film, media_client
from local.tests.support.kinesisvideo.hostile import nobody_harmed, two_streams
from local.tests.support.kinesisvideo.users import users


@contextmanager
def video_stream(laptop, hours=1):
    """A video stream of one test."""
    client, name = laptop.client("kinesisvideo"), f"test-{uuid.uuid4().hex[:8]}-front-door"
    arn = client.create_stream(StreamName=name, DataRetentionInHours=hours)["StreamARN"]
    try:
        yield name
    finally:
        client.delete_stream(StreamARN=arn)


@pytest.fixture
def stream(laptop):
    with video_stream(laptop) as name:
        yield name


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    """A drawn film, of which fragments are made."""
    return Film(tmp_path_factory.mktemp("film"))


@pytest.fixture
def stream_arn(laptop, stream):
    control = laptop.client("kinesisvideo")
    return control.describe_stream(StreamName=stream)["StreamInfo"]["StreamARN"]


@pytest.fixture
def user(laptop):
    """Make users who may do what they are made with."""
    with users(laptop) as make:
        yield make


@pytest.fixture(scope="session")
def archive(laptop):
    """A client of the archive's operations."""
    return media_client(laptop, "kinesis-video-archived-media")


@pytest.fixture(scope="session")
def stored(laptop, film):
    """The name of a stream with fragments to be read."""
    with stored_fragments(laptop, film) as name:
        yield name


@pytest.fixture(scope="session")
def streams(laptop):
    """The good producer's stream, and one for everybody else."""
    with two_streams(laptop) as names:
        yield names


@pytest.fixture
def unharmed(laptop, streams, film):
    """Meanwhile a good session gets all its acknowledgements, memory stays bounded, no failure."""
    with nobody_harmed(laptop, streams[0], film):
        yield


@pytest.fixture
def media(laptop):
    """The URL of the media plane."""
    return laptop.facts["media_endpoint"]
