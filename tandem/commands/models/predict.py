"""`tandem predict MODEL PATHS…`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tandem.commands.terminal import print_json, print_table, tell
from tandem.spec.errors import DataError, UserInputError

Rows = list[dict[str, Any]]
PRINTED = ("table", "json", "csv")


def predict(
    model: str,
    paths: Sequence[Path],
    form: str,
    *,
    output: Path | None = None,
    thresholds: Sequence[str] = (),
    video_every: int = 1,
) -> int:
    """Print a line for each picture, or write labels; what cannot be read is told, and exit 2."""
    from tandem.commands.models.annotate import annotate

    if output is not None and form not in ("table", "json"):
        codes = [
            annotate(
                model, path, output, form=form, thresholds=thresholds, video_every=video_every,
                folder=f".tandem-job-{number}",
            )
            for number, path in enumerate(paths)
        ]  # fmt: skip
        return max(codes) or (DataError.exit_code if _any_failed(output) else 0)
    if output is not None or form not in PRINTED:
        raise UserInputError(
            "The format {form} is written into a folder, the formats {printed} are printed.",
            form=form,
            printed=", ".join(PRINTED),
            fix="Give -o and a data format, or neither.",
        )
    return _printed(model, paths, form, thresholds, video_every)


def _any_failed(output: Path) -> bool:
    from tandem.predict.annotation.items import problems
    from tandem.spec.annotation import ITEMS

    folders = output.glob(".tandem-job-*")
    return any(next(problems(folder / ITEMS), None) is not None for folder in folders)


def _printed(
    model: str, paths: Sequence[Path], form: str, thresholds: Sequence[str], every: int
) -> int:
    from tandem.commands.models.annotate import model_of, threshold_of
    from tandem.predict.predictor import load

    predictor = load(model_of(model), threshold=threshold_of(thresholds))
    rows: Rows = []
    unreadable = 0
    for name, outcome in _each(predictor, paths, every):
        if isinstance(outcome, DataError):
            unreadable += 1
            tell(outcome.sentence())
        else:
            rows += _rows(name, outcome, form)
    _print(rows, predictor, form)
    return DataError.exit_code if unreadable else 0


def _each(predictor: Any, paths: Sequence[Path], every: int) -> Iterator[tuple[str, Any]]:
    from tandem.data.video import is_video

    for path in paths:
        if predictor.config.kind in ("sequence", "text") or is_video(path.name):
            yield from _sources(predictor, path, every)
        else:
            for file, outcome in predictor.predict_folder(path):
                yield str(file), outcome


def _sources(predictor: Any, path: Path, every: int) -> Iterator[tuple[str, Any]]:
    from tempfile import TemporaryDirectory

    from tandem.predict.annotation.sources import Sources

    with TemporaryDirectory() as folder:
        sources = Sources(path, Path(folder), predictor.config.kind, every)
        above = path.parent if path.is_file() else path
        for batch in predictor.stream(iter(sources), 8, sources.open):
            for source, outcome, _ in batch:
                yield str(above / source.name), outcome


def _rows(path: str, outcome: Any, form: str) -> Rows:
    from tandem.predict.answers import Detections, Segmentation

    start = {"path": path, "label": outcome.label, "confidence": outcome.confidence}
    if isinstance(outcome, Detections):
        found = [
            {"label": one.label, "confidence": one.confidence, "box": list(one.box)}
            for one in outcome.found
        ]
        if form == "csv":
            return [{"path": path, **one} for one in found]
        return [start | {"detections": found, "height": outcome.height, "width": outcome.width}]
    if isinstance(outcome, Segmentation):
        return [start | {"shares": outcome.shares, "confidences": outcome.confidences}]
    return [start | {"probabilities": outcome.probabilities}]


def _print(rows: Rows, predictor: Any, form: str) -> None:
    if form == "json":
        print_json(rows)
    elif form == "csv":
        _print_csv(rows, predictor)
    else:
        cells = [[row["path"], row["label"], f"{row['confidence']:.1%}"] for row in rows]
        print_table("", ["picture", "label", "confidence"], cells)


def _print_csv(rows: Rows, predictor: Any) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    classes, kind = predictor.classes, predictor.config.kind
    sides = ["left", "top", "right", "bottom"]
    more = sides if kind == "detection" else classes
    out.writerow(["path", "label", "confidence", *more])
    for row in rows:
        if kind == "detection":
            values = [f"{one:.2f}" for one in row["box"]]
        else:
            given = row["shares"] if kind == "segmentation" else row["probabilities"]
            values = [f"{given.get(name, 0.0):.6f}" for name in classes]
        out.writerow([row["path"], row["label"], f"{row['confidence']:.6f}", *values])
