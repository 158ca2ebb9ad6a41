"""Tables and JSON on the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from tandem.spec.i18n import t


def print_json(what: object) -> None:
    """One JSON document on stdout; paths and dates as text."""
    print(json.dumps(what, ensure_ascii=False, indent=1, default=str))


def print_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns side by side; when stdout is no terminal nothing is cut to a width."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)
    if title:
        console.print(Text(title, style="bold"))
    table = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
    for head in heads:
        table.add_column(t(head), overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console.print(table)
    if title:
        print()


def print_status(line: str) -> None:
    """A line for the person, beside the command's result."""
    print(line, file=sys.stderr, flush=True)
