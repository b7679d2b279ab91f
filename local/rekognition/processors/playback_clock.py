"""The latest time to analyze a frame, so that records keep up with live media."""

from dataclasses import dataclass

# How late a frame may be analyzed, and how much later if its fragment arrived in a burst,
# for example after a broken connection.
LATE_SECONDS = 0.5
BURST_SECONDS = 5.0


@dataclass(slots=True)
class PlaybackClock:
    """Plays each fragment from its completion on; fragments of a burst play one after the other."""

    _begins: float = float("-inf")
    _ends: float = float("-inf")

    def begin(self, arrived: float, seconds: float) -> None:
        """Start the next fragment, given when it was complete and how long it plays."""
        self._begins = min(max(arrived, self._ends), arrived + BURST_SECONDS)
        self._ends = self._begins + seconds

    def is_late(self, offset: float, now: float) -> bool:
        """Return whether the frame at an offset of this fragment is too late to analyze."""
        return now > self._begins + offset + LATE_SECONDS
