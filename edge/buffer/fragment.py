"""The values of the buffer: a fragment, how much is kept, and what became of it all."""

from dataclasses import dataclass, field

from ..media import mkv

# Why fragments are dropped, as the status names it, and what the log says.
DROPS = {
    "buffer full": "The buffer is full: the oldest fragments are dropped. --buffer-mb is its size",
    "disk failed": "The disk takes nothing and memory is full: the oldest fragments are dropped",
    "too far behind": "Fragments are dropped because they are more than --max-behind old",
    "damaged on disk": "A fragment was damaged on disk and is left out",
}


@dataclass(slots=True, eq=False)
class Fragment:
    """A key frame and what follows it up to the next; times in epoch milliseconds.

    `pieces` are the bytes of its cluster as they are sent, a frame at a time; once the
    fragment is on disk, `path` names its file, and `pieces` is empty.
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
    path: str = ""
    checksum: int = 0

    @property
    def length_s(self) -> float:
        """Return how long it plays, its last frame as long as the others."""
        gaps = self.frames - 1
        return (self.last_ms - self.timecode) * self.frames / gaps / 1000 if gaps > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept, and when a fragment moves from memory to disk.

    It is written when it has waited `memory_s` for its ack, or at once when the connection
    is down. `memory_bytes` is what may stay in memory, twice that while the disk refuses
    writes. A source that can wait is at most `ahead` fragments ahead of the service.
    """

    buffer_bytes: int = 512 * 1024 * 1024
    memory_bytes: int = 8 * 1024 * 1024
    memory_s: float = 2.0
    behind_s: float = float("inf")
    ahead: float = float("inf")


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the video so far: frames captured, and fragments.

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
        """Return how many were dropped before the service had them."""
        return sum(self.dropped_by.values())

    @property
    def waiting(self) -> int:
        """Return how many are neither stored, refused, unwanted nor dropped."""
        return self.fragments - self.persisted - self.refused - self.unwanted - self.dropped
