"""Tracks: faces followed from frame to frame, to tell strangers from known people turned away.

A track is a person's as soon as one of its faces matched, and stays so while faces follow each
other at the same place: they are the person's, turned away. Only a track that never matched and
whose faces pass the quality gate becomes a stranger:

    open --confirmed--> due --> claimed --> done (its stranger is known)
                         ^         |
                         '-failed--'
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from operator import attrgetter

from whosthere.faces.followed_image import FollowedImage
from whosthere.faces.match import (
    ASSOCIATION_WINDOW_MS,
    Sighting,
    classify_face,
    confirmed_at,
    failed_check,
)
from whosthere.geometry import Box, distance
from whosthere.ingest.record import AnalysedFrame
from whosthere.names import STRANGER_PREFIX
from whosthere.settings import Settings

MAX_SIGHTINGS = 20  # good sightings that a track remembers: as many as settings can ask for
MAX_FRAMES = 240  # capture times by which a duplicate frame is told from a new one
STEP_MS, MAX_STEPS = 1000, 15  # of a track's path: so far may one shard be behind another
MAX_TRACKS = 40
FORGET_MS = 60_000
FORGET_UNRESOLVED_MS = 3_600_000


class TrackState(StrEnum):
    """What became of a track."""

    OPEN = "open"
    DUE = "due"
    CLAIMED = "claimed"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """One face followed; `who` is a person, a stranger, or empty while nobody is known.

    `updated_ms` is when a frame last came for it, by AWS's clock; `path` says where it was
    at which capture times, about one a second; `sightings` are those that passed the quality
    gate.
    """

    id: str
    box: Box
    box_ms: int
    updated_ms: int
    who: str = ""
    path: tuple[tuple[int, Box], ...] = ()
    sightings: tuple[Sighting, ...] = ()
    unsure_ms: int = 0
    state: str = TrackState.OPEN
    claim: str = ""
    lease_ms: int = 0

    @property
    def is_open(self) -> bool:
        """Return whether the track can still become anybody's."""
        return not self.who and self.state == TrackState.OPEN

    @property
    def is_unresolved(self) -> bool:
        """Return whether a stranger was confirmed and is not known yet."""
        return self.state in (TrackState.DUE, TrackState.CLAIMED)

    def nearest_position(self, moment_ms: int) -> tuple[Box, int]:
        """Return where the face was nearest to a moment, and how long before or after.

        Of two shards one may be seconds behind, so the last position is not all that counts.
        """
        positions = ((self.box_ms, self.box), *self.path)
        near_ms, box = min(positions, key=lambda position: abs(moment_ms - position[0]))
        return box, abs(moment_ms - near_ms)


@dataclass(frozen=True, slots=True)
class TrackerState:
    """All tracks of a camera, and the capture times of the frames they are made of.

    `image` is the newest image of the engine image-search, whose faces are followed.
    """

    tracks: tuple[FaceTrack, ...] = ()
    frames: tuple[int, ...] = ()
    image: FollowedImage | None = None


def stranger_id(camera: str, captured_ms: int, box: Box) -> str:
    """Return the id of a stranger who is first seen there: the same at every retry."""
    sides = ",".join(str(side) for side in box.to_row())
    digest = hashlib.sha256(f"{camera} {captured_ms} {sides}".encode())
    return f"{STRANGER_PREFIX}{digest.hexdigest()[:12]}"


class FaceTracker:
    """Follows the faces of one batch of frames; `state` is the result.

    `duplicates` are ids of frames that were known already, `of_strangers` the new sightings of
    strangers who are known by now, `drops` the counts of faces that failed the quality gate.
    """

    def __init__(self, state: TrackerState, settings: Settings, now_ms: int) -> None:
        """Begin with the tracks as they were written last."""
        self.state = state
        self.duplicates: set[str] = set()
        self.drops: Counter[str] = Counter()
        self.of_strangers: dict[str, list[Sighting]] = {}
        self._settings = settings
        self._now_ms = now_ms

    def follow(self, frames: Sequence[AnalysedFrame]) -> None:
        """Take frames in, in order of capture; those that are known change nothing."""
        for frame in sorted(frames, key=attrgetter("captured_ms")):
            if frame.captured_ms in self.state.frames:
                self.duplicates.add(frame.id)
            else:
                self._add_frame(frame)
        self._confirm()

    def _add_frame(self, frame: AnalysedFrame) -> None:
        sightings = [classify_face(frame, face, self._settings) for face in frame.faces]
        # The known ones first: a face left over at their place is not theirs.
        sightings.sort(key=lambda sighting: not sighting.who)
        free = list(self.state.tracks)
        moved = []
        for sighting in sightings:
            track = self._nearest(free, sighting)
            if track is not None:
                free.remove(track)
            moved.append(self._extend(track or self._begin(sighting), sighting))
        frames = (*self.state.frames, frame.captured_ms)  # in order of arrival
        self.state = replace(self.state, tracks=(*free, *moved), frames=frames[-MAX_FRAMES:])

    def _nearest(self, free: Sequence[FaceTrack], sighting: Sighting) -> FaceTrack | None:
        found = []
        for track in free:
            box, elapsed_ms = track.nearest_position(sighting.frame.captured_ms)
            if elapsed_ms > ASSOCIATION_WINDOW_MS:
                continue
            apart = distance(box, sighting.face.box, elapsed_ms)
            if apart is None:
                continue
            is_same = track.who in sighting.who
            if sighting.who and not is_same and not track.is_open:
                continue  # another person's, or a stranger's
            found.append((not is_same, apart, track.id, track))
        return min(found)[3] if found else None

    def _begin(self, sighting: Sighting) -> FaceTrack:
        moment_ms, box = sighting.frame.captured_ms, sighting.face.box
        id = stranger_id(sighting.frame.camera, moment_ms, box)
        return FaceTrack(id, box, moment_ms, self._now_ms)

    def _extend(self, track: FaceTrack, sighting: Sighting) -> FaceTrack:
        moment_ms, box = sighting.frame.captured_ms, sighting.face.box
        path = _longer(track.path, moment_ms, box)
        track = replace(track, updated_ms=self._now_ms, path=path)
        if moment_ms >= track.box_ms:
            track = replace(track, box=box, box_ms=moment_ms)
        if sighting.who:
            return replace(track, who=sighting.who[0], sightings=(), state=TrackState.DONE)
        if sighting.resembles:
            return replace(track, unsure_ms=max(moment_ms, track.unsure_ms))
        if track.who.startswith(STRANGER_PREFIX):
            of_stranger = replace(sighting, who=(track.who,))
            self.of_strangers.setdefault(track.who, []).append(of_stranger)
            return track
        if track.who or abs(moment_ms - track.unsure_ms) <= ASSOCIATION_WINDOW_MS:
            return track  # somebody known, turned away, or perhaps so
        return self._add_sighting(track, sighting)

    def _add_sighting(self, track: FaceTrack, sighting: Sighting) -> FaceTrack:
        moment_ms = sighting.frame.captured_ms
        if any(known.frame.captured_ms == moment_ms for known in track.sightings):
            return track  # so late that the frame was forgotten
        if failed := failed_check(sighting.face, self._settings.quality):
            self.drops[f"dropped_{failed}"] += 1
            return track
        known = sorted((*track.sightings, sighting), key=attrgetter("frame.captured_ms"))
        return replace(track, sightings=tuple(known[-MAX_SIGHTINGS:]))

    def _confirm(self) -> None:
        """Confirm strangers, at the end of the batch: a later frame may have shown who it is."""
        tracks = [self._confirmed(track) for track in self.state.tracks]
        # A crowd does not drive out a stranger who still has to be told of.
        tracks.sort(key=lambda track: (not track.is_unresolved, -track.updated_ms))
        kept = [track for track in tracks if not self._is_over(track)]
        self.state = replace(self.state, tracks=tuple(kept[:MAX_TRACKS]))

    def _confirmed(self, track: FaceTrack) -> FaceTrack:
        times = tuple(sighting.frame.captured_ms for sighting in track.sightings)
        if not track.is_open or confirmed_at(times, self._settings) is None:
            return track
        return replace(track, state=TrackState.DUE)

    def _is_over(self, track: FaceTrack) -> bool:
        forget_ms = FORGET_UNRESOLVED_MS if track.is_unresolved else FORGET_MS
        return self._now_ms - track.updated_ms > forget_ms


def _longer(
    path: tuple[tuple[int, Box], ...], moment_ms: int, box: Box
) -> tuple[tuple[int, Box], ...]:
    if any(abs(moment_ms - at_ms) < STEP_MS for at_ms, _ in path):
        return path
    longer = sorted((*path, (moment_ms, box)), key=lambda position: position[0])
    return tuple(longer[-MAX_STEPS:])
