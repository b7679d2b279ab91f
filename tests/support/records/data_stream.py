"""Records put into a camera's data stream by hand, for a session of which only the rows exist."""

import io
import json
import time
import uuid
from contextlib import contextmanager
from fractions import Fraction
from itertools import cycle

import av
from PIL import Image

from local.tests.support.kinesisvideo.client import Film, Producer
from tests.support.records.alert_harness import face, match, record
from whosthere import settings
from whosthere.clock import now_ms
from whosthere.faces.match import ASSOCIATION_WINDOW_MS
from whosthere.faces.track_store import read_tracks
from whosthere.people.store import person_key
from whosthere.session import lock as locks
from whosthere.session_store import Session

STREAM = "whosthere-front-door"


def frame(moment_ms, *faces):
    """A record of a frame captured at that moment, and with AWS at once."""
    made = record(0, *faces)
    video = made["InputInformation"]["KinesisVideo"]
    video["ProducerTimestamp"] = video["ServerTimestamp"] = moment_ms / 1000
    return made


def visit(person, first_ms, *more_ms):
    """Frames that show a person."""
    return [frame(moment_ms, face(match(person))) for moment_ms in (first_ms, *more_ms)]


def poison(moment_ms):
    """JSON that passes the mappings' filter and is no record."""
    broken = frame(moment_ms, face(match("p-nobody")))
    del broken["FaceSearchResponse"][0]["MatchedFaces"][0]["Similarity"]
    return broken


def put(laptop, *bodies, stream=STREAM, halves=(0,)):
    """Put JSON or bytes into a data stream; their sequence numbers.

    Of a stream with two shards `halves` says which get them in turn.
    """
    records = [
        {
            "PartitionKey": stream,
            "ExplicitHashKey": str(half * 2**127),
            "Data": body if isinstance(body, bytes) else json.dumps(body).encode(),
        }
        for body, half in zip(bodies, cycle(halves), strict=False)
    ]
    answer = laptop.client("kinesis").put_records(StreamName=stream, Records=records)
    assert answer["FailedRecordCount"] == 0
    return [one["SequenceNumber"] for one in answer["Records"]]


def put_still(laptop, folder, picture, moment_ms, stream=STREAM):
    """Put a second of video into a camera's stream that shows one picture, from that moment on."""
    with Image.open(io.BytesIO(picture)) as opened:
        size = tuple(side // 2 * 2 for side in opened.size)
        still = av.VideoFrame.from_image(opened.convert("RGB").resize(size))
    path = folder / f"{moment_ms}.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10, options={"crf": "10", "bf": "0"})
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        for number in range(10):
            still.pts, still.time_base = number, Fraction(1, 10)
            container.mux(video.encode(still))
        container.mux(video.encode(None))
    film = Film(folder, size, path)
    with Producer(laptop, stream) as producer:
        acks = producer.send(film.header, film.fragment(moment_ms)).end()
    assert acks[-1]["EventType"] == "PERSISTED"


def enrolled(table, name):
    """A person nobody else knows of; the id."""
    person = f"p-{uuid.uuid4().hex[:12]}"
    table.put_item(Item=person_key(person) | {"name": name, "version": 1})
    return person


@contextmanager
def a_session(table, ago_ms=0, **changed):
    """A session on the front door that has just begun, or some time ago; nothing makes records.

    It begins when no face of another test is followed any more: one at its place would be the same.
    """
    tracks = read_tracks(table, "front-door").state.tracks
    seen_ms = max((track.box_ms for track in tracks), default=0)
    time.sleep(max(0, seen_ms + ASSOCIATION_WINDOW_MS - now_ms()) / 1000)
    values = settings.defaults() | changed
    started_ms = now_ms() - ago_ms
    session = Session(
        id=f"rows-{uuid.uuid4().hex[:12]}",
        camera="front-door",
        engine="stream-processor",
        execution="arn:none",
        started_ms=started_ms,
        deadline_ms=started_ms + 600_000,
        ended_ms=None,
        ended_by=None,
        held=True,
        settings=settings.from_values(values),
    )
    locks.open_session(table, session, values)
    time.sleep(0.002)  # so that every frame from now on is later
    try:
        yield session
    finally:
        locks.unlock(table, session)
