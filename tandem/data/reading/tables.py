"""Tables of text, CSV and TSV: every row is as wide as the first one, or it is a fault."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tandem.data.faults import Faults
from tandem.data.reading.encodings import read_told
from tandem.spec.i18n import t

LONGEST_FIELD = 10_000_000
MOST_BROKEN = 20
"""Rows whose quotes do not close, after each of which reading begins anew at the next line."""
SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
Row = dict[str, str]


@dataclass(frozen=True)
class CsvTable:
    """The columns' names, in lower case, and the rows with the line that each begins in."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[int, Row]]

    def tell_unread(self, file: str, read: Collection[str], notes: list[str]) -> None:
        """A note that names the columns that nobody reads."""
        tell_unread(file, self.columns, read, notes)


def tell_unread(
    file: str, columns: Collection[str], read: Collection[str], notes: list[str]
) -> None:
    """A note that names the columns that are not among those that are read."""
    unread = [repr(one)[1:-1][:40] or '""' for one in columns if one not in read]
    if unread:
        shown = ", ".join([*unread[:10], *(["…"] if len(unread) > 10 else [])])
        notes.append(t("{file}: these columns are not read: {names}.", file=file, names=shown))


def read_table(
    file: Path, faults: Faults, notes: list[str], known: Collection[str], shown: str = ""
) -> CsvTable:
    """The table of a file by the names in its first line.

    A .tsv has no quoting. The separator is the suffix's, unless the first line names one of
    `known` by another one only, which is told. `shown` is what faults call the file.
    """
    name = shown or file.name
    lines = io.StringIO(read_told(file, notes), newline="").readlines()
    tabbed = file.suffix.lower() == ".tsv"
    usual = "\t" if tabbed else ","
    separator = _separator(lines[0] if lines else "", usual, known)
    if separator != usual:
        said = t(SEPARATORS[separator])
        notes.append(t("{file}: what separates its cells is {separator}.", file=name,
                       separator=said))  # fmt: skip
    dialect = _Reading(name, separator, csv.QUOTE_NONE if tabbed else csv.QUOTE_MINIMAL)
    records = _records(lines, dialect, faults)
    _, first = next(records, (0, []))
    columns = tuple(one.strip().casefold() for one in first)
    doubled = next((one for one in columns if one and columns.count(one) > 1), None)
    if doubled is not None:
        faults.add(name, 1, "the column {name} is there twice", name=doubled)
        return CsvTable((), iter(()))
    return CsvTable(columns, _rows(columns, records, name, faults, tabbed=tabbed))


@dataclass(frozen=True)
class _Reading:
    name: str
    separator: str
    quoting: int


def _separator(first: str, usual: str, known: Collection[str]) -> str:
    for one in (usual, *SEPARATORS):
        cells = [cell.strip().strip('"').strip().casefold() for cell in first.split(one)]
        if any(cell in known for cell in cells) and (one == usual or len(cells) > 1):
            return one
    return usual


def _records(
    lines: list[str], reading: _Reading, faults: Faults
) -> Iterator[tuple[int, list[str]]]:
    """Cells as they stand, and the line that they begin in, from 1; empty lines are left out."""
    csv.field_size_limit(LONGEST_FIELD)
    start = 0
    for _ in range(MOST_BROKEN):
        reader = csv.reader(islice(lines, start, None), delimiter=reading.separator,
                            quoting=reading.quoting, strict=True)  # type: ignore[arg-type]  # fmt: skip
        before = 0
        try:
            for cells in reader:
                line, before = start + before + 1, reader.line_num
                if cells:
                    _tell_rows_in_a_cell(lines[line - 1 : start + before], line, cells, reading,
                                         faults)  # fmt: skip
                    yield line, cells
            return
        except csv.Error as error:
            start += before + 1
            faults.add(reading.name, start, "its quotes cannot be read: {reason}",
                       reason=str(error))  # fmt: skip
    if start < len(lines):
        faults.add(reading.name, start + 1, "after so many broken rows the rest is not read")


def _tell_rows_in_a_cell(
    lines: list[str], line: int, cells: list[str], reading: _Reading, faults: Faults
) -> None:
    """A quote that closes some lines later by chance takes whole rows for one cell."""
    if len(lines) > 1 and all(
        one.count(reading.separator) == len(cells) - 1 for one in lines
    ):  # fmt: skip
        faults.add(reading.name, line, "one quoted cell goes over {count} lines, each of which "
                   "looks like a row", warning=True, count=len(lines))  # fmt: skip


def _rows(
    columns: tuple[str, ...],
    records: Iterator[tuple[int, list[str]]],
    name: str,
    faults: Faults,
    *,
    tabbed: bool,
) -> Iterator[tuple[int, Row]]:
    quoted = first_quoted = 0
    for line, found in records:
        cells = found
        while len(cells) > len(columns) and not cells[-1]:
            cells = cells[:-1]  # what a spreadsheet leaves behind
        if len(cells) != len(columns):
            faults.add(name, line, "it has {count} cells, the first line {columns}",
                       count=len(cells), columns=len(columns))  # fmt: skip
            continue
        if tabbed and any(len(one) > 1 and one[0] == one[-1] == '"' for one in cells):
            quoted, first_quoted = quoted + 1, first_quoted or line
        yield line, dict(zip(columns, cells, strict=True))
    if quoted:
        faults.add(name, first_quoted, "{count} rows have cells in quotes; a .tsv has no quoting, "
                   "and the quotes are read as text", warning=True, count=quoted)  # fmt: skip
