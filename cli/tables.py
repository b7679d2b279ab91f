"""Format rows as a table of text: aligned columns, without headings, lines or colours."""

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Column, Table

PIPE_WIDTH = 100_000  # in a pipe each row is one line, whatever its length


def format_table(rows: Iterable[Sequence[str]]) -> str:
    """Return the rows with aligned columns; a terminal that is too narrow wraps the widest."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    console = Console(width=width, color_system=None, markup=False, emoji=False, highlight=False)
    found = [tuple(row) for row in rows]
    # What a row begins with, an id or a name, stays whole to be copied.
    longest = max((len(row[0]) for row in found if row), default=0)
    first = Column(no_wrap=2 * longest <= console.width)
    table = Table.grid(first, padding=(0, 2))
    for row in found:
        table.add_row(*row)
    for column in table.columns:
        column.overflow = "fold"  # nothing is cut
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n"))
