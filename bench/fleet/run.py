"""Run the handlers over an hour of many cameras, on any table, and count what they do."""

import base64
import importlib
import io
import json
import os
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest import mock

from PIL import Image

from bench.alerts import hour
from whosthere import settings
from whosthere.dynamodb import STAMP
from whosthere.people.store import person_key
from whosthere.session.lock import open_session
from whosthere.session_store import Session

BEGUN_MS = 1_800_000_000_000
HANDLERS = ("alert_person", "queue_stranger")
READ, WRITTEN = "rows read", "rows written"  # counted beside the calls
PEOPLE = 60
STRANGER = "s-nobody"  # whose faces match nobody
VISITS_OF_PEOPLE, VISITS = 3, 4  # an hour and camera
BEHIND_MS = 1500  # from a frame until its batch is handled
ENVIRONMENT = {
    "STACK": "whosthere",
    "BUCKET": "bucket",
    "TOPIC_ARN": "arn:aws:sns:us-east-1:111122223333:whosthere-alerts",
    "STRANGERS_COLLECTION": "strangers",
    "LOOK_ALIKES_COLLECTION": "not-persons",
    "PICTURE_ROLE_ARN": "arn:aws:iam::111122223333:role/pictures",
    "POWERTOOLS_SERVICE_NAME": "whosthere",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
}

Visits = list[tuple[int, str]]  # the second each begins in, and who comes


@dataclass(slots=True)
class FleetCounts:
    """What an hour of so many cameras took.

    `per_call` has the calls by `service:operation`, `of_camera` the same and rows by camera; the
    peaks are the most capacity units that one partition of a kind took in a second.
    """

    cameras: int
    records: int = 0
    at_once: int = 0
    per_call: Counter[str] = field(default_factory=Counter)
    of_camera: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    camera: str = ""  # whose records are handled just now
    written_peaks: Counter[str] = field(default_factory=Counter)
    read_peaks: Counter[str] = field(default_factory=Counter)

    def count(self, what: str, number: int = 1) -> None:
        """Count a call, or rows, of the camera whose records are handled."""
        self.per_call[what] += number
        self.of_camera[self.camera][what] += number

    @property
    def alerts(self) -> int:
        """Return how many alerts were published."""
        return self.per_call["sns:publish"]

    def calls_of(self, service: str) -> int:
        """Return the calls of a service."""
        of = f"{service}:"
        return sum(number for call, number in self.per_call.items() if call.startswith(of))


class Counted:
    """Counts the calls of a table or a client, and tells the functions' own counters of them."""

    def __init__(
        self, service: str, counts: FleetCounts, answer: Callable[..., Any], *, name: str = ""
    ) -> None:
        """Take what answers a call of a name; a table has a `name` too."""
        self.name = name
        self._service, self._counts, self._answer = service, counts, answer
        self._listeners: list[Callable[..., object]] = []
        # A table's client is `table.meta.client`, its events are `client.meta.events`.
        self.meta = SimpleNamespace(client=self, events=SimpleNamespace(register=self._listen))

    def _listen(self, _event: str, listener: Callable[..., object]) -> None:
        self._listeners.append(listener)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        service = SimpleNamespace(service_name=self._service)
        model = SimpleNamespace(name=name, service_model=service)

        if name.startswith("generate_"):  # a signature is no call
            return lambda *_places, **_given: self._answer(name)

        def call(**given: Any) -> Any:
            self._counts.count(f"{self._service}:{name}")
            for listener in self._listeners:
                listener(model)
            return self._answer(name, **given)

        return call


def simulate(
    cameras: int, table: Any, *, seconds: int = hour.SECONDS, before: Callable[[Any], object] = id
) -> FleetCounts:
    """Run that many cameras for so many seconds; `before` fills the table first."""
    names = [f"camera-{number}" for number in range(cameras)]
    for name in names:
        _open(table, name)
    for number in range(PEOPLE):
        table.put_item(Item=person_key(f"p-{number}") | STAMP | {"name": "N", "version": 1})
    before(table)
    _take_peaks(table, FleetCounts(cameras))  # what was there before does not count
    counts, clock = FleetCounts(cameras), SimpleNamespace(ms=BEGUN_MS)
    plans = {name: visits_of(number) for number, name in enumerate(names)}
    with _handlers(table, counts, clock) as handlers:
        for second in range(seconds):
            here = {name: who for name in names if (who := _at(plans[name], second))}
            counts.at_once = max(counts.at_once, len(here))
            for name, who in here.items():
                counts.camera, records = name, _batch(name, second, who)
                counts.records += len(records)
                for handler in handlers:
                    clock.ms = BEGUN_MS + 1000 * (second + 1) + BEHIND_MS
                    answer = handler({"Records": records}, _Context())
                    assert answer == {"batchItemFailures": []}, answer
            _take_peaks(table, counts)
    return counts


def visits_of(number: int) -> Visits:
    """Return the visits of a camera: one in each quarter of the hour, in any order."""
    chance = random.Random(number)
    people = chance.sample(range(PEOPLE), VISITS_OF_PEOPLE)
    who = [STRANGER, *(f"p-{person}" for person in people)]
    chance.shuffle(who)
    quarter = hour.SECONDS // VISITS
    last = quarter - hour.VISIT_SECONDS
    return [(quarter * place + chance.randrange(last), one) for place, one in enumerate(who)]


def _at(visits: Visits, second: int) -> str:
    inside = (who for begun, who in visits if 0 <= second - begun < hour.VISIT_SECONDS)
    return next(inside, "")


def _batch(camera: str, second: int, who: str) -> list[dict[str, Any]]:
    """Return the records of one second, as Lambda hands them over."""
    found = []
    for place in range(hour.RATE):
        moment_ms = BEGUN_MS + 1000 * second + 1000 * place // hour.RATE
        record = hour.record(moment_ms, [who])
        record["InputInformation"]["KinesisVideo"]["StreamArn"] = hour.STREAM.replace(
            "front-door", camera
        )
        if who == STRANGER:
            record["FaceSearchResponse"][0]["MatchedFaces"] = []
        kinesis = {
            "sequenceNumber": str(moment_ms),
            "data": base64.b64encode(json.dumps(record).encode()).decode(),
            "approximateArrivalTimestamp": moment_ms / 1000 + 1,
        }
        found.append({"kinesis": kinesis, "eventSourceARN": f"stream/whosthere-{camera}"})
    return found


def _open(table: Any, camera: str) -> None:
    values = settings.defaults()
    session = Session(
        id=f"session-of-{camera}",
        camera=camera,
        engine="stream-processor",
        execution="arn:none",
        started_ms=BEGUN_MS - 1000,
        deadline_ms=BEGUN_MS + 7_200_000,
        ended_ms=None,
        ended_by=None,
        held=True,
        settings=settings.from_values(values),
    )
    open_session(table, session, values)


class _Context:
    """An invocation that may take a minute."""

    function_name = memory_limit_in_mb = aws_request_id = "any"
    invoked_function_arn = "arn:aws:lambda:us-east-1:111122223333:function:any"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@contextmanager
def _handlers(
    table: Any, counts: FleetCounts, clock: Any
) -> Iterator[Sequence[Callable[..., Any]]]:
    """Load the functions anew, with this table, clients that only count, a clock that is set."""

    def forward(seconds: float) -> None:
        clock.ms += round(1000 * seconds)

    counted = Counted("dynamodb", counts, _answering(table, counts), name=table.name)
    ticking = SimpleNamespace(time_ns=lambda: 1_000_000 * clock.ms, sleep=forward)
    resource = SimpleNamespace(Table=lambda _name: counted)
    with ExitStack() as stack:
        enter = stack.enter_context
        enter(mock.patch.dict(os.environ, ENVIRONMENT | {"TABLE": table.name}))
        enter(mock.patch("boto3.resource", lambda _service: resource))
        enter(mock.patch("boto3.client", lambda name, **_: Counted(name, counts, _client_answer)))
        enter(mock.patch("whosthere.clock.time", ticking))
        for name in HANDLERS:
            sys.modules.pop(name, None)
        try:
            yield [importlib.import_module(name).handler for name in HANDLERS]
        finally:
            for name in HANDLERS:
                sys.modules.pop(name, None)


def _answering(table: Any, counts: FleetCounts) -> Callable[..., Any]:
    """Return what passes a call on to the table, and counts its rows."""

    def answer(name: str, **given: Any) -> Any:
        of_client = name in ("transact_write_items", "batch_get_item")
        found = getattr(table.meta.client if of_client else table, name)(**given)
        if name in ("get_item", "query"):
            counts.count(READ, len(found.get("Items", ())) + ("Item" in found))
        elif name == "batch_get_item":
            counts.count(READ, sum(map(len, found["Responses"].values())))
        else:
            counts.count(WRITTEN, len(given.get("TransactItems", (0,))))
        return found

    return answer


def _client_answer(name: str, **given: Any) -> Any:
    """Answer for the other services: nobody is known, each picture is another one."""
    if name == "get_images":
        moment = given["StartTimestamp"]
        picture = _picture(given["StreamName"], moment)
        return {"Images": [{"TimeStamp": moment, "ImageContent": picture}]}
    keys = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    answers: Mapping[str, Any] = {
        "search_faces_by_image": {"FaceMatches": []},
        "index_faces": {"FaceRecords": [{"Face": {"FaceId": f"face-{random.random()}"}}]},
        "put_object": {"ETag": '"etag"'},
        "get_data_endpoint": {"DataEndpoint": "https://media"},
        "assume_role": {"Credentials": dict.fromkeys(keys, "-")},
        "generate_presigned_url": "https://picture",
    }
    return answers.get(name, {})


def _picture(stream: str, moment: Any) -> str:
    colour = random.Random(f"{stream} {moment}").randrange(1 << 24)
    content = io.BytesIO()
    Image.new("RGB", (320, 240), f"#{colour:06x}").save(content, "JPEG")
    return base64.b64encode(content.getvalue()).decode()


def _take_peaks(table: Any, counts: FleetCounts) -> None:
    for name, peaks in (("written", counts.written_peaks), ("read", counts.read_peaks)):
        units: Counter[str] = getattr(table, name, None) or Counter()
        for key, number in units.items():
            kind = key.partition("#")[0]
            peaks[kind] = max(peaks[kind], number)
        units.clear()
