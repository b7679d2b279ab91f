"""Batches of a Kinesis data stream: records in, frames by session out, and Lambda's answer.

A record that breaks the schema, or whose processing fails in a way that no retry can mend, becomes
a dead letter at once. Any other that failed is named in the answer, and Lambda redelivers the batch
from there (Lambda developer guide, "Configuring partial batch response with Kinesis").
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from whosthere.dynamodb import Table
from whosthere.errors import RecordError, is_permanent, reason_of
from whosthere.ingest.dead_letter import RECORDS, DeadLetters
from whosthere.ingest.record import AnalysedFrame, ProcessingOutcome, read_frame
from whosthere.metrics import ApiCallCounter, add_counts
from whosthere.names import camera_of_arn
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
            failed |= _set_aside(source, record, error)
            continue
        cameras.setdefault(frame.camera, []).append(frame)
    errors: dict[str, Exception] = {}
    for camera, frames in cameras.items():
        try:
            sessions = frames_by_session(source.table, camera, frames)
        except Exception as error:
            errors |= {frame.id: error for frame in frames}
            continue
        # An error concerns the frames of its session only, so that it hides no others.
        for session, own in sessions:
            errors |= _process_session(source, session, own, work)
    for record in records:
        if found := errors.get(record["kinesis"]["sequenceNumber"]):
            failed |= _set_aside(source, record, found)
    kinds = sorted({type(error).__name__ for error in failed.values()})
    facts = {"records": len(records), "failed": len(failed), "errors": kinds}
    source.logger.info("records read", extra=facts)
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}


def _process_session(
    source: KinesisSource, session: Session, frames: Sequence[AnalysedFrame], work: Work
) -> dict[str, Exception]:
    """Do the work with a session's frames and count it; return errors by the id of the record."""
    try:
        outcome = work(session, frames)
        failed = outcome.failed
        counts = outcome.counts + source.calls.take()
        add_counts(source.table, session.id, counts, outcome.last_ms)
    except Exception as error:
        failed = {frame.id: error for frame in frames}
    if failed and len(frames) > 1:
        stuck = [
            n for n, one in enumerate(frames) if one.id in failed and is_permanent(failed[one.id])
        ]
        # One frame may have stopped others that show the same person: each for itself. Those
        # after it too: they were not counted, as what is retried would bring them again.
        for frame in frames[stuck[0] :] if stuck else ():
            failed.pop(frame.id, None)
            failed |= _process_session(source, session, [frame], work)
    return failed


def _set_aside(
    source: KinesisSource, record: Mapping[str, Any], error: Exception
) -> dict[str, Exception]:
    """Make a dead letter if no retry can mend the error; return the error that is left to retry."""
    id = record["kinesis"]["sequenceNumber"]
    if not is_permanent(error):
        return {id: error}
    try:
        _dead_letter(source, record, reason_of(error))
    except Exception as prevented:
        return {id: prevented}
    return {}


def _dead_letter(source: KinesisSource, record: Mapping[str, Any], reason: str) -> None:
    kinesis, letters = record["kinesis"], source.dead_letters
    id = kinesis["sequenceNumber"]
    if _keeps_strangers(source, record.get("eventSourceARN", "")):
        letters.put(RECORDS, id, reason, record)
    else:
        letters.put_digest(RECORDS, id, reason, base64.b64decode(kinesis["data"]))


def _keeps_strangers(source: KinesisSource, stream_arn: str) -> bool:
    """Return whether pictures of strangers may be kept, by the settings of the camera's session."""
    try:
        camera = camera_of_arn(source.stack, stream_arn)
    except ValueError:  # a stream of no camera: no setting forbids it
        return True
    session = latest_session(source.table, camera)
    return session is None or session.settings.strangers != "off"


def _read(kinesis: Mapping[str, Any], stack: str) -> AnalysedFrame:
    id = kinesis["sequenceNumber"]
    recognised_ms = round(1000 * kinesis["approximateArrivalTimestamp"])
    try:
        record = json.loads(base64.b64decode(kinesis["data"]))
    except Exception as error:  # such as ValueError, or RecursionError of 20,000 brackets
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
