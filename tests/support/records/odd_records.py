"""Records that are odd in a few places, and bytes that are none: what a reader may be given."""

import copy
import json

from hypothesis import strategies

from tests.support.records.alert_harness import LEFT, RIGHT, face, match, record
from whosthere.ingest.record import TEXT_BYTES, TIMES

DELETED = object()
HUGE, DEEP = 10**400, 20_000
# What is odd anywhere: of another type, without bounds, no number, no text that UTF-8 holds.
ODD = [
    *(None, True, False, "", "x", [], {}, [[]], {"x": 1}, 0, -1, 0.0, -0.0, 1e-300, 1e308, -1e308),
    *(HUGE, -HUGE, 2**63, 1e126, float("nan"), float("inf"), -float("inf")),
    *("\ud800", "\x00", "x" * 1025, "ä" * 600, "arn:aws:kinesisvideo:::stream/whosthere-", "…"),
    *(253_402_300_800.0, 253_402_300_800.5, 5.0, 946_684_800.0, 1e11, -5),
]
# What the schema allows, at its edges.
EDGES = {
    "InputInformation.KinesisVideo.FragmentNumber": ["9" * 128, "x", "\x00"],
    "InputInformation.KinesisVideo.ServerTimestamp": [*TIMES],
    "InputInformation.KinesisVideo.ProducerTimestamp": [*TIMES, 5.0, 946_684_800.0],
    "InputInformation.KinesisVideo.FrameOffsetInSeconds": [*TIMES, 86_400, 20],
    "FaceSearchResponse": [
        [],
        [face()] * 100,
        [face(match("p-alice"))] * 101,
        [face(box=(0.01 * n, 0.01 * n, 0.05, 0.1)) for n in range(100)],
        [face(*(match(f"p-{n}", 80 + n / 300) for n in range(60)))],
        [face(match("p-alice")), face(match("p-alice")), face(match("p-bob"))],
    ],
    "FaceSearchResponse.0.DetectedFace.BoundingBox.Left": [-1, 1, 0.5],
    "FaceSearchResponse.0.DetectedFace.BoundingBox.Top": [-1, 1],
    "FaceSearchResponse.0.DetectedFace.BoundingBox.Width": [0.0001, 100],
    "FaceSearchResponse.0.DetectedFace.BoundingBox.Height": [0.0001, 100],
    "FaceSearchResponse.0.DetectedFace.Confidence": [0, 100],
    "FaceSearchResponse.0.DetectedFace.Quality.Sharpness": [0, 100, 1e-300],
    "FaceSearchResponse.0.DetectedFace.Pose.Yaw": [-180, 180],
    "FaceSearchResponse.0.MatchedFaces": [[], [match("p-1"), match("p-2"), match("p-1", 80)]],
    "FaceSearchResponse.0.MatchedFaces.0.Similarity": [0, 79.99, 80, 100],
    "FaceSearchResponse.0.MatchedFaces.0.Face.ExternalImageId": [
        *("s-1", "strangers", "everybody", "session", "p-1#0", "x" * TEXT_BYTES, "\x00", "~", None),
    ],
}


def places(value, path=()):
    """The path to every place of a record."""
    items = enumerate(value) if isinstance(value, list) else ()
    for key, below in value.items() if isinstance(value, dict) else items:
        yield (*path, key)
        yield from places(below, (*path, key))


PLACES = [*places(record(0, face(match("p-alice")), face(box=RIGHT)))]


@strategies.composite
def odd_records(draw, second=0, box=LEFT, who="p-alice"):
    """A record with something odd in up to three places; some of them can be read all the same."""
    known = [match(who)] if draw(strategies.booleans()) else []
    made = copy.deepcopy(record(second, face(*known, box=box), face(box=RIGHT)))
    for _ in range(draw(strategies.integers(1, 3))):
        if draw(strategies.booleans()):
            path = draw(strategies.sampled_from(sorted(EDGES)))
            value = draw(strategies.sampled_from(EDGES[path]))
            put(made, [int(step) if step.isdigit() else step for step in path.split(".")], value)
        else:
            odd = odd_values() | strategies.just(DELETED)
            put(made, draw(strategies.sampled_from(PLACES)), draw(odd))
    return made


def odd_values():
    """Anything that JSON can hold."""
    scalars = strategies.none() | strategies.booleans() | strategies.integers()
    scalars |= strategies.floats() | strategies.text(max_size=5)
    return strategies.sampled_from(ODD) | scalars | strategies.lists(scalars, max_size=2)


def put(made, path, value):
    """Put the value at that place, if the place is still there."""
    *way, last = path
    for step in way:
        try:
            made = made[step]
        except (LookupError, TypeError):
            return
    try:
        if value is DELETED:
            del made[last]
        else:
            made[last] = copy.deepcopy(value)
    except (LookupError, TypeError):
        return


NO_RECORDS = [
    b'{"FaceSearchResponse":' + b"[" * DEEP,
    b"[" * DEEP,
    b'{"a":' * DEEP,
    b"9" * 5000,
    b"",
    b"null",
    b"\xff\xfe",
    json.dumps(record(0)).encode("utf-16"),
]


def odd_bytes(second=0, who="p-alice"):
    """What may come as a record: mostly odd records, sometimes no JSON at all."""
    written = odd_records(second, who=who).map(lambda made: json.dumps(made).encode())
    return written | written | written | strategies.sampled_from(NO_RECORDS) | strategies.binary()
