"""An archive to be read: six fragments of a drawn film, and what is asked of them."""

import contextlib
import uuid

import pytest
from botocore.exceptions import ClientError

from local.tests.support.kinesisvideo.client import Producer

START = 1_800_000_000
FRAGMENTS = 5
GAP = START + FRAGMENTS + 10


@contextlib.contextmanager
def stored_fragments(laptop, film):
    """The name of a stream with five fragments of a second, and a sixth after a gap."""
    name = f"archive-{uuid.uuid4().hex[:8]}"
    control = laptop.client("kinesisvideo")
    arn = control.create_stream(StreamName=name, DataRetentionInHours=1)["StreamARN"]
    starts = [*range(START, START + FRAGMENTS), GAP]
    with Producer(laptop, name) as producer:
        parts = [film.fragment(start * 1000) for start in starts]
        acks = producer.send(film.header, *parts).end()
    assert acks[-1]["EventType"] == "PERSISTED"
    yield name
    control.delete_stream(StreamARN=arn)


def between(start, end, kind="PRODUCER_TIMESTAMP"):
    limits = {"StartTimestamp": start, "EndTimestamp": end}
    return {"FragmentSelectorType": kind, "TimestampRange": limits}


def error_of(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def images_of(archive, stream, start, end, **more):
    asked = {
        "StreamName": stream,
        "ImageSelectorType": "PRODUCER_TIMESTAMP",
        "StartTimestamp": start,
        "EndTimestamp": end,
        "SamplingInterval": 200,
        "Format": "PNG",
        **more,
    }
    return archive.get_images(**asked)
