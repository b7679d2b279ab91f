"""Sightings: what one face in one frame says about who is there."""

from collections.abc import Sequence
from dataclasses import dataclass

from whosthere.geometry import Box
from whosthere.ingest.record import Face
from whosthere.settings import Settings

# A face without a match within this time of a sighting, where that one was, is the
# same face turned away.
CLAIM_MS = 2000


@dataclass(frozen=True, slots=True)
class Reading:
    """A face and whom it shows: `persons`, likeliest first, or nobody known."""

    face: Face
    persons: tuple[str, ...]
    similarity: float
    unsure: bool


@dataclass(frozen=True, slots=True)
class Sighting:
    """One sighting as a visit takes it in.

    `source` is the id of the frame it came with. A sighting that does not `confirm` is
    a face turned away: it keeps a visit open and counts for nothing else.
    """

    source: str
    captured_ms: int
    recognised_ms: int
    box: Box
    persons: tuple[str, ...]
    similarity: float = 0.0
    confirms: bool = True


def read_face(face: Face, settings: Settings) -> Reading:
    """Whom a face shows: one person, several too close to tell, unsure, or nobody."""
    if not face.matches:
        return Reading(face, (), 0.0, unsure=False)
    best: dict[str, float] = {}
    for match in face.matches:  # each photo of a person may match
        known = best.get(match.person_id, 0.0)
        best[match.person_id] = max(known, match.similarity)
    top = max(best.values())
    if top < settings.match_threshold:
        return Reading(face, (), top, unsure=True)
    if len(best) == 1:
        return Reading(face, tuple(best), top, unsure=False)
    ranked = sorted(best.items(), key=lambda found: (-found[1], found[0]))
    floor = max(settings.match_threshold, top - settings.margin)
    persons = tuple(person for person, similarity in ranked if similarity >= floor)
    return Reading(face, persons, top, unsure=False)


def confirming(times: Sequence[int], settings: Settings) -> int | None:
    """Capture time of the sighting that confirms, or None: so many within the window."""
    more = settings.confirm_sightings - 1
    for start, end in zip(times, times[more:], strict=False):
        if end - start <= settings.confirm_window_ms:
            return end
    return None
