"""Batches of a Kinesis data stream: records in, frames by session out, and Lambda's answer.

A record that breaks the schema becomes a dead letter: no retry can mend it. A record whose
processing failed is named in the answer, and Lambda redelivers the batch from there (Lambda
developer guide, "Configuring partial batch response with Kinesis").
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from whosthere.dynamodb import Table
from whosthere.errors import RecordError
from whosthere.ingest.dead_letter import RECORDS, DeadLetters
from whosthere.ingest.record import AnalysedFrame, ProcessingOutcome, read_frame
from whosthere.metrics import ApiCallCounter, add_counts
from whosthere.session_store import Session, last_begun, latest_session

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse


@dataclass(frozen=True, slots=True)
class KinesisSource:
    """What reading a batch needs; `calls` counts the API calls of the function's clients."""

    table: Table
    stack: str
    dead_letters: DeadLetters
    calls: ApiCallCounter
    logger: "Logger"


@dataclass(slots=True)
class KinesisBatch:
    """A batch being processed: its frames by session, and errors by the id of the record."""

    source: KinesisSource
    size: int
    sessions: list[tuple[Session, list[AnalysedFrame]]] = field(default_factory=list)
    failed: dict[str, Exception] = field(default_factory=dict)

    def fail(self, frames: Sequence[AnalysedFrame], error: Exception) -> None:
        """Add an error that concerns these frames only, so that it hides no others."""
        self.failed |= {frame.id: error for frame in frames}

    def add(self, session: Session, outcome: ProcessingOutcome) -> None:
        """Add the outcome of one session's frames: the failures, and the session's counters."""
        self.failed |= outcome.failed
        counts = outcome.counts + self.source.calls.take()
        add_counts(self.source.table, session.id, counts, outcome.last_ms)

    def response(self) -> "PartialItemFailureResponse":
        """Log what was read, and return the answer that names the records to redeliver."""
        kinds = sorted({type(error).__name__ for error in self.failed.values()})
        facts = {"records": self.size, "failed": len(self.failed), "errors": kinds}
        self.source.logger.info("records read", extra=facts)
        return {"batchItemFailures": [{"itemIdentifier": id} for id in self.failed]}


def read_batch(source: KinesisSource, records: Sequence[Mapping[str, Any]]) -> KinesisBatch:
    """Read the records of a batch, and find the sessions that their frames belong to."""
    batch = KinesisBatch(source, len(records))
    cameras: dict[str, list[AnalysedFrame]] = {}
    for record in records:
        id = record["kinesis"]["sequenceNumber"]
        try:
            frame = _read(record["kinesis"], id, source.stack)
        except RecordError as error:
            batch.failed |= _dead_letter(source, id, error, record)
        else:
            cameras.setdefault(frame.camera, []).append(frame)
    for camera, frames in cameras.items():
        try:
            batch.sessions += frames_by_session(source.table, camera, frames)
        except Exception as error:
            batch.fail(frames, error)
    return batch


def _dead_letter(
    source: KinesisSource, id: str, reason: RecordError, record: Mapping[str, Any]
) -> dict[str, Exception]:
    """Store a broken record, and return the error if that fails."""
    try:
        source.dead_letters.put(RECORDS, id, str(reason), record)
    except Exception as error:
        return {id: error}
    return {}


def _read(kinesis: Mapping[str, Any], id: str, stack: str) -> AnalysedFrame:
    recognised_ms = round(1000 * kinesis["approximateArrivalTimestamp"])
    try:
        record = json.loads(base64.b64decode(kinesis["data"]))
    except (ValueError, RecursionError) as error:
        raise RecordError("the record is no JSON") from error
    return read_frame(record, stack, id=id, recognised_ms=recognised_ms)


def frames_by_session(
    table: Table, camera: str, frames: Sequence[AnalysedFrame]
) -> list[tuple[Session, list[AnalysedFrame]]]:
    """Return a camera's frames, in the order they came, by the session that they belong to.

    A frame belongs to the session that was running when AWS received it, even if that session
    is over by now. One that lies outside all sessions goes to the latest, which counts it.
    """
    latest = latest_session(table, camera)
    if latest is None:
        return []  # the camera never had a session
    owners: dict[str, Session] = {}
    known: Session | None = latest
    for frame in sorted(frames, key=attrgetter("server_ms"), reverse=True):
        if known is not None and frame.server_ms < known.started_ms:
            known = last_begun(table, camera, frame.server_ms)
        answers = known is not None and known.answers_for(frame.server_ms)
        owners[frame.id] = known if known is not None and answers else latest
    sessions = {owner.id: owner for owner in owners.values()}
    return [
        (session, [frame for frame in frames if owners[frame.id].id == session.id])
        for session in sorted(sessions.values(), key=attrgetter("started_ms"))
    ]
