"""`tandem export MODEL --format onnx -o FILE`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tandem.commands.models.locate import find_model
from tandem.commands.terminal import print_json, print_table
from tandem.spec.errors import UserInputError
from tandem.spec.exports import OWN
from tandem.spec.i18n import t
from tandem.spec.report import ReportedMetrics, RunReport


def export(
    model: str, format: str, target: Path, calibration: Sequence[Path] = (), as_json: bool = False
) -> None:
    """Write it, and say where, how large and how good it is beside the student itself."""
    folder = find_model(model)
    target = target.expanduser().absolute()
    if format not in OWN:
        _by_ultralytics(folder, format, target, as_json)
        return
    from tandem.train.pipeline import exports

    subject = exports.subject(folder)
    made = exports.write(subject, format, target, calibration)
    if as_json:
        print_json(made.model_dump(mode="json"))
        return
    megabytes = f"{made.size_bytes / 1e6:.1f}"
    print(t("{file} ({size} MB), checked in ONNX Runtime.", file=target, size=megabytes))
    if subject.run is not None:
        from tandem.train.pipeline.report import read

        print_table("", ["", *HEADS], rows_of(read(subject.run)))


HEADS = ("figure", "MB", "ms an input")


def rows_of(report: RunReport) -> list[list[str]]:
    """The student and each export: figure, size, latency."""
    student = report.student
    rows = [[t("student (PyTorch)"), *_cells(student.measured, student.size_bytes)]]
    return rows + [[one.format, *_cells(one.measured, one.size_bytes)] for one in report.exports]


def _cells(measured: ReportedMetrics, size_bytes: int) -> list[str]:
    figure = measured.accuracy
    latency = measured.metrics.get("latency_milliseconds")
    return [
        "-" if figure is None else f"{figure:.4f}",
        f"{size_bytes / 1e6:.2f}",
        "-" if latency is None else f"{latency:.2f}",
    ]


def _by_ultralytics(folder: Path, format: str, target: Path, as_json: bool) -> None:
    from tandem.train.export import final_model

    if final_model.read_config(folder).student.type != "yolov8":
        raise UserInputError("A model cannot be written as {format}.", format=format, allowed=OWN)
    from tandem.train.yolo.formats import write

    write(folder, format, target)
    if as_json:
        parts = target.rglob("*") if target.is_dir() else [target]
        size_bytes = sum(one.stat().st_size for one in parts if one.is_file())
        print_json({"format": format, "file": target.name, "size_bytes": size_bytes})
        return
    print(
        t("{file}, written by Ultralytics; its code and formats are under AGPL-3.0.", file=target)
    )
