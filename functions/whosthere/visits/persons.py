"""From frames to visits of persons and their alerts."""

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter

from whosthere.alerts.texts import person_alert
from whosthere.errors import is_permanent
from whosthere.faces.match import ASSOCIATION_WINDOW_MS, Sighting, classify_face
from whosthere.geometry import Box, distance
from whosthere.ingest.record import AnalysedFrame, ProcessingOutcome
from whosthere.metrics import latency_counter
from whosthere.people.store import Person, read_person
from whosthere.session_store import Session
from whosthere.visits import store
from whosthere.visits.record_sightings import (
    SERVICE_ERRORS,
    AlertContext,
    record_sightings,
    release,
    send_alert,
)
from whosthere.visits.store import StoredVisit
from whosthere.visits.visit import Visit

Positions = dict[str, tuple[int, Box]]  # when and where each person was seen last
# Returns whether a visit of these persons is a look-alike's; then it has become a stranger's.
SecondLook = Callable[[AlertContext, Session, Visit, Sequence[Person], Sequence[Sighting]], bool]
# Whoever cannot be told from a look-alike for so long after AWS had the frame, is told as herself.
DECIDED_WITHIN_MS = 20_000


def alert_persons(
    context: AlertContext,
    session: Session,
    frames: Sequence[AnalysedFrame],
    *,
    second_look: SecondLook | None = None,
) -> ProcessingOutcome:
    """Record the persons in frames of one camera as visits; send one alert per visit.

    Frames may come in any order and any number of times. `second_look` tells persons from those
    who were taken for them before.
    """
    # By AWS's clock: a restarted processor can replay records from before its session.
    wanted = [frame for frame in frames if session.answers_for(frame.server_ms)]
    wanted.sort(key=attrgetter("captured_ms"))
    settings = session.settings
    seen = [[classify_face(frame, face, settings) for face in frame.faces] for frame in wanted]
    stored = store.current_visits(context.table, session.camera) if wanted else {}
    visits = {who: current.visit for who, current in stored.items()}
    groups = group_by_person(seen, visits, settings.gap_ms)
    failed: dict[str, Exception] = {}
    suppressed = 0
    for person, sightings in groups.items():
        try:
            current = stored.get(person)
            suppressed += alert_person(context, session, person, sightings, current, second_look)
        # Whatever goes wrong with one person must not hide the others: the frames that show
        # this one are reported as failed and redelivered.
        except Exception as error:
            failed |= {sighting.frame.id: error for sighting in sightings}
    unsure = {
        frame.id: len([one for one in sightings if one.resembles])
        for frame, sightings in zip(wanted, seen, strict=True)
    }
    counts = _counts(session, frames, failed, unsure)
    if suppressed:
        counts["quiet"] = suppressed
    last_ms = max([frame.server_ms for frame in wanted], default=0)
    return ProcessingOutcome(failed, counts, last_ms)


def alert_person(
    context: AlertContext,
    session: Session,
    person: str,
    sightings: Sequence[Sighting],
    current: StoredVisit | None = None,
    second_look: SecondLook | None = None,
) -> int:
    """Record sightings of one person and send the alerts; return how many were suppressed."""
    suppressed = 0
    for recorded in record_sightings(context, session, person, sightings, current=current):
        suppressed += recorded.is_suppressed
        if recorded.is_claimed:
            visit = recorded.visit
            try:
                persons = [read_person(context.table, who) for who in visit.persons]
            except SERVICE_ERRORS as error:
                raise release(context, visit) from error
            certain = [one for one in persons if not one.look_alikes]
            if second_look and not certain:
                own = [one for one in sightings if visit.covers(one.frame.captured_ms, 0)]
                if _is_look_alike(context, session, visit, persons, own, second_look):
                    continue
            names = [one.name for one in persons]
            now_ms = context.lease.now_ms()
            alert = person_alert(visit, names, session.settings.time_zone, now_ms)
            send_alert(context, visit, alert)
    return suppressed


def _is_look_alike(
    context: AlertContext,
    session: Session,
    visit: Visit,
    persons: Sequence[Person],
    sightings: Sequence[Sighting],
    second_look: SecondLook,
) -> bool:
    """Return whether a visit is a look-alike's; an outage delays the answer, and then it is not."""
    try:
        return second_look(context, session, visit, persons, sightings)
    except Exception as error:
        late_ms = context.lease.now_ms() - max(one.frame.server_ms for one in sightings)
        if is_permanent(error) or late_ms > DECIDED_WITHIN_MS:
            return False  # better told wrongly than not at all
        raise release(context, visit) from error


def _counts(
    session: Session,
    frames: Sequence[AnalysedFrame],
    failed: Container[str],
    unsure: Mapping[str, int],
) -> Counter[str]:
    """Count the frames up to the first that failed: the rest is redelivered.

    `unsure` has the number of unsure faces of each frame within the session.

    (Lambda developer guide, "Configuring partial batch response with Kinesis": the
    lowest sequence number reported is where the next batch begins.)
    """
    counts: Counter[str] = Counter()
    for frame in frames:
        if frame.id in failed:
            break
        if frame.id in unsure:
            counts["records"] += 1
            counts["unsure"] += unsure[frame.id]
            counts[latency_counter(frame.recognised_ms - frame.captured_ms)] += 1
        else:
            is_before = frame.server_ms < session.started_ms
            counts["before_session" if is_before else "after_session"] += 1
    return counts


def group_by_person(
    frames: Sequence[Sequence[Sighting]], visits: Mapping[str, Visit], gap_ms: int
) -> dict[str, list[Sighting]]:
    """Group the sightings of frames, in order of capture, by the person whose visit they are.

    An unmatched or unsure face belongs to the person who was at its place a moment ago, turned
    away. If nobody was, an unsure face belongs to the one person that it resembles.
    """
    last: Positions = {who: (visit.box_ms, visit.box) for who, visit in visits.items()}
    unproven = {who for who, visit in visits.items() if not visit.times}  # only unsure so far
    groups: dict[str, list[Sighting]] = {}
    for sightings in frames:
        seen = matched = _matched(sightings, visits, last, gap_ms)
        if unmatched := [sighting for sighting in sightings if not sighting.who]:
            found = _unmatched(unmatched, last, set(matched))
            unproven |= {who for who in found if _is_new(who, unmatched[0], last, gap_ms)}
            seen = matched | found
        if unproven:
            unproven.difference_update(matched)
            _add_doubts(groups, matched, unproven.difference(seen), last)
        for who, sighting in seen.items():
            groups.setdefault(who, []).append(sighting)
            last[who] = (sighting.frame.captured_ms, sighting.face.box)
    return groups


def _is_new(who: str, sighting: Sighting, last: Positions, gap_ms: int) -> bool:
    """Return whether a visit begins with a sighting of that person."""
    return who not in last or abs(sighting.frame.captured_ms - last[who][0]) > gap_ms


def _add_doubts(
    groups: dict[str, list[Sighting]],
    matched: Mapping[str, Sighting],
    absent: Container[str],
    last: Positions,
) -> None:
    """Add matched faces, as doubts, to the groups of unproven, absent persons seen at their place.

    The unsure faces there may have been of the person who matched.
    """
    for sighting in matched.values():
        who = _nearest(sighting, last)
        if who and who in absent and who not in sighting.who:
            doubt = replace(sighting, who=(), resembles=sighting.who)
            groups.setdefault(who, []).append(doubt)


def _matched(
    sightings: Sequence[Sighting], visits: Mapping[str, Visit], last: Positions, gap_ms: int
) -> dict[str, Sighting]:
    matched = [sighting for sighting in sightings if sighting.who]
    if len(matched) > 1:  # the surest first
        matched.sort(key=lambda sighting: (len(sighting.who), -sighting.similarity))
    seen: dict[str, Sighting] = {}
    for sighting in matched:
        # One person is not in two places at once.
        elsewhere = {who: was for who, was in last.items() if who not in seen}
        who = _whose_visit(sighting, visits, elsewhere, set(seen), gap_ms)
        if who:
            seen[who] = sighting
    return seen


def _whose_visit(
    sighting: Sighting,
    visits: Mapping[str, Visit],
    last: Positions,
    taken: Container[str],
    gap_ms: int,
) -> str | None:
    """Return whose visit a sighting belongs to: an open one of those it may be, else the likeliest.

    So two persons who are hard to tell apart make one visit together and not two.
    """
    free = [who for who in sighting.who if who not in taken]
    for who in free:
        if who in last and abs(sighting.frame.captured_ms - last[who][0]) <= gap_ms:
            return who
    for who, position in last.items():
        visit = visits.get(who)
        named = visit.persons if visit and visit.captured_ms else ()
        if set(named) & set(sighting.who) and _distance(position, sighting) is not None:
            return who
    return free[0] if free else None


def _unmatched(
    unmatched: Sequence[Sighting], last: Positions, present: Container[str]
) -> dict[str, Sighting]:
    seen: dict[str, Sighting] = {}
    if any(one.resembles for one in unmatched):  # first those at the place of their own person
        unmatched = sorted(unmatched, key=lambda one: _nearest(one, last) not in one.resembles)
    for sighting in unmatched:
        absent = {who: was for who, was in last.items() if who not in present and who not in seen}
        who = _nearest(sighting, absent)
        if who is None and len(sighting.resembles) == 1:
            (who,) = sighting.resembles
        if who and who not in present and who not in seen:
            seen[who] = sighting
    return seen


def _nearest(sighting: Sighting, last: Positions) -> str | None:
    """Return who was nearest to the place of a face a moment ago, if anybody was."""
    near = [
        (apart, who)
        for who, position in last.items()
        if (apart := _distance(position, sighting)) is not None
    ]
    return min(near)[1] if near else None


def _distance(position: tuple[int, Box], sighting: Sighting) -> float | None:
    at_ms, box = position
    elapsed_ms = abs(sighting.frame.captured_ms - at_ms)
    if elapsed_ms > ASSOCIATION_WINDOW_MS:
        return None
    return distance(box, sighting.face.box, elapsed_ms)
