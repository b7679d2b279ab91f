"""By when a frame has to be analysed, so that records never fall further and further behind."""

from dataclasses import dataclass

# How far a frame may lag behind live media, and how far behind that what came in one burst,
# as after a broken connection.
LATE_SECONDS = 0.5
BURST_SECONDS = 5.0


@dataclass(slots=True)
class PlaybackClock:
    """Plays each fragment from when it was whole, and those of a burst one after the other."""

    _begins: float = float("-inf")
    _ends: float = float("-inf")

    def begin(self, arrived: float, seconds: float) -> None:
        """Start the next fragment, given when it was complete and how long it plays."""
        self._begins = min(max(arrived, self._ends), arrived + BURST_SECONDS)
        self._ends = self._begins + seconds

    def is_late(self, offset: float, now: float) -> bool:
        """Return whether the frame at an offset of this fragment is too late to analyze."""
        return now > self._begins + offset + LATE_SECONDS
