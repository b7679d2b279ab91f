"""Batches of records: what cannot be read is set aside, the rest goes to work by camera."""

import base64
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from whosthere.counters import add_counts
from whosthere.errors import RecordError
from whosthere.records import Frame, Received, read_frame
from whosthere.rows import Table
from whosthere.sessions import Session, latest_session


@dataclass(frozen=True, slots=True)
class Delivery:
    """A record as it came: `data` is base64, `given` is all that came with it."""

    id: str
    data: str
    recognised_ms: int
    given: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of frames: why some failed, by their id, and what was counted.

    `last_ms` is when the last one that counted reached AWS, where that is of interest.
    """

    failed: dict[str, Exception]
    counts: Counter[str]
    last_ms: int = 0


Work = Callable[[Session, Sequence[Received]], Outcome]
SetAside = Callable[[Delivery, str], object]


def deliver(
    table: Table,
    stack: str,
    deliveries: Sequence[Delivery],
    *,
    work: Work,
    set_aside: SetAside,
) -> dict[str, Exception]:
    """Do the work with all records that can be read; why others failed, by their id.

    A record that breaks the schema is set aside and has not failed: it would never get
    better. One whose work failed comes again.
    """
    failed: dict[str, Exception] = {}
    cameras: dict[str, list[Received]] = {}
    for delivery in deliveries:
        try:
            frame = _read(delivery, stack)
        except RecordError as error:
            put_away = partial(set_aside, delivery, str(error))
            failed |= _try(put_away, [delivery.id])
            continue
        one = Received(delivery.id, frame, delivery.recognised_ms)
        cameras.setdefault(frame.camera, []).append(one)
    for camera, received in cameras.items():
        failed |= work_on(table, camera, received, work)
    return failed


def work_on(
    table: Table, camera: str, received: Sequence[Received], work: Work
) -> dict[str, Exception]:
    """Do the work with frames of one camera in its latest session; failures by id."""
    failed: dict[str, Exception] = {}

    def do() -> None:
        session = latest_session(table, camera)
        if session is None:
            return  # nobody ever asked to watch this camera
        outcome = work(session, received)
        failed.update(outcome.failed)
        add_counts(table, session.id, outcome.counts, outcome.last_ms)

    return _try(do, [one.id for one in received]) | failed


def _read(delivery: Delivery, stack: str) -> Frame:
    try:
        record = json.loads(base64.b64decode(delivery.data))
    except (ValueError, RecursionError) as error:
        raise RecordError("the record is no JSON") from error
    return read_frame(record, stack)


def _try(do: Callable[[], object], ids: Sequence[str]) -> dict[str, Exception]:
    try:
        do()
    except Exception as error:  # a failure concerns these records only
        return dict.fromkeys(ids, error)
    return {}
