"""Batches of a Kinesis data stream: records in, frames by session out, and Lambda's answer.

A record that breaks the schema becomes a dead letter: no retry can mend it. A record whose
processing failed is named in the answer, and Lambda redelivers the batch from there (Lambda
developer guide, "Configuring partial batch response with Kinesis").
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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


# What is done with one session's frames.
Work = Callable[[Session, Sequence[AnalysedFrame]], ProcessingOutcome]


def process_batch(
    source: KinesisSource, records: Sequence[Mapping[str, Any]], work: Work
) -> "PartialItemFailureResponse":
    """Do the work with the frames of each session in a batch; return the records to redeliver."""
    failed: dict[str, Exception] = {}
    cameras: dict[str, list[AnalysedFrame]] = {}
    for record in records:
        try:
            frame = _read(record["kinesis"], source.stack)
        except RecordError as error:
            failed |= _dead_letter(source, record, error)
        else:
            cameras.setdefault(frame.camera, []).append(frame)
    for camera, frames in cameras.items():
        failed |= _process_camera(source, camera, frames, work)
    kinds = sorted({type(error).__name__ for error in failed.values()})
    facts = {"records": len(records), "failed": len(failed), "errors": kinds}
    source.logger.info("records read", extra=facts)
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}


def _process_camera(
    source: KinesisSource, camera: str, frames: Sequence[AnalysedFrame], work: Work
) -> dict[str, Exception]:
    """Do the work with a camera's frames and count it; return errors by the id of the record.

    An error concerns the frames of its session only, so that it hides no others.
    """
    try:
        sessions = frames_by_session(source.table, camera, frames)
    except Exception as error:
        return {frame.id: error for frame in frames}
    failed: dict[str, Exception] = {}
    for session, own in sessions:
        try:
            outcome = work(session, own)
            failed |= outcome.failed
            counts = outcome.counts + source.calls.take()
            add_counts(source.table, session.id, counts, outcome.last_ms)
        except Exception as error:
            failed |= {frame.id: error for frame in own}
    return failed


def _dead_letter(
    source: KinesisSource, record: Mapping[str, Any], reason: RecordError
) -> dict[str, Exception]:
    """Store a broken record, and return the error if that fails."""
    id = record["kinesis"]["sequenceNumber"]
    try:
        source.dead_letters.put(RECORDS, id, str(reason), record)
    except Exception as error:
        return {id: error}
    return {}


def _read(kinesis: Mapping[str, Any], stack: str) -> AnalysedFrame:
    id = kinesis["sequenceNumber"]
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
        if known is None or known is latest or not known.answers_for(frame.server_ms):
            owners[frame.id] = latest
        else:
            owners[frame.id] = known
    sessions = {owner.id: owner for owner in owners.values()}
    return [
        (session, [frame for frame in frames if owners[frame.id].id == session.id])
        for session in sorted(sessions.values(), key=attrgetter("started_ms"))
    ]
