"""Format rows as a table of text: aligned columns, without headings, lines or colours."""

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

PIPE_WIDTH = 100_000  # in a pipe each row is one line, whatever its length


def format_table(rows: Iterable[Sequence[str]]) -> str:
    """Return the rows with aligned columns; a terminal that is too narrow wraps the widest."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    console = Console(width=width, color_system=None, markup=False, emoji=False, highlight=False)
    table = Table.grid(padding=(0, 2))
    for row in rows:
        table.add_row(*row)
    for column in table.columns:
        column.overflow = "fold"  # a long id or address is never cut
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n"))
