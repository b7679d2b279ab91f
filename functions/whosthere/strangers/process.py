"""From frames to strangers and the review queue."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from whosthere.clock import iso
from whosthere.errors import PictureError, TryAgainError
from whosthere.faces.match import Sighting, picture_score
from whosthere.faces.track_store import (
    ClaimedTracks,
    StoredTracks,
    release_track,
    resolve_track,
    update_tracks,
)
from whosthere.faces.tracker import FaceTrack
from whosthere.imaging import Crops, crop
from whosthere.ingest.record import AnalysedFrame, ProcessingOutcome
from whosthere.session_store import Session
from whosthere.strangers import store
from whosthere.strangers.association import person_of, wait_ms
from whosthere.strangers.collection import (
    FaceSearchResult,
    delete_faces,
    index_further_face,
    search_or_index,
)
from whosthere.strangers.record_stranger import record_stranger
from whosthere.strangers.review_queue import StrangerContext, put_in_queue, save_queued
from whosthere.strangers.stranger import PENDING, Stranger
from whosthere.visits.record_sightings import AlertContext
from whosthere.visits.store import current_visits, find_visit, read_current


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The best sighting of a track with its picture, or without one and the reason."""

    sighting: Sighting
    crops: Crops | None
    reason: str


def queue_strangers(
    alerting: AlertContext,
    context: StrangerContext,
    session: Session,
    frames: Sequence[AnalysedFrame],
    stored: StoredTracks | None = None,
) -> ProcessingOutcome:
    """Put the strangers in frames of one camera into the review queue; send one alert per visit.

    Frames may come in any order and any number of times. With `strangers: off` nothing of them
    is kept. `stored` is the row of tracks if it has been read.
    """
    wanted = [frame for frame in frames if session.answers_for(frame.server_ms)]
    if session.settings.strangers == "off" or not wanted:
        return ProcessingOutcome({}, Counter())
    lease = alerting.lease
    tracks = update_tracks(
        alerting.table,
        session,
        wanted,
        now_ms=lease.now_ms(),
        lease_ms=lease.length_ms,
        stored=stored,
    )
    failed = _wait_for_others(tracks, wanted)
    if longest_ms := max((wait_ms(track) for track in tracks.mine), default=0):
        context.wait(longest_ms)
    counts = Counter(tracks.drops)
    # What goes wrong with one stranger must not hide the others.
    for track in tracks.mine:
        try:
            counts += _resolve_track(alerting, context, session, track)
        except Exception as error:
            failed |= dict.fromkeys(_frame_ids(track, wanted), error)
    for stranger, sightings in tracks.of_strangers.items():
        try:
            counts["quiet"] += record_stranger(alerting, context, session, stranger, sightings)
        except Exception as error:
            failed |= {sighting.frame.id: error for sighting in sightings}
    return ProcessingOutcome(failed, +counts)


def _wait_for_others(
    tracks: ClaimedTracks, frames: Sequence[AnalysedFrame]
) -> dict[str, Exception]:
    """Return the frames to retry: those of tracks that another worker has claimed."""
    # Only a duplicate frame can belong to a worker that died with the claim; new ones may
    # pass, the claim is held by a worker that lives.
    duplicates = [frame for frame in frames if frame.id in tracks.duplicates]
    waiting = TryAgainError("another worker has claimed the stranger")
    return {id: waiting for track in tracks.others for id in _frame_ids(track, duplicates)}


def _frame_ids(track: FaceTrack, frames: Iterable[AnalysedFrame]) -> list[str]:
    times = {sighting.frame.captured_ms for sighting in track.sightings}
    return [frame.id for frame in frames if frame.captured_ms in times]


def _resolve_track(
    alerting: AlertContext, context: StrangerContext, session: Session, track: FaceTrack
) -> Counter[str]:
    """Resolve a confirmed track to a person or stranger; return the counters.

    Every step can be repeated: a worker that dies leaves the claim's lease, and the next one
    comes to the same ids and keys.
    """
    table, now_ms = alerting.table, alerting.lease.now_ms
    counts: Counter[str] = Counter()
    try:
        stored = current_visits(table, session.camera)
        who = person_of(track, {one: current.visit for one, current in stored.items()})
        if who is None:
            who, counts = _enqueue(alerting, context, session, track)
    except Exception:
        release_track(table, session.camera, track, now_ms())
        raise
    resolve_track(table, session.camera, track, who, now_ms())
    return counts


def _enqueue(
    alerting: AlertContext, context: StrangerContext, session: Session, track: FaceTrack
) -> tuple[str, Counter[str]]:
    """Queue a stranger and send the alert; return the stranger's id and the counters."""
    snapshot = take_snapshot(context, track.sightings)
    result = FaceSearchResult(track.id, "")
    if snapshot.crops:
        threshold = session.settings.match_threshold
        result = search_or_index(context.files, snapshot.crops.face, track.id, threshold)
    return add_to_queue(alerting, context, session, track, snapshot, result)


def add_to_queue(
    alerting: AlertContext,
    context: StrangerContext,
    session: Session,
    track: FaceTrack,
    snapshot: Snapshot,
    result: FaceSearchResult,
) -> tuple[str, Counter[str]]:
    """Queue whom a search has found, once per visit, and send the alert; return who it is."""
    known = store.who_is(alerting.table, result.stranger)
    stranger = known.id if known else result.stranger
    if known is None or known.is_waiting:
        counter = "strangers" if stranger == track.id else "strangers_again"
        _put_in_queue(
            alerting, context, session, snapshot, known, replace(result, stranger=stranger), track
        )
    else:
        counter = "named" if known.person else "ignored"
    sightings = [
        Sighting(sighting.frame, sighting.face, who=(stranger,), similarity=result.similarity)
        for sighting in track.sightings
    ]
    suppressed = record_stranger(alerting, context, session, stranger, sightings)
    who = known.person if known and known.person else stranger
    return who, Counter({counter: 1, "quiet": suppressed})


def take_snapshot(context: StrangerContext, sightings: Sequence[Sighting]) -> Snapshot:
    """Return the picture of the best sighting that there is a picture of."""
    best_first = sorted(sightings, key=lambda sighting: -picture_score(sighting.face))
    reasons = []
    for sighting in best_first:
        try:
            image = context.image(sighting)
            return Snapshot(sighting, crop(image, sighting.face.box, sighting.other_boxes), "")
        except PictureError as error:
            reasons.append(str(error))
    return Snapshot(best_first[0], None, reasons[0])


def _put_in_queue(
    alerting: AlertContext,
    context: StrangerContext,
    session: Session,
    snapshot: Snapshot,
    known: Stranger | None,
    result: FaceSearchResult,
    track: FaceTrack,
) -> None:
    """Put a sighting into the queue, once per visit."""
    table, gap_ms = alerting.table, session.settings.gap_ms
    moment_ms, stranger = snapshot.sighting.frame.captured_ms, result.stranger
    current = read_current(table, session.camera, stranger)
    if find_visit(table, current, moment_ms, gap_ms).stored is not None:
        return
    facts = {
        "camera": session.camera,
        "session": session.id,
        "queued": iso(alerting.lease.now_ms()),
        "reason": snapshot.reason or None,
    }
    content = snapshot.crops.picture if snapshot.crops else None
    picture = put_in_queue(context.files, stranger, snapshot.sighting, content, facts)
    if picture and snapshot.crops:
        face_id = index_further_face(context.files, snapshot.crops.face, result)
        picture = replace(picture, face_id=face_id)
    first_ms = track.sightings[0].frame.captured_ms
    seen = known or Stranger(stranger, (session.camera,), first_ms, first_ms, 0, 0, PENDING)
    seen = replace(seen, face_id=seen.face_id or result.face_id)
    after = save_queued(table, context.files, known, seen, picture)
    delete_faces(context.files, seen.face_ids - after.face_ids)
