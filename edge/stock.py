"""The bookkeeping of fragments: which there are, where, and what became of the others."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from .fragment import Counts, Fragment, Place
from .losses import Losses


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept, and when what is kept moves from memory to disk.

    A fragment is written when it has waited `memory_s` for its ack, or at once when the
    connection is down: where all is well, nothing is. `memory_bytes` is what may lie in
    memory besides, and twice that while the disk takes nothing.
    """

    buffer_bytes: int = 512 * 1024 * 1024
    memory_bytes: int = 8 * 1024 * 1024
    memory_s: float = 2.0
    behind_s: float = float("inf")
    # How many fragments a source that can wait may be ahead of the service.
    ahead: int | None = None


class Stock:
    """All fragments that nobody has decided on, in order of capture.

    It has no lock: whoever shares it, has. `given_up` are places on disk that are needed
    no more.
    """

    def __init__(
        self, limits: Limits, say: Callable[[str], None], monotonic: Callable[[], float]
    ) -> None:
        self.fragments: dict[int, Fragment] = {}
        # Those that have ended and are not on disk.
        self.in_memory: dict[int, Fragment] = {}
        self.given_up: list[Place] = []
        self.counts = Counts()
        self.bytes = 0
        self.memory_bytes = 0
        self._limits = limits
        self._losses = Losses(say, monotonic)

    @property
    def oldest(self) -> Fragment | None:
        """Give the fragment that waits longest."""
        return next(iter(self.fragments.values()), None)

    def after(self, before: Fragment | None) -> Fragment | None:
        """Give the first fragment behind another."""
        if before is None:
            return self.oldest
        order = iter(self.fragments.values())
        return next((f for f in order if f.number > before.number), None)

    def enter(self, fragment: Fragment) -> None:
        """Take in a fragment that begins."""
        fragment.number = self.counts.fragments
        self.fragments[fragment.number] = fragment
        self.count(fragments=1)

    def enter_found(self, fragments: Iterable[Fragment]) -> None:
        """Take in fragments that lie on disk already."""
        for fragment in fragments:
            self.enter(fragment)
            self.bytes += fragment.size
            self.count(found=1)

    def add(self, fragment: Fragment, piece: bytes) -> None:
        """Take in a piece of a fragment."""
        fragment.pieces.append(piece)
        fragment.size += len(piece)
        self.bytes += len(piece)
        self.memory_bytes += len(piece)

    def complete(self, fragment: Fragment, now: float) -> None:
        """Take note that a fragment has all its pieces."""
        fragment.is_complete, fragment.ended_at = True, now
        self.in_memory[fragment.number] = fragment

    def move_to(self, place: Place, fragment: Fragment) -> None:
        """Take note of where a fragment lies on disk now."""
        if fragment.is_gone:
            self.given_up.append(place)
            return
        fragment.place = place
        del self.in_memory[fragment.number]
        self.memory_bytes -= fragment.size
        # Whoever sends it just now has the list itself.
        fragment.pieces = []

    def let_go(self, fragment: Fragment, outcome: str) -> None:
        """Take out a fragment, and count what became of it."""
        del self.fragments[fragment.number]
        fragment.is_gone = True
        self.bytes -= fragment.size
        if fragment.place is None:
            self.in_memory.pop(fragment.number, None)
            self.memory_bytes -= fragment.size
        else:
            self.given_up.append(fragment.place)
        self.count(**{outcome: 1})
        self._losses.note(outcome)

    def drop_older_than(self, now_ms: int) -> None:
        """Drop what is so far behind a time that it is not sent any more."""
        first_ms = now_ms - self._limits.behind_s * 1000
        while (oldest := self.oldest) and oldest.last_ms < first_ms and oldest.is_complete:
            self.let_go(oldest, "outdated")

    def drop_beyond_limits(self) -> None:
        """Drop the oldest of what is more than may be kept, in all and in memory."""
        while self.bytes > self._limits.buffer_bytes and len(self.fragments) > 1:
            self.let_go(next(iter(self.fragments.values())), "overflowed")
        while self.memory_bytes > 2 * self._limits.memory_bytes and self.in_memory:
            self.let_go(next(iter(self.in_memory.values())), "crowded")

    def drop_oldest_file(self) -> bool:
        """Drop what lies in the oldest file on disk; say whether there was any."""
        on_disk = [(f.place.segment, f) for f in self.fragments.values() if f.place is not None]
        for number, fragment in on_disk:
            if number == on_disk[0][0]:
                self.let_go(fragment, "overflowed")
        return bool(on_disk)

    def due_for_disk(self, now: float, *, is_patient: bool) -> tuple[list[Fragment], float | None]:
        """List what should be written, and say in how many seconds the next one will be."""
        is_patient = is_patient and self.memory_bytes <= self._limits.memory_bytes
        due: list[Fragment] = []
        for fragment in self.in_memory.values():
            left_s = fragment.ended_at + self._limits.memory_s - now
            if is_patient and left_s > 0:
                return due, left_s
            due.append(fragment)
        return due, None

    def count(self, **more: int) -> None:
        """Add to the counts."""
        changed = {name: getattr(self.counts, name) + number for name, number in more.items()}
        self.counts = replace(self.counts, **changed)
