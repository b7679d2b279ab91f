"""The matrix as it is printed."""

from collections import Counter

from tests.support.session.matrix import ENDS, FAILURES, Cell

WIDTHS = 68, 24


def table_of_results(results):
    """The matrix as lines: how each ended, what finished it, and after how many seconds."""
    first, other = WIDTHS
    lines = ["call".ljust(first) + "".join(failure.ljust(other) for failure in FAILURES)]
    for call in dict.fromkeys(cell.call for cell in results):
        cells = [_text(results.get(Cell(call, failure))) for failure in FAILURES]
        lines.append(call.text.ljust(first) + "".join(text.ljust(other) for text in cells))
    lines.append("- : a failure that the operation's model does not have; an end is one of a state")
    lines.append(_totals(results))
    return "\n".join(lines)


def _text(found):
    if found is None:
        return "-"
    mark = "!" if found["left"] else ""
    return f"{mark}{found['by']} {found['safeguard']} {found['seconds']}"


def _totals(results):
    found = list(results.values())
    pairs = sum(cell.failure not in ENDS for cell in results)
    ended, finished = (
        ", ".join(f"{many} {by}" for by, many in Counter(one[key] for one in found).items())
        for key in ("by", "safeguard")
    )
    mean = sum(one["cell seconds"] for one in found) / len(found)
    return (
        f"{len(found)} sessions: {pairs} pairs of a call and a failure, {len(found) - pairs} of a "
        f"state and an end; not clean: {sum(bool(one['left']) for one in found)}. "
        f"A cell took {mean:.1f} s. Ended by: {ended}. Finished by: {finished}."
    )
