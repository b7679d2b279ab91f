"""Says when fragments are lost: once for each spell, not for each fragment."""

from collections.abc import Callable

# Losses of one kind that are this far apart are two spells.
SPELL_S = 60.0
REASONS = {
    "overflowed": "The buffer is full: the oldest fragments are dropped. --buffer-mb sets its size",
    "crowded": "The disk takes nothing and memory is full: the oldest fragments are dropped",
    "outdated": "Fragments are dropped because they are more than --max-behind old",
    "damaged": "A fragment was damaged on disk and is left out",
}


class Losses:
    """Tells the first loss of a spell, for each reason."""

    def __init__(self, say: Callable[[str], None], monotonic: Callable[[], float]) -> None:
        self._say = say
        self._monotonic = monotonic
        self._last: dict[str, float] = {}

    def note(self, outcome: str) -> None:
        """Take note of what became of a fragment; most outcomes are no loss."""
        if outcome not in REASONS:
            return
        now = self._monotonic()
        if now - self._last.get(outcome, float("-inf")) > SPELL_S:
            self._say(f"{REASONS[outcome]}. The status counts them.")
        self._last[outcome] = now
