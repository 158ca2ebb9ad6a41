"""One line of the table: a claim, what was measured, and what it must reach."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """`reached` is None where the figure is only shown."""

    claim: str
    measured: str
    must: str = "shown"
    reached: bool | None = None
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


HEADS = ("claim", "measured", "must reach", "reached", "how")


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    said = {True: "yes", False: "**no**", None: "–"}
    lines = [HEADS, ("---",) * len(HEADS)]
    lines += [(row.claim, row.measured, row.must, said[row.reached], row.note) for row in rows]
    return "\n".join("| " + " | ".join(_escaped(line)) + " |" for line in lines) + "\n"


def _escaped(cells: Sequence[str]) -> list[str]:
    return [cell.replace("|", "\\|").replace("\n", " ") for cell in cells]
