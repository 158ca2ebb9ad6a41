"""`predictions.jsonl` and `predictions/`: a run's answers, put in place in one move each."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tandem.spec.run import RunSpec
from tandem.train.data.classification import find_folder
from tandem.train.data.texts import TextTable
from tandem.train.predictions.serialize import PredictionLine, Predictions
from tandem.train.types import ImageTable

FILE = "predictions.jsonl"
MASKS = "predictions"
MOST_LINES = 200_000
MOST_LETTERS = 2_000
"""Letters written of one text; the rest is left out."""


def write(folder: Path, spec: RunSpec, table: ImageTable, predictions: Predictions) -> Path:
    """The first line says what the others are; then one for each row of `table`, in order.

    An OSError (a full disk) leaves what was there before, or nothing.
    """
    file = folder / FILE
    hidden = folder / f".{FILE}.{os.getpid()}"
    try:
        written = _write_masks(folder / MASKS, predictions)
        with hidden.open("w", encoding="ascii") as stream:
            about = _about(spec, table, predictions, written)
            for line in _whole_lines(about, table, predictions):
                stream.write(json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n")
        hidden.replace(file)
    finally:
        hidden.unlink(missing_ok=True)
    return file


def _about(
    spec: RunSpec, table: ImageTable, predictions: Predictions, masks: int
) -> PredictionLine:
    root = find_folder(spec.data.root, spec.data.val_dataset or spec.data.dataset)
    return {
        "version": 1,
        "kind": spec.kind,
        "root": _text(os.path.realpath(root)),
        "classes": list(table.classes),
        "score_name": predictions.score_name,
        "total": len(table),
        "masks": masks,
        "pairs": predictions.has_pairs,
    }


def _whole_lines(
    about: PredictionLine, table: ImageTable, predictions: Predictions
) -> Iterator[PredictionLine]:
    yield {"about": about}
    root = str(about["root"])
    empty = {"split": "val", "width": None, "height": None, "text": None}
    for row, line in enumerate(predictions.lines(MOST_LINES)):
        name = {
            "index": row,
            "name": _name(str(table.path(row)), root),
            "text": _text_of(table, row),
        }
        yield empty | name | line


def _name(path: str, root: str) -> str:
    """Inside of the data set's folder; by its own place where it lies elsewhere."""
    below = root.rstrip(os.sep) + os.sep
    if not path.startswith(below):
        folder, name = os.path.split(path)
        path = f"{os.path.realpath(folder)}{os.sep}{name}"
    return _text(path.removeprefix(below))


def _text(path: str) -> str:
    """JSON's \\u escapes carry even a name that is no UTF-8."""
    return os.fsdecode(os.fsencode(path))


def _text_of(table: ImageTable, row: int) -> str | None:
    if not isinstance(table, TextTable):
        return None
    texts = (table.texts_N[row], table.seconds_N[row])
    return "\n".join(one for one in texts if one)[:MOST_LETTERS]


def _write_masks(folder: Path, predictions: Predictions) -> int:
    """How many pictures have theirs: `<row>.png` and `<row>.truth.png`, class indices."""
    kept_masks = predictions.masks()
    hidden = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(hidden, ignore_errors=True)
    try:
        if kept_masks:
            hidden.mkdir()
        for row, (truth, answer) in kept_masks.items():
            (hidden / f"{row}.truth.png").write_bytes(truth)
            (hidden / f"{row}.png").write_bytes(answer)
        shutil.rmtree(folder, ignore_errors=True)
        if kept_masks:
            hidden.rename(folder)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return len(kept_masks)
