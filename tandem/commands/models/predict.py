"""`tandem predict MODEL PATHS…`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Required, TypedDict

from tandem.commands.terminal import print_json, print_status, print_table
from tandem.spec.errors import DataError, UserInputError

if TYPE_CHECKING:
    from tandem.predict.answers import Answer, DetectedBox
    from tandem.predict.predictor import Predictor

PRINTED = ("table", "json", "csv")


class BoxRow(TypedDict):
    """One box of a picture."""

    label: str
    confidence: float
    box: list[float]


class PredictionRow(TypedDict, total=False):
    """What is printed of one input; of a detector's CSV, of one box."""

    path: Required[str]
    label: Required[str]
    confidence: Required[float]
    box: list[float]
    detections: list[BoxRow]
    height: int
    width: int
    shares: dict[str, float]
    confidences: dict[str, float]
    probabilities: dict[str, float]


def predict(
    model: str,
    paths: Sequence[Path],
    format: str,
    *,
    output: Path | None = None,
    thresholds: Sequence[str] = (),
    video_every: int = 1,
) -> int:
    """Print a line for each picture, or write labels; what cannot be read is told, and exit 2."""
    from tandem.commands.models.annotate import annotate

    if output is not None and format not in ("table", "json"):
        codes = [
            annotate(
                model, path, output, format=format, thresholds=thresholds, video_every=video_every,
                folder=f".tandem-job-{number}",
            )
            for number, path in enumerate(paths)
        ]  # fmt: skip
        return max(codes) or (DataError.exit_code if _any_failed(output) else 0)
    if output is not None or format not in PRINTED:
        raise UserInputError(
            "The format {form} is written into a folder, the formats {printed} are printed.",
            form=format,
            printed=", ".join(PRINTED),
            fix="Give -o and a data format, or neither.",
        )
    return _printed(model, paths, format, thresholds, video_every)


def _any_failed(output: Path) -> bool:
    from tandem.predict.annotation.items_file import problems
    from tandem.spec.annotation import ITEMS

    folders = output.glob(".tandem-job-*")
    return any(next(problems(folder / ITEMS), None) is not None for folder in folders)


def _printed(
    model: str, paths: Sequence[Path], format: str, thresholds: Sequence[str], every: int
) -> int:
    from tandem.commands.models.annotate import find_any_model, parse_thresholds
    from tandem.predict.predictor import load

    predictor = load(find_any_model(model), threshold=parse_thresholds(thresholds))
    rows: list[PredictionRow] = []
    unreadable = 0
    for name, answer in _answers(predictor, paths, every):
        if isinstance(answer, DataError):
            unreadable += 1
            print_status(answer.sentence())
        else:
            rows += _rows(name, answer, format)
    _print(rows, predictor, format)
    return DataError.exit_code if unreadable else 0


def _answers(
    predictor: Predictor, paths: Sequence[Path], every: int
) -> Iterator[tuple[str, Answer | DataError]]:
    """Each input by its name, with its answer or what is wrong with it."""
    from tandem.data.video import is_video

    for path in paths:
        if predictor.config.kind in ("sequence", "text") or is_video(path.name):
            yield from _item_answers(predictor, path, every)
        else:
            for file, answer in predictor.predict_folder(path):
                yield str(file), answer


def _item_answers(
    predictor: Predictor, path: Path, every: int
) -> Iterator[tuple[str, Answer | DataError]]:
    """The same of clips, texts and a video's frames, which are listed as an annotation lists them.

    Its list of names goes into a folder of its own, which is deleted again.
    """
    from tempfile import TemporaryDirectory

    from tandem.predict.annotation.inputs import InputListing

    with TemporaryDirectory() as folder:
        inputs = InputListing(path, Path(folder), predictor.config.kind, every)
        above = path.parent if path.is_file() else path
        for batch in predictor.stream(iter(inputs), 8, inputs.open):
            for item, answer, _ in batch:
                yield str(above / item.name), answer


def _rows(path: str, answer: Answer, format: str) -> list[PredictionRow]:
    from tandem.predict.answers import Detections, SegmentationMask

    if isinstance(answer, Detections) and format == "csv":
        return [
            {"path": path, "label": one.label, "confidence": one.confidence, "box": list(one.box)}
            for one in answer.found
        ]
    row: PredictionRow = {"path": path, "label": answer.label, "confidence": answer.confidence}
    if isinstance(answer, Detections):
        row["detections"] = [_box(one) for one in answer.found]
        row["height"], row["width"] = answer.height, answer.width
    elif isinstance(answer, SegmentationMask):
        row["shares"], row["confidences"] = answer.shares, answer.confidences
    else:
        row["probabilities"] = answer.probabilities
    return [row]


def _box(one: DetectedBox) -> BoxRow:
    return {"label": one.label, "confidence": one.confidence, "box": list(one.box)}


def _print(rows: Sequence[PredictionRow], predictor: Predictor, format: str) -> None:
    if format == "json":
        print_json(rows)
    elif format == "csv":
        _print_csv(rows, predictor)
    else:
        cells = [[row["path"], row["label"], f"{row['confidence']:.1%}"] for row in rows]
        print_table("", ["picture", "label", "confidence"], cells)


def _print_csv(rows: Sequence[PredictionRow], predictor: Predictor) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    classes, kind = predictor.classes, predictor.config.kind
    sides = ["left", "top", "right", "bottom"]
    more = sides if kind == "detection" else classes
    out.writerow(["path", "label", "confidence", *more])
    for row in rows:
        if kind == "detection":
            values = [f"{one:.2f}" for one in row["box"]]
        else:
            scores = row["shares"] if kind == "segmentation" else row["probabilities"]
            values = [f"{scores.get(name, 0.0):.6f}" for name in classes]
        out.writerow([row["path"], row["label"], f"{row['confidence']:.6f}", *values])
