"""One fragment on its way, and what became of all of them."""

from dataclasses import dataclass, field

from .media import mkv


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One frame as it is sent."""

    at_ms: int
    is_key: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fragment lies on disk: file, first byte and number of bytes."""

    segment: int
    offset: int
    size: int
    checksum: int


@dataclass(slots=True, eq=False)
class Fragment:
    """A key frame and what follows it up to the next; times in epoch milliseconds.

    `pieces` are the bytes of its cluster as they are sent, a frame at a time; once
    they lie on disk, `place` says where, and `pieces` is empty.
    """

    timecode: int
    track: mkv.Track
    number: int = -1
    pieces: list[bytes] = field(default_factory=list)
    frames: int = 0
    size: int = 0
    last_ms: int = 0
    shift_ms: int = 0
    is_complete: bool = False
    is_gone: bool = False
    ended_at: float = 0.0
    sent_at: float | None = None
    was_sent: bool = False
    place: Place | None = None

    @property
    def length_s(self) -> float:
        """Say how long it plays, its last frame as long as the others."""
        gaps = self.frames - 1
        return (self.last_ms - self.timecode) * self.frames / gaps / 1000 if gaps > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the video so far: frames captured, and fragments.

    `found` lay on disk from the run before and are among `fragments`; `unwanted` ones
    were not tagged and only tagged ones are sent. Four ways to be dropped: the ring was
    full, the memory was (while the disk took nothing), too far behind, damaged on disk.
    """

    frames: int = 0
    fragments: int = 0
    found: int = 0
    sent: int = 0
    persisted: int = 0
    refused: int = 0
    unwanted: int = 0
    overflowed: int = 0
    crowded: int = 0
    outdated: int = 0
    damaged: int = 0

    @property
    def dropped_by(self) -> dict[str, int]:
        """Count what was dropped, by reason; only reasons that occurred."""
        reasons = {
            "buffer full": self.overflowed,
            "disk failed": self.crowded,
            "too far behind": self.outdated,
            "damaged on disk": self.damaged,
        }
        return {reason: number for reason, number in reasons.items() if number}

    @property
    def dropped(self) -> int:
        """Count the fragments that were given up before the service had them."""
        return self.overflowed + self.crowded + self.outdated + self.damaged

    @property
    def waiting(self) -> int:
        """Count the fragments nobody has decided on."""
        decided = self.persisted + self.refused + self.unwanted + self.dropped
        return self.fragments - decided
