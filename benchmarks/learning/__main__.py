"""`python -m benchmarks.learning NAME …`: one command for a row or a few, each in some minutes.

The lines are written into docs/benchmarks.md between its two marks, in place of those of the same
name. `--try` runs a twentieth of the steps with one seed, to see that a row works, and writes
nothing. `make learning` installs the data first.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.learning.compare import Effort, Line
from benchmarks.learning.methods import METHODS

ROWS = (
    "digits",
    "digits_views",
    "news",
    "photographs",
    "masks",
    "boxes",
    "free_boxes",
    "clips",
    "teachers",
    "honest",
)
NAMES = (*ROWS, *(f"method_{name}" for name in METHODS))
DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- begin: python -m benchmarks.learning -->", "<!-- end: learning -->"
HEADS = ("row", "student", "figure", "on test", "over the first line", "by seed", "how")
TRIED = Effort(seeds=(0,), share=0.05)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--try", dest="tried", action="store_true", help="see that it works")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in NAMES]
    if unknown:
        parser.error(f"no row is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    _quiet()
    for name in given.names or NAMES:
        began = time.perf_counter()
        print(f"{name} …", flush=True)
        lines = _measured(name, TRIED if given.tried else Effort())
        for line in lines:
            print(f"  {line.what}: {line.figure} {line.mean} ({line.gain}) {line.how}", flush=True)
        print(f"  {time.perf_counter() - began:.0f} s", flush=True)
        if not given.tried:
            write(name, lines)


def _measured(name: str, effort: Effort) -> list[Line]:
    with tempfile.TemporaryDirectory(prefix="tandem-learning-") as folder:
        if name.startswith("method_"):
            from benchmarks.learning.methods import measure_method

            return measure_method(Path(folder), effort, name.removeprefix("method_"))
        module = importlib.import_module(f"benchmarks.learning.{name}")
        lines: list[Line] = module.measure(Path(folder), effort)
        return lines


def write(name: str, lines: Sequence[Line], document: Path = DOCUMENT) -> None:
    """Into the table: the row's lines in place of its old ones, in the order of `NAMES`."""
    text = document.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    table, after = rest.split(END)
    kept = [one for one in table.splitlines() if one.startswith("| ")][1:]
    kept = [one for one in kept if not one.startswith((f"| {name} |", "| ---"))]
    kept += [_cells(line) for line in lines]
    order = {row: place for place, row in enumerate(NAMES)}
    kept.sort(key=lambda one: order.get(one.split(" | ")[0].removeprefix("| "), len(order)))
    heads = ["| " + " | ".join(HEADS) + " |", "| " + " | ".join("---" for _ in HEADS) + " |"]
    made = "\n".join([*heads, *kept])
    document.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{after}", encoding="utf-8")


def _cells(line: Line) -> str:
    seeds = " ".join(f"{100 * value:.1f}" for value in line.values) or "–"
    cells = (line.name, line.what, line.figure, line.mean, line.gain, seeds, line.how)
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"


def _quiet() -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()


if __name__ == "__main__":
    main()
