"""Days of the week such as mon-fri,sun, as people write them."""

from itertools import groupby

from cli.errors import InputError

NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(len(NAMES)))


def read_days(text: str) -> frozenset[int]:
    """The days, Monday is 0; InputError if it is none. `fri-mon` is four of them."""
    days: set[int] = set()
    for part in text.lower().split(","):
        ends = part.strip().split("-")
        if len(ends) > 2 or not set(ends) <= set(NAMES):
            raise InputError(f"{text!r} are no days of the week: say mon-fri or sat,sun")
        begin, end = NAMES.index(ends[0]), NAMES.index(ends[-1])
        days |= {(begin + more) % 7 for more in range((end - begin) % 7 + 1)}
    return frozenset(days)


def written(days: frozenset[int], separator: str = ",") -> str:
    """The days in the shortest form that `read_days` reads, with a comma between."""
    runs = groupby(enumerate(sorted(days)), key=lambda found: found[1] - found[0])
    parts = []
    for _, run in runs:
        names = [NAMES[day] for _, day in run]
        parts.append(names[0] if len(names) == 1 else f"{names[0]}-{names[-1]}")
    return separator.join(parts)
