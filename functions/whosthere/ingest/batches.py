"""Batches of records: what cannot be read is set aside, the rest goes to work by camera."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from whosthere.dynamodb import Table
from whosthere.errors import RecordError
from whosthere.ingest.record import Frame, Outcome, Received, read_frame
from whosthere.metrics import add_counts
from whosthere.session_store import Session, last_begun, latest_session


@dataclass(frozen=True, slots=True)
class Delivery:
    """A record as it came: `data` is base64, `given` is all that came with it."""

    id: str
    data: str
    recognised_ms: int
    given: Mapping[str, Any]


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
    """Do the work with frames of one camera, each in its session; failures by id."""
    failed: dict[str, Exception] = {}

    def find() -> None:
        groups.extend(by_session(table, camera, received))

    def do(session: Session, group: Sequence[Received]) -> None:
        outcome = work(session, group)
        failed.update(outcome.failed)
        add_counts(table, session.id, outcome.counts, outcome.last_ms)

    groups: list[tuple[Session, Sequence[Received]]] = []
    failed |= _try(find, [one.id for one in received])
    for session, group in groups:
        failed |= _try(partial(do, session, group), [one.id for one in group])
    return failed


def by_session(
    table: Table, camera: str, received: Sequence[Received]
) -> Sequence[tuple[Session, Sequence[Received]]]:
    """Frames in the order they came, by the session that answers for them, the earliest first.

    What waited until its session was over still is of that one; what no session answers
    for goes to the latest, which counts it.
    """
    latest = latest_session(table, camera)
    if latest is None:
        return []  # nobody ever asked to watch this camera
    owners: dict[str, Session] = {}
    known: Session | None = latest
    for one in sorted(received, key=lambda one: one.frame.server_ms, reverse=True):
        moment_ms = one.frame.server_ms
        if known is not None and moment_ms < known.started_ms:
            known = last_begun(table, camera, moment_ms)
        if known is not None and known.answers_for(moment_ms):
            owners[one.id] = known
        else:
            owners[one.id] = latest
    sessions = {owner.id: owner for owner in owners.values()}
    return [
        (session, [one for one in received if owners[one.id].id == session.id])
        for session in sorted(sessions.values(), key=lambda session: session.started_ms)
    ]


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
