"""The matrix as it is printed."""

from collections import Counter

from tests.support.matrix import FAILURES, PATIENT, Cell


def table_of_results(results):
    """The matrix as lines: how each ended, and after how many seconds nothing was left."""
    lines = ["state".ljust(24) + "".join(failure.ljust(17) for failure in FAILURES)]
    for state in dict.fromkeys(cell.state for cell in results):
        cells = [_text(results.get(Cell(state, failure))) for failure in FAILURES]
        lines.append(state.ljust(24) + "".join(text.ljust(17) for text in cells))
    lines.append("- : a state that makes no call of its own; or, with images, one that fails alike")
    lines.append("    with a processor, whose matrix has it")
    lines.append(_totals(results))
    return "\n".join(lines)


def _text(found):
    if found is None:
        return "-"
    if found["left"]:
        return f"!{found['left']}"
    return f"{found['by']} {'(sweep)' if found['swept'] else found['seconds']}"


def _totals(results):
    found = list(results.values())
    at_once, patient = (
        max(
            (
                one["seconds"]
                for cell, one in results.items()
                if not one["swept"] and ((cell.state, cell.failure) in PATIENT) == waits
            ),
            default=0,
        )
        for waits in (False, True)
    )
    ended = ", ".join(f"{many} {by}" for by, many in Counter(one["by"] for one in found).items())
    return (
        f"{len(found)} sessions; something left of {sum(bool(one['left']) for one in found)}; "
        f"{sum(one['swept'] for one in found)} by the sweep, all others at most {at_once} s "
        f"(what is in use: {patient} s) after the failure, or after their end if they went on. "
        f"Ended by: {ended}"
    )
