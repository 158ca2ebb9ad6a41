"""`tandem report RUN [--json] [--send]`."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from tandem.commands.models.export import HEADS, rows_of
from tandem.commands.models.locate import find_run
from tandem.commands.terminal import print_status, print_table
from tandem.config.settings import load
from tandem.spec.errors import SpecError, UserInputError
from tandem.spec.i18n import t
from tandem.spec.report import (
    ReportedMetrics,
    RunReport,
    StudentReport,
    means_note,
    views_note,
)

UNSENT = 1


def report(name: str, as_json: bool, send: bool, api_base_url: str | None) -> int:
    """Print the report; with `send` deliver the run's events instead. The exit code."""
    folder = find_run(name)
    if send:
        return _send(folder, api_base_url)
    found = _read(folder)
    if as_json:
        print(found.model_dump_json(indent=1))
    else:
        _print(found, folder)
    return 0


def _read(folder: Path) -> RunReport:
    file = folder / "report.json"
    try:
        return RunReport.model_validate_json(file.read_bytes())
    except OSError as error:
        raise UserInputError(
            "The run {folder} has no report.json: it has not finished.",
            folder=folder,
            fix="Start it again with the same arguments, and it goes on.",
        ) from error
    except ValidationError as error:
        raise UserInputError(
            "{file} is no report of this version of Tandem.", file=file, fix="Train again."
        ) from error


def _print(found: RunReport, folder: Path) -> None:
    student, teacher = found.student, found.teacher
    rows: list[tuple[str, str, float, ReportedMetrics | None]] = []
    if teacher is not None:
        source = t("teacher, by {knowledge}", knowledge=teacher.knowledge)
        rows.append((source, teacher.name, teacher.parameters / 1e6, teacher.measured))
    millions, baseline = student.parameters / 1e6, found.baseline
    rows.append((t("student"), student.size, millions, student.measured))
    if baseline is not None:
        rows.append((t("the same without the teacher"), student.size, millions, baseline.measured))
    if student.test is not None:
        rows.append((t("student, on the test split"), student.size, millions, student.test))
    if baseline is not None and baseline.test is not None:
        alone = t("without the teacher, on the test split")
        rows.append((alone, student.size, millions, baseline.test))
    heads = ["", "name", "millions", "accuracy", "top-5", "precision", "recall", "F1", "ECE"]
    cells = [[who, what, f"{size:.1f}", *_figures(measured)] for who, what, size, measured in rows]
    print_table("", [*heads, "ms a sample"], cells)
    if found.exports:
        print_table(t("Exports"), ["", *HEADS], rows_of(found))
    print()
    data = found.data
    print(
        t(
            "{dataset}: {classes} classes, {train} training samples ({labelled} labelled), "
            "{val} to validate.",
            dataset=data.dataset,
            classes=len(data.classes),
            train=data.train_images,
            labelled=data.labelled_images,
            val=data.val_images,
        )
    )
    notes = [means_note(student.measured.details), views_note(found), _how_sure(student)]
    for note in (*notes, *data.notes):
        if note is not None:
            print(note)
    verdict = found.verdict
    for line in (verdict.sentence, verdict.warning) if verdict else ():
        if line:
            print(line)
    print(t("Model: {path}", path=folder / "final_model"))
    if found.baseline is not None and found.baseline.model is not None:
        kept = folder / found.baseline.model
        print(t("The same without the teacher: {path}", path=kept))


def _how_sure(student: StudentReport) -> str | None:
    """The intervals of its figures, on the test split where there is one."""
    measured = student.test or student.measured
    told = [f"{t(name)} {low:.3f}–{high:.3f}" for name, (low, high) in measured.intervals.items()]
    if not told:
        return None
    figures = ", ".join(told)
    if student.test is None:
        return t("In 95 of 100 such validation sets: {figures}.", figures=figures)
    return t("In 95 of 100 such test sets: {figures}.", figures=figures)


def _figures(measured: ReportedMetrics | None) -> list[str]:
    if measured is None:
        return ["-"] * 7
    of = measured.metrics
    names = ("accuracy", "top5_accuracy", "precision", "recall", "f1", "ece")
    shares = [f"{of[name]:.3f}" if name in of else "-" for name in names]
    if measured.accuracy is not None:
        shares[0] = f"{measured.accuracy:.3f}"  # of masks the mean IoU, of boxes the mAP
    latency = of.get("latency_milliseconds")
    return [*shares, "-" if latency is None else f"{latency:.1f}"]


def _send(folder: Path, api_base_url: str | None) -> int:
    address = api_base_url or _address(folder) or load().text("api_base_url")
    if not address:
        raise SpecError(
            "It is not known where to deliver the run {folder} to.",
            folder=folder,
            fix="Give --api-base-url, or configure distillation.api.base-url.",
        )
    from tandem.train.sinks.http import deliver

    done = deliver(folder, address)
    print(t("{sent} requests delivered to {address}.", sent=done.sent, address=address))
    if done.left:
        print_status(t("{left} events are still to be delivered.", left=done.left))
    return UNSENT if done.left else 0


def _address(folder: Path) -> str | None:
    """Where the run itself reported to."""
    try:
        spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
        return spec["report"]["api_base_url"] or None
    except (OSError, ValueError, KeyError, TypeError):
        return None
