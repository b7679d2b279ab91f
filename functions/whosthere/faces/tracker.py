"""Tracks: faces followed from frame to frame, to tell strangers from known people turned away.

A track is of a person as soon as one of its faces was matched, and stays so while faces
follow each other at the same place: they are the person's, turned away. Only a track
that never was anybody's and whose faces are good enough becomes a stranger:

    open --confirmed--> due --> claimed --> done (its stranger is known)
                         ^         |
                         '-failed--'
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from whosthere.faces import quality
from whosthere.faces.match import CLAIM_MS, Reading, Sighting, confirming, read_face
from whosthere.geometry import Box, distance
from whosthere.ingest.record import Face, Received
from whosthere.settings import Settings

OPEN, DUE, CLAIMED, DONE = "open", "due", "claimed", "done"
HITS = 20  # good sightings that a track remembers: as many as settings can ask for
FRAMES = 240  # capture times by which a frame that comes again is told from a new one
STEP_MS, STEPS = 1000, 15  # of a track's trail: so far may one shard be behind another
TRACKS = 40
FORGET_MS = 60_000
FORGET_UNSETTLED_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Hit:
    """A sighting good enough to stand for a stranger; `others` are the frame's other faces."""

    captured_ms: int
    server_ms: int
    recognised_ms: int
    offset_ms: int
    fragment: str
    face: Face
    others: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Track:
    """One face followed; `who` is a person, a stranger, or nobody yet.

    `touched_ms` is when a frame last came for it, by AWS's clock; `trail` is where it was
    at which capture times, about one a second.
    """

    id: str
    box: Box
    box_ms: int
    touched_ms: int
    who: str = ""
    trail: tuple[tuple[int, Box], ...] = ()
    hits: tuple[Hit, ...] = ()
    unsure_ms: int = 0
    state: str = OPEN
    claim: str = ""
    lease_ms: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it still can become anybody's."""
        return not self.who and self.state == OPEN

    def place(self, moment_ms: int) -> tuple[Box, int]:
        """Where it was nearest to a moment, and how long before or after.

        Of two shards one may be seconds behind, so the last place is not all that counts.
        """
        places = ((self.box_ms, self.box), *self.trail)
        near_ms, box = min(places, key=lambda place: abs(moment_ms - place[0]))
        return box, abs(moment_ms - near_ms)


@dataclass(frozen=True, slots=True)
class Board:
    """All tracks of a camera, and the capture times of the frames they are made of."""

    tracks: tuple[Track, ...] = ()
    frames: tuple[int, ...] = ()


def stranger_id(camera: str, captured_ms: int, box: Box) -> str:
    """The id of whoever is first seen there: the same at every retry."""
    sides = ",".join(str(side) for side in box.to_row())
    digest = hashlib.sha256(f"{camera} {captured_ms} {sides}".encode())
    return f"s-{digest.hexdigest()[:12]}"


class Follower:
    """Follows the faces of one batch of frames; `board` is what comes out.

    `came_again` are the ids of frames that were known, `seen` sightings of strangers
    known by now, `drops` why faces were not kept.
    """

    def __init__(self, board: Board, settings: Settings, now_ms: int) -> None:
        self.board = board
        self.came_again: set[str] = set()
        self.drops: Counter[str] = Counter()
        self.seen: dict[str, list[Sighting]] = {}
        self._settings = settings
        self._now_ms = now_ms

    def follow(self, received: Sequence[Received]) -> None:
        """Take in frames, in order of capture; those that are known change nothing."""
        for one in sorted(received, key=lambda one: one.frame.captured_ms):
            if one.frame.captured_ms in self.board.frames:
                self.came_again.add(one.id)
            else:
                self._frame(one)
        self._confirm()

    def _frame(self, one: Received) -> None:
        readings = [read_face(face, self._settings) for face in one.frame.faces]
        # The known ones first: what is left at their place is not them.
        readings.sort(key=lambda reading: not reading.persons)
        free = list(self.board.tracks)
        moved = []
        for reading in readings:
            track = self._nearest(free, one, reading)
            if track is not None:
                free.remove(track)
            moved.append(self._extend(track or self._begin(one, reading), one, reading))
        frames = (*self.board.frames, one.frame.captured_ms)  # in order of arrival
        self.board = Board((*free, *moved), frames[-FRAMES:])

    def _nearest(self, free: Sequence[Track], one: Received, reading: Reading) -> Track | None:
        found = []
        for track in free:
            box, elapsed_ms = track.place(one.frame.captured_ms)
            if elapsed_ms > CLAIM_MS:
                continue
            apart = distance(box, reading.face.box, elapsed_ms)
            if apart is None:
                continue
            same = track.who in reading.persons
            if reading.persons and not same and not track.is_open:
                continue  # somebody else's, or a stranger's
            found.append((not same, apart, track.id, track))
        return min(found)[3] if found else None

    def _begin(self, one: Received, reading: Reading) -> Track:
        moment_ms, box = one.frame.captured_ms, reading.face.box
        id = stranger_id(one.frame.camera, moment_ms, box)
        return Track(id, box, moment_ms, self._now_ms)

    def _extend(self, track: Track, one: Received, reading: Reading) -> Track:
        moment_ms = one.frame.captured_ms
        trail = _longer(track.trail, moment_ms, reading.face.box)
        track = replace(track, touched_ms=self._now_ms, trail=trail)
        if moment_ms >= track.box_ms:
            track = replace(track, box=reading.face.box, box_ms=moment_ms)
        if reading.persons:
            return replace(track, who=reading.persons[0], hits=(), state=DONE)
        if reading.unsure:
            return replace(track, unsure_ms=max(moment_ms, track.unsure_ms))
        if track.who.startswith("s-"):
            sighting = sighting_of(one, reading)
            self.seen.setdefault(track.who, []).append(sighting)
            return track
        if track.who or abs(moment_ms - track.unsure_ms) <= CLAIM_MS:
            return track  # somebody known, turned away, or perhaps so
        return self._hit(track, one, reading)

    def _hit(self, track: Track, one: Received, reading: Reading) -> Track:
        missing = quality.shortfall(reading.face, self._settings.quality)
        if any(hit.captured_ms == one.frame.captured_ms for hit in track.hits):
            return track  # so late that the frame was forgotten
        if missing:
            self.drops[f"dropped_{missing}"] += 1
            return track
        frame = one.frame
        hit = Hit(
            captured_ms=frame.captured_ms,
            server_ms=frame.server_ms,
            recognised_ms=one.recognised_ms,
            offset_ms=frame.offset_ms,
            fragment=frame.fragment,
            face=replace(reading.face, matches=()),
            others=tuple(face.box for face in frame.faces if face != reading.face),
        )
        hits = sorted((*track.hits, hit), key=lambda hit: hit.captured_ms)
        return replace(track, hits=tuple(hits[-HITS:]))

    def _confirm(self) -> None:
        """Confirm strangers, at the end of the batch: a later frame may have shown who it is."""
        tracks = [self._confirmed(track) for track in self.board.tracks]
        tracks.sort(key=lambda track: track.touched_ms, reverse=True)
        kept = [track for track in tracks if not self._is_over(track)]
        self.board = replace(self.board, tracks=tuple(kept[:TRACKS]))

    def _confirmed(self, track: Track) -> Track:
        times = tuple(hit.captured_ms for hit in track.hits)
        if not track.is_open or confirming(times, self._settings) is None:
            return track
        return replace(track, state=DUE)

    def _is_over(self, track: Track) -> bool:
        unsettled = track.state in (DUE, CLAIMED)
        patience_ms = FORGET_UNSETTLED_MS if unsettled else FORGET_MS
        return self._now_ms - track.touched_ms > patience_ms


def _longer(
    trail: tuple[tuple[int, Box], ...], moment_ms: int, box: Box
) -> tuple[tuple[int, Box], ...]:
    if any(abs(moment_ms - at_ms) < STEP_MS for at_ms, _ in trail):
        return trail
    longer = sorted((*trail, (moment_ms, box)), key=lambda place: place[0])
    return tuple(longer[-STEPS:])


def sighting_of(one: Received, reading: Reading) -> Sighting:
    """A sighting of a stranger, from a frame."""
    frame = one.frame
    return Sighting(one.id, frame.captured_ms, one.recognised_ms, reading.face.box, persons=())


def sightings_of(track: Track, stranger: str) -> list[Sighting]:
    """The sightings that made a track a stranger's."""
    return [
        Sighting(
            source=stranger,
            captured_ms=hit.captured_ms,
            recognised_ms=hit.recognised_ms,
            box=hit.face.box,
            persons=(),
        )
        for hit in track.hits
    ]
