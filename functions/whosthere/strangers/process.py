"""From analysed frames to strangers, the review queue and the alerts of strangers."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from whosthere.clock import iso
from whosthere.errors import PictureError, TryAgainError
from whosthere.faces import quality
from whosthere.faces import track_store as track_rows
from whosthere.faces.match import Sighting
from whosthere.faces.tracker import Hit, Track, sightings_of
from whosthere.imaging import Crops, crop
from whosthere.ingest.record import Outcome, Received
from whosthere.strangers import store as strangers
from whosthere.strangers.association import patience_ms, person_of
from whosthere.strangers.pictures import Linker
from whosthere.strangers.store import Album, Likeness
from whosthere.strangers.stranger_alert import stranger_alert
from whosthere.visits import record_sightings as announcing
from whosthere.visits import store as visit_rows
from whosthere.visits.record_sightings import Desk, Taken


@dataclass(frozen=True, slots=True)
class Studio:
    """What the work on strangers needs besides the desk; `still` gives a sighting's frame."""

    album: Album
    linker: Linker
    still: Callable[[Hit], bytes]


@dataclass(frozen=True, slots=True)
class Shot:
    """The best sighting of a track with its picture, or without one and the reason."""

    hit: Hit
    crops: Crops | None
    reason: str


def queue_strangers(desk: Desk, studio: Studio, received: Sequence[Received]) -> Outcome:
    """Take the frames of one camera into the queue of strangers; alert once per visit.

    Frames may come in any order and any number of times. With `strangers: off` nothing
    of them is kept.
    """
    settings = desk.session.settings
    wanted = [one for one in received if desk.session.answers_for(one.frame.server_ms)]
    if settings.strangers == "off" or not wanted:
        return Outcome({}, Counter())
    turn = track_rows.take_turn(
        desk.table,
        desk.session,
        wanted,
        now_ms=desk.now_ms(),
        lease_ms=desk.lease_ms,
    )
    counts = Counter(turn.drops)
    failed: dict[str, Exception] = {}
    # Only a frame that was taken in before can belong to a worker that died with the
    # claim; new ones may pass, the claim is in good hands.
    again = [one for one in wanted if one.id in turn.came_again]
    for track in turn.others:
        waiting = TryAgainError("somebody else has the stranger in hand")
        failed |= dict.fromkeys(_frames_of(track, again), waiting)
    if wait_ms := max((patience_ms(track) for track in turn.mine), default=0):
        desk.wait(wait_ms)
    # What goes wrong with one stranger must not hide the others.
    for track in turn.mine:
        try:
            counts += _settle(desk, studio, track)
        except Exception as error:
            failed |= dict.fromkeys(_frames_of(track, wanted), error)
    for stranger, sightings in turn.seen.items():
        try:
            counts["quiet"] += _seen(desk, studio, stranger, sightings)
        except Exception as error:
            failed |= {sighting.source: error for sighting in sightings}
    return Outcome(failed, +counts)


def _frames_of(track: Track, received: Iterable[Received]) -> list[str]:
    times = {hit.captured_ms for hit in track.hits}
    return [one.id for one in received if one.frame.captured_ms in times]


def _settle(desk: Desk, studio: Studio, track: Track) -> Counter[str]:
    """Find out whose a confirmed track is; what is to be counted.

    Every step can be done again: a worker that dies leaves the claim's lease, and the
    next one comes to the same ids and keys.
    """
    camera = desk.session.camera
    counts: Counter[str] = Counter()
    try:
        who = person_of(track, visit_rows.current_visits(desk.table, camera))
        if who is None:
            who, counts = _welcome(desk, studio, track)
    except Exception:
        track_rows.release(desk.table, camera, track, desk.now_ms())
        raise
    track_rows.settle(desk.table, camera, track, who, desk.now_ms())
    return counts


def _welcome(desk: Desk, studio: Studio, track: Track) -> tuple[str, Counter[str]]:
    """Queue and tell a stranger; whom it is, and what is to be counted."""
    shot = _take(studio, track)
    likeness = Likeness(track.id, "", None)
    if shot.crops:
        threshold = desk.session.settings.match_threshold
        likeness = strangers.recognise(studio.album, shot.crops.face, track.id, threshold)
    who = likeness.stranger
    known = strangers.read_stranger(desk.table, who)
    is_quiet = known is not None and known.is_quiet
    if not is_quiet:
        _queue(desk, studio, shot, likeness, track.hits[0].captured_ms)
    hushed = _seen(desk, studio, who, sightings_of(track, who))
    again = "strangers" if who == track.id else "strangers_again"
    return who, Counter({"ignored" if is_quiet else again: 1, "quiet": hushed})


def _take(studio: Studio, track: Track) -> Shot:
    """The picture of the best sighting that there is a picture of."""
    best_first = sorted(track.hits, key=lambda hit: -quality.score(hit.face))
    reasons = []
    for hit in best_first:
        try:
            image = studio.still(hit)
        except PictureError as error:
            reasons.append(str(error))
            continue
        return Shot(hit, crop(image, hit.face.box, hit.others), "")
    return Shot(best_first[0], None, reasons[0])


def _queue(desk: Desk, studio: Studio, shot: Shot, likeness: Likeness, first_ms: int) -> None:
    """Put a sighting into the queue, once per visit."""
    session = desk.session
    moment_ms, who = shot.hit.captured_ms, likeness.stranger
    place = visit_rows.locate(desk.table, who, session.camera, moment_ms, session.settings.gap_ms)
    if place.row is not None:
        return
    facts: dict[str, Any] = {
        "camera": session.camera,
        "session": session.id,
        "queued": iso(desk.now_ms()),
        "reason": shot.reason or None,
    }
    picture = shot.crops.picture if shot.crops else None
    key = strangers.put_in_queue(studio.album, who, shot.hit, picture, facts)
    strangers.note(desk.table, likeness, session.camera, picture_key=key, moment_ms=first_ms)


def _seen(desk: Desk, studio: Studio, stranger: str, sightings: Sequence[Sighting]) -> int:
    """Take sightings of a stranger into the visit, and tell if the owner wants to know.

    Answers of how many visits the owner wants no word at this time.
    """
    known = strangers.read_stranger(desk.table, stranger)
    if known is None:
        return 0  # forgotten a moment ago
    taken = Taken(len(sightings), 0)
    if not known.is_quiet:
        tells = desk.session.settings.strangers == "alert"
        taken = announcing.see(
            desk,
            stranger,
            sightings,
            (lambda visit: stranger_alert(desk, studio.linker, visit)) if tells else None,
        )
    last_ms = max(sighting.captured_ms for sighting in sightings)
    strangers.seen_again(desk.table, stranger, max(last_ms, known.last_ms), taken.fresh)
    return taken.hushed
