"""Labels of tables as class names: what is certain is read, what is not is a fault."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tandem.data.content import UNLABELLED, Item
from tandem.data.faults import Faults

MISSING = frozenset({"nan", "<na>", "null"})
"""What programs write for a cell without a value, in lower case."""
_WHOLE = re.compile(r"([+-]?[0-9]+)\.0*")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?inf(inity)?", re.I)
_INTEGER = re.compile(r"-?[0-9]{1,15}")
NOBODYS = "-1"
LONGEST_NUMBER = 50
"""Letters; what is longer is a name."""


@dataclass
class RawLabel:
    """A label as it stands in a table, and where."""

    item: Item
    split: str
    file: str
    line: int
    value: object
    is_name: bool = False
    """Whether it stands as a text in JSON, beside other types: it is then a name for certain."""
    name: str | None = None
    """The class, as far as it is certain; None: nobody has labelled it, or it is a fault."""


def read_labels(rows: list[RawLabel], faults: Faults) -> tuple[str, ...]:
    """Give each item its class, and return the sorted names.

    An empty label is unlabelled. `1.0` is the class 1. `-1` is unlabelled where the whole split
    has no other label, as GLUE's test sets, and a fault beside others; so are nan, fractions,
    and True or False beside 0 and 1. A text in JSON is a name as it stands. A faulty item is
    unlabelled.
    """
    floats: Counter[str] = Counter()
    for row in rows:
        row.name = _plain(row, floats, faults)
    for file, count in floats.items():
        faults.add(file, 0, "{count} labels are whole numbers with a point, such as 1.0; they are "
                   "read as 1", warning=True, count=count)  # fmt: skip
    _take_out_nobodys(rows, faults)
    _tell_truth_beside_numbers(rows, faults)
    names = sorted_names({row.name for row in rows if row.name is not None})
    numbers = {name: number for number, name in enumerate(names)}
    for row in rows:
        row.item.label = UNLABELLED if row.name is None else numbers[row.name]
    return names


def sorted_names(found: Iterable[str]) -> tuple[str, ...]:
    """By the alphabet, or by value where all are whole numbers."""
    names = sorted(found)
    if all(_INTEGER.fullmatch(name) for name in names):
        names.sort(key=int)
    return tuple(names)


def _plain(row: RawLabel, floats: Counter[str], faults: Faults) -> str | None:
    value = row.value
    if value is None:
        return None
    if isinstance(value, float):
        value = "nan" if math.isnan(value) else repr(value)
    if not isinstance(value, str | int):
        _fault(row)
        faults.add(row.file, row.line, "its label is neither a text nor a number")
        return None
    name = str(value).strip()
    if not name:
        return None
    if row.is_name or len(name) > LONGEST_NUMBER:
        return name
    whole = _WHOLE.fullmatch(name)
    if whole is not None:
        floats[row.file] += 1
        return whole[1]
    if name.casefold() in MISSING or (_NUMBER.fullmatch(name) and not _is_integer(name)):
        _fault(row)
        faults.add(row.file, row.line, "whether the label {label} is a class is not certain: leave "
                   "it empty, or name the class", label=name[:40])  # fmt: skip
        return None
    return name


def _is_integer(name: str) -> bool:
    return name.removeprefix("-").removeprefix("+").isdecimal()


def _take_out_nobodys(rows: list[RawLabel], faults: Faults) -> None:
    by_split: dict[str, set[str | None]] = {}
    for row in rows:
        by_split.setdefault(row.split, set()).add(row.name)
    told: Counter[str] = Counter()
    for row in rows:
        if row.name != NOBODYS or row.is_name:
            continue
        row.name = None
        if by_split[row.split] <= {NOBODYS, None}:
            told[row.file] += 1
            continue
        _fault(row)
        faults.add(row.file, row.line, "whether the label {label} is a class is not certain: leave "
                   "it empty, or name the class", label=NOBODYS)  # fmt: skip
    for file, count in told.items():
        faults.add(file, 0, "every label is -1; the {count} rows are read as unlabelled",
                   warning=True, count=count)  # fmt: skip


def _tell_truth_beside_numbers(rows: list[RawLabel], faults: Faults) -> None:
    if not any(row.name in ("0", "1") for row in rows):
        return
    for row in rows:
        if row.name is not None and row.name.casefold() in ("true", "false"):
            _fault(row)
            faults.add(row.file, row.line, "the label {label} beside 0 and 1 is not certain",
                       label=row.name)  # fmt: skip
            row.name = None


def _fault(row: RawLabel) -> None:
    row.item.faulty = True
