"""The values of the buffer: a fragment, the limits, and the counts of frames and fragments."""

from dataclasses import dataclass, field

from ..media import mkv

# The reasons for which fragments are dropped, as in the status, and their log messages.
DROP_MESSAGES = {
    "buffer full": "The buffer is full: the oldest fragments are dropped. --buffer-mb limits it",
    "disk failed": "The disk is not writable and memory is full: the oldest fragments are dropped",
    "too far behind": "Fragments are dropped because they are more than --max-behind old",
    "damaged on disk": "A fragment was damaged on disk and is skipped",
}


@dataclass(slots=True, eq=False)
class Fragment:
    """A key frame and the frames up to the next one; times in milliseconds since 1970.

    `pieces` are its Matroska cluster, frame by frame; empty once `path` names its file on disk.
    Until then `copy` names its copy in memory, if there is one.
    """

    timecode: int
    track: mkv.VideoTrack
    number: int = -1
    pieces: list[bytes] = field(default_factory=list)
    frames: int = 0
    size: int = 0
    last_ms: int = 0
    is_complete: bool = False
    is_removed: bool = False
    completed_at: float = 0.0
    sent_at: float | None = None
    was_sent: bool = False
    path: str = ""
    copy: str = ""
    checksum: int = 0

    @property
    def duration_s(self) -> float:
        """Return the duration; the last frame counts as long as the average of the others."""
        gaps = self.frames - 1
        return (self.last_ms - self.timecode) * self.frames / gaps / 1000 if gaps > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the buffer keeps, and when a fragment moves from memory to disk.

    A fragment without an ack goes to disk `memory_s` after its end, at once while no acks
    arrive. Memory holds `memory_bytes`, twice that while the disk is not writable. A film that
    can wait is captured at most `ahead` fragments ahead of the service.
    """

    buffer_bytes: int = 512 * 1024 * 1024
    memory_bytes: int = 8 * 1024 * 1024
    memory_s: float = 2.0
    behind_s: float = float("inf")
    ahead: float = float("inf")


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of a run: captured frames, and fragments by outcome.

    `unwanted` ones were not tagged while only tagged ones are sent; `dropped_by` is by reason.
    """

    frames: int = 0
    fragments: int = 0
    sent: int = 0
    persisted: int = 0
    refused: int = 0
    unwanted: int = 0
    dropped_by: dict[str, int] = field(default_factory=dict)

    @property
    def dropped(self) -> int:
        """Return how many fragments were dropped before they were stored."""
        return sum(self.dropped_by.values())

    @property
    def waiting(self) -> int:
        """Return how many fragments have no outcome yet."""
        return self.fragments - self.persisted - self.refused - self.unwanted - self.dropped
