"""`tandem predict MODEL PATHS…`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tandem
from tandem.commands.places import find_model
from tandem.commands.show import print_json, print_table, tell
from tandem.spec.errors import DataError

Rows = list[dict[str, Any]]


def predict(model: str, paths: Sequence[Path], form: str) -> int:
    """Print a line for each picture; one that cannot be read is told on stderr, and exit 2."""
    predictor = tandem.load(find_model(model))
    rows: Rows = []
    unreadable = 0
    for file, outcome in _each(predictor, paths):
        if isinstance(outcome, DataError):
            unreadable += 1
            tell(outcome.sentence())
        else:
            rows.append(
                {
                    "path": str(file),
                    "label": outcome.label,
                    "confidence": outcome.confidence,
                    "probabilities": outcome.probabilities,
                }
            )
    _print(rows, predictor.classes, form)
    return DataError.exit_code if unreadable else 0


def _each(predictor: Any, paths: Sequence[Path]) -> Iterator[tuple[Path, Any]]:
    for path in paths:
        yield from predictor.predict_folder(path)


def _print(rows: Rows, classes: Sequence[str], form: str) -> None:
    if form == "json":
        print_json(rows)
    elif form == "csv":
        out = csv.writer(sys.stdout, lineterminator="\n")
        out.writerow(["path", "label", "confidence", *classes])
        for row in rows:
            values = [f"{row['probabilities'][name]:.6f}" for name in classes]
            out.writerow([row["path"], row["label"], f"{row['confidence']:.6f}", *values])
    else:
        cells = [[row["path"], row["label"], f"{row['confidence']:.1%}"] for row in rows]
        print_table("", ["picture", "label", "confidence"], cells)
