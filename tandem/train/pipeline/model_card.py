"""The model card: what a person should know before trusting the model, in Markdown."""

from __future__ import annotations

import re

from pydantic import BaseModel, Field, TypeAdapter

from tandem.spec.i18n import t
from tandem.spec.report import (
    ReportedMetrics,
    RunReport,
    TeacherReport,
    means_note,
    views_note,
)

CLASSES_SHOWN = 50
CONFUSIONS_SHOWN = 5
LETTERS_SHOWN = 100
FIGURES = (
    "accuracy",
    "miou",
    "dice",
    "map50",
    "map50_95",
    "top5_accuracy",
    "precision",
    "recall",
    "f1",
    "ece",
    "ece_cross_fitted",
    "ece_raw",
    "nll",
    "nll_cross_fitted",
    "nll_raw",
)


class _ClassRow(BaseModel):
    """What the card shows of one class; the details say more."""

    name: str = Field(alias="class")
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


_PER_CLASS = TypeAdapter(list[_ClassRow])
_MATRIX = TypeAdapter(list[list[int]])


def render(report: RunReport) -> str:
    """The whole card. Names come from folders and files: nothing in them acts as Markdown."""
    parts = [
        _head(report),
        _on_test(report),
        _comparison(report),
        _exports(report),
        _teacher(report),
        _data(report),
        _classes(report.student.measured),
        _confusions(report),
        _settings(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def plain(text: object) -> str:
    """The text as itself in Markdown and in HTML, on one line, not endlessly long."""
    # Neither line ends nor the marks that turn the direction of writing are printable.
    line = "".join(letter if letter.isprintable() else " " for letter in str(text))
    if len(line) > LETTERS_SHOWN:
        line = line[: LETTERS_SHOWN - 1] + "…"
    # The ampersand first: those of the entities made after it must stay.
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|~:@^$=])", r"\\\1", line)


def _head(report: RunReport) -> str:
    student = report.student
    lines = [
        f"# {plain(report.spec.task_id)}",
        "",
        t(
            "{size}, {parameters} million parameters, {megabytes} MB; made by Tandem on {date}.",
            size=plain(student.size),
            parameters=f"{student.parameters / 1e6:.2f}",
            megabytes=f"{student.size_bytes / 1e6:.1f}",
            date=f"{report.at:%Y-%m-%d}",
        ),
    ]
    if report.verdict and report.verdict.sentence:
        lines += ["", report.verdict.sentence]
    if report.verdict and report.verdict.warning:
        lines += ["", "> **" + t("Warning: {message}", message=report.verdict.warning) + "**"]
    lines += [
        "",
        "```python",
        "import tandem",
        "",
        'model = tandem.load("final_model")',
        'print(model.predict(["picture.jpg"]))',
        "```",
    ]
    return "\n".join(lines)


def _comparison(report: RunReport) -> str:
    columns: list[tuple[str, ReportedMetrics]] = [(t("Student"), report.student.measured)]
    if report.baseline:
        columns.append((t("Student without the teacher"), report.baseline.measured))
    if report.teacher and report.teacher.measured:
        columns.append((t("Teacher"), report.teacher.measured))
    title = t("On {count} validation samples", count=report.data.val_images)
    note = views_note(report)
    return _figures(title, columns) + (f"\n\n{note}" if note else "")


def _on_test(report: RunReport) -> str:
    """On the samples that nothing was chosen on."""
    if report.student.test is None:
        return ""
    columns: list[tuple[str, ReportedMetrics]] = [(t("Student"), report.student.test)]
    if report.baseline and report.baseline.test:
        columns.append((t("Student without the teacher"), report.baseline.test))
    title = t("On {count} test samples, which nothing was chosen on", count=report.data.test_images)
    return _figures(title, columns)


def _figures(title: str, columns: list[tuple[str, ReportedMetrics]]) -> str:
    rows = [
        [t(name), *(_between(measured, name) for _, measured in columns)]
        for name in FIGURES
        if any(name in measured.metrics for _, measured in columns)
    ]
    for name in ("latency_milliseconds", "throughput_images_per_second"):
        if any(name in measured.metrics for _, measured in columns):
            rows.append([t(name), *(_figure(one.metrics.get(name), 1) for _, one in columns)])
    text = f"## {title}\n\n" + _table(["", *(name for name, _ in columns)], rows)
    if any(measured.intervals for _, measured in columns):
        note = t("In brackets: what holds the figure in 95 of 100 such sets of samples.")
        text += f"\n\n{note}"
    return text


def _between(measured: ReportedMetrics, name: str) -> str:
    """A figure, and how sure it is where that is known."""
    value = _figure(measured.metrics.get(name))
    if name not in measured.intervals:
        return value
    low, high = measured.intervals[name]
    return f"{value} ({low:.3f}–{high:.3f})"


def _exports(report: RunReport) -> str:
    if not report.exports:
        return ""
    rows = [
        [
            plain(one.format),
            _figure(one.measured.accuracy),
            f"{one.size_bytes / 1e6:.2f}",
            _figure(one.measured.metrics.get("latency_milliseconds"), 2),
        ]
        for one in report.exports
    ]
    heads = [t("format"), t("figure"), "MB", t("latency_milliseconds")]
    return f"## {t('Exports')}\n\n" + _table(heads, rows)


def _teacher(report: RunReport) -> str:
    teacher = report.teacher
    if teacher is None:
        return ""
    rows = [
        [t("name"), plain(teacher.name)],
        [t("parameters"), f"{teacher.parameters / 1e6:.1f} M"],
        [t("class scores from"), plain(teacher.knowledge)],
        [t("temperature of its calibration"), _figure(teacher.temperature)],
        [t("samples it was shown"), str(teacher.forwards)],
        *_members(teacher),
        [t("agreement of the student with it"), _figure(report.agreement)],
    ]
    warned = None if teacher.check is None else teacher.check.sentence()
    said = f"\n\n**{warned}**" if warned else ""
    return f"## {t('Teacher')}\n\n" + _table(["", ""], rows) + said


def _members(teacher: TeacherReport) -> list[list[str]]:
    """A row for each of several teachers: its weight, and how good it is alone."""
    return [
        [
            plain(one.name),
            t(
                "weight {weight} in the class scores, alone {figure}",
                weight=_figure(one.weight),
                figure=_figure(one.measured.accuracy if one.measured else None),
            ),
        ]
        for one in teacher.members
    ]


def _data(report: RunReport) -> str:
    data = report.data
    rows = [
        [t("data set"), plain(data.dataset)],
        [t("validation data set"), plain(data.val_dataset)],
        [t("training samples"), str(data.train_images)],
        [t("of these labelled"), str(data.labelled_images)],
        [t("validation samples"), str(data.val_images)],
        *([] if data.test_images is None else [[t("test samples"), str(data.test_images)]]),
        [t("classes"), str(len(data.classes))],
    ]
    notes = [f"- {plain(note)}" for note in data.notes]
    return f"## {t('Data')}\n\n" + "\n".join(
        [_table(["", ""], rows), *([""] * bool(notes)), *notes]
    )


def _classes(measured: ReportedMetrics) -> str:
    per_class = _PER_CLASS.validate_python(measured.details.get("per_class") or [])
    if not per_class:
        return ""
    rows = [
        [
            plain(one.name),
            _figure(one.precision),
            _figure(one.recall),
            _figure(one.f1),
            str(one.support),
        ]
        for one in per_class[:CLASSES_SHOWN]
    ]
    heads = [t("class"), t("precision"), t("recall"), t("f1"), t("images")]
    text = f"## {t('Classes')}\n\n" + _table(heads, rows)
    if (note := means_note(measured.details)) is not None:
        text += f"\n\n{note}"
    if len(per_class) > CLASSES_SHOWN:
        rest = len(per_class) - CLASSES_SHOWN
        text += "\n\n" + t("{count} more classes are in report.json.", count=rest)
    return text


def _confusions(report: RunReport) -> str:
    """The pairs of classes most often taken for each other."""
    details = report.student.measured.details
    matrix = _MATRIX.validate_python(details.get("confusion_matrix") or [])
    wrong = [
        (count, true, answer)
        for true, row in enumerate(matrix)
        for answer, count in enumerate(row)
        if true != answer and count
    ]
    # By the count alone: the sort is stable, so that equal ones stay in the classes' order.
    wrong.sort(key=lambda one: -one[0])
    lines = ["- " + _mistake(report.data.classes, *one) for one in wrong[:CONFUSIONS_SHOWN]]
    return f"## {t('Most frequent mistakes')}\n\n" + "\n".join(lines) if lines else ""


def _mistake(names: list[str], count: int, true: int, answer: int) -> str:
    """A detector's matrix has one class more than there are: it stands for nothing."""
    if true == len(names):
        return t("{said} where there is nothing: {count}", said=plain(names[answer]), count=count)
    if answer == len(names):
        return t("{true} not found: {count}", true=plain(names[true]), count=count)
    a, b = plain(names[true]), plain(names[answer])
    return t("{true} taken for {said}: {count}", true=a, said=b, count=count)


def _settings(report: RunReport) -> str:
    spec, student = report.spec, report.student
    rows = [
        [t("epochs"), str(student.epochs)],
        [t("best epoch"), _best_epoch(report)],
        [t("training time"), t("{seconds:.0f} s", seconds=student.seconds)],
        [t("device"), plain(report.device)],
        [t("seed"), str(spec.run.seed)],
        [t("image size"), str(spec.data.image_size)],
        *([name, plain(number)] for name, number in report.versions.items()),
    ]
    return f"## {t('How it was made')}\n\n" + _table(["", ""], rows)


def _best_epoch(report: RunReport) -> str:
    student = report.student
    if student.best_epoch_by is None:
        return str(student.best_epoch)
    return t("{epoch}, by {figure}", epoch=student.best_epoch, figure=t(student.best_epoch_by))


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _figure(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
