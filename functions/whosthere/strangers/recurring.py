"""Strangers who keep coming: so many visits within so many days."""

from dataclasses import dataclass
from operator import attrgetter

from whosthere.dynamodb import Table
from whosthere.settings import Settings
from whosthere.strangers.store import ids_of
from whosthere.visits.history import DAY_MS, Span, past_visits

# Index rows that are read at most, more than the setting's maximum at several cameras.
MOST_ROWS = 500


@dataclass(frozen=True, slots=True)
class Frequency:
    """How often a stranger came lately; `is_recurring` if that is as often as the setting says."""

    visits: int
    days: int
    is_recurring: bool


def visit_frequency(table: Table, settings: Settings, stranger: str, until_ms: int) -> Frequency:
    """Return how often a stranger came in the days up to a moment, with whom was merged into it.

    Visits at several cameras within the gap of each other are one: somebody walks past them.
    """
    if not settings.recurring_visits:
        return Frequency(0, settings.recurring_days, is_recurring=False)
    span = Span(until_ms - settings.recurring_days * DAY_MS, until_ms + 1)
    found = past_visits(
        table,
        span,
        lambda _camera: settings.gap_ms,
        ids=ids_of(table, stranger),
        newest=MOST_ROWS,
    )
    number, over_ms = 0, 0
    for visit in sorted(found, key=attrgetter("first_ms")):
        if visit.is_confirmed:
            number += visit.first_ms > over_ms
            over_ms = max(over_ms, visit.last_ms + settings.gap_ms)
    is_recurring = number >= settings.recurring_visits
    return Frequency(number, settings.recurring_days, is_recurring)
