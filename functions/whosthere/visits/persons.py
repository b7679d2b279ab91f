"""From analysed frames to visits of persons and their alerts."""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from whosthere.alerts import message as alerts
from whosthere.alerts.message import Alert
from whosthere.clock import iso
from whosthere.faces.match import CLAIM_MS, Reading, Sighting, read_face
from whosthere.geometry import Box, distance
from whosthere.ingest.record import Frame, Outcome, Received
from whosthere.metrics import latency_counter
from whosthere.people import store as people
from whosthere.session_store import Session
from whosthere.visits import record_sightings as announcing
from whosthere.visits import store as visit_rows
from whosthere.visits.record_sightings import Desk
from whosthere.visits.visit import Visit


@dataclass(slots=True)
class _Whereabouts:
    """Who was last seen where, while a batch is read in order of capture."""

    visit: Visit | None
    box: Box
    moment_ms: int


@dataclass(frozen=True, slots=True)
class _Read:
    """A frame and whom its faces show."""

    received: Received
    readings: list[Reading]


def alert_persons(desk: Desk, received: Sequence[Received]) -> Outcome:
    """Take the frames of one camera into the visits of its persons; alert once per visit.

    Frames may come in any order and any number of times.
    """
    settings = desk.session.settings
    read = [
        _Read(one, [read_face(face, settings) for face in one.frame.faces])
        for one in received
        if desk.session.answers_for(one.frame.server_ms)
    ]
    read.sort(key=lambda one: one.received.frame.captured_ms)
    groups = _sightings(desk, read) if read else {}
    failed: dict[str, Exception] = {}
    hushed = 0
    for who, sightings in groups.items():
        try:
            taken = announcing.see(desk, who, sightings, lambda visit: person_alert(desk, visit))
            hushed += taken.hushed
        # Whatever goes wrong with one person must not hide the others: the frames
        # that show this one are reported as failed and come again.
        except Exception as error:
            failed |= {sighting.source: error for sighting in sightings}
    unsure = {one.received.id: sum(face.unsure for face in one.readings) for one in read}
    counts = _counts(desk.session, received, failed, unsure)
    if hushed:
        counts["quiet"] = hushed
    return Outcome(failed, counts, _last_ms(read))


def _last_ms(read: Sequence[_Read]) -> int:
    return max((one.received.frame.server_ms for one in read), default=0)


def _counter(frame: Frame, session: Session) -> str:
    # By AWS's clock: a restarted processor can replay what lies before its session.
    if session.answers_for(frame.server_ms):
        return "records"
    return "before_session" if frame.server_ms < session.started_ms else "after_session"


def _counts(
    session: Session,
    received: Sequence[Received],
    failed: Container[str],
    unsure: Mapping[str, int],
) -> Counter[str]:
    """Counts of the frames up to the first that failed: the rest comes again.

    (Lambda developer guide, "Configuring partial batch response with Kinesis": the
    lowest sequence number reported is where the next batch begins.)
    """
    counts: Counter[str] = Counter()
    for one in received:
        if one.id in failed:
            break
        counter = _counter(one.frame, session)
        counts[counter] += 1
        if counter == "records":
            late_ms = one.recognised_ms - one.frame.captured_ms
            counts[latency_counter(late_ms)] += 1
        counts["unsure"] += unsure.get(one.id, 0)
    return counts


def _sightings(desk: Desk, read: Sequence[_Read]) -> dict[str, list[Sighting]]:
    """Sightings by person; a face turned away is one of the person who was there."""
    visits = visit_rows.current_visits(desk.table, desk.session.camera)
    last = {who: _Whereabouts(visit, visit.box, visit.box_ms) for who, visit in visits.items()}
    groups: dict[str, list[Sighting]] = {}
    gap_ms = desk.session.settings.gap_ms
    for one in read:
        seen = _known(one.received, one.readings, last, gap_ms)
        seen |= _turned_away(one.received, one.readings, last, set(seen))
        for who, sighting in seen.items():
            groups.setdefault(who, []).append(sighting)
            before = last.get(who)
            visit = before.visit if before else None
            last[who] = _Whereabouts(visit, sighting.box, sighting.captured_ms)
    return groups


def _known(
    one: Received,
    readings: Sequence[Reading],
    last: Mapping[str, _Whereabouts],
    gap_ms: int,
) -> dict[str, Sighting]:
    seen: dict[str, Sighting] = {}
    sure_first = sorted(
        (reading for reading in readings if reading.persons),
        key=lambda reading: (len(reading.persons), -reading.similarity),
    )
    for reading in sure_first:
        moment_ms = one.frame.captured_ms
        elsewhere = {who: was for who, was in last.items() if who not in seen}
        # One person is not in two places at once.
        free = [who for who in reading.persons if who not in seen]
        who = _whose(reading, free, moment_ms, elsewhere, gap_ms)
        if who:
            seen[who] = _sighting(one, reading)
    return seen


def _whose(
    reading: Reading,
    free: Sequence[str],
    moment_ms: int,
    last: Mapping[str, _Whereabouts],
    gap_ms: int,
) -> str | None:
    """Whose visit a sighting belongs to: an open one of those it may be, else the likeliest's.

    So two persons who are hard to tell apart make one visit together and not two.
    """
    for who in free:
        if who in last and abs(moment_ms - last[who].moment_ms) <= gap_ms:
            return who
    for who, seen in last.items():
        named = seen.visit.persons if seen.visit and seen.visit.captured_ms else ()
        told = set(named) & set(reading.persons)
        if told and _is_there(seen, reading.face.box, moment_ms) is not None:
            return who
    return free[0] if free else None


def _turned_away(
    one: Received,
    readings: Sequence[Reading],
    last: Mapping[str, _Whereabouts],
    present: set[str],
) -> dict[str, Sighting]:
    seen: dict[str, Sighting] = {}
    for reading in readings:
        if reading.persons:
            continue
        near = [
            (apart, who)
            for who, was in last.items()
            if who not in present and who not in seen
            if (apart := _is_there(was, reading.face.box, one.frame.captured_ms)) is not None
        ]
        if near:
            seen[min(near)[1]] = _sighting(one, reading)
    return seen


def _is_there(seen: _Whereabouts, box: Box, moment_ms: int) -> float | None:
    elapsed_ms = abs(moment_ms - seen.moment_ms)
    return None if elapsed_ms > CLAIM_MS else distance(seen.box, box, elapsed_ms)


def _sighting(one: Received, reading: Reading) -> Sighting:
    return Sighting(
        source=one.id,
        captured_ms=one.frame.captured_ms,
        recognised_ms=one.recognised_ms,
        box=reading.face.box,
        persons=reading.persons,
        similarity=reading.similarity if reading.persons else 0.0,
        confirms=bool(reading.persons),
    )


def person_alert(desk: Desk, visit: Visit) -> Alert:
    """The alert of a confirmed visit; it needs the table for the names."""
    names = [people.name_of(desk.table, who) for who in visit.persons]
    name = " or ".join(names)
    camera, time_zone = visit.camera, desk.session.settings.time_zone
    when = alerts.clock(visit.captured_ms, time_zone)
    at = alerts.clock(visit.captured_ms, time_zone, seconds=True)
    shown = name if alerts.is_readable(name) else people.NAMELESS
    return Alert(
        kind=alerts.PERSON,
        camera=camera,
        session=visit.session,
        subject=f"{shown} at {camera} {when}",
        text=f"{name} was seen at {camera} at {at}.\n"
        f"How sure: {visit.similarity:.1f} of 100."
        + alerts.lateness(visit.captured_ms, desk.now_ms()),
        facts={
            "name": name,
            "persons": names,
            "visit": visit.id,
            "similarity": round(visit.similarity, 2),
            "captured": iso(visit.captured_ms),
            "recognised": iso(visit.recognised_ms),
        },
    )
