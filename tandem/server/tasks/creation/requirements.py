"""What a run would not find on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tandem.config.settings import Settings
from tandem.spec.i18n import t
from tandem.spec.plugins.sources import is_fetched
from tandem.spec.run import RunSpec


@dataclass(frozen=True)
class MissingRequirement:
    what: str
    path: str | None
    fix: str


def missing_requirements(spec: RunSpec, settings: Settings) -> list[MissingRequirement]:
    """Data, weights and extras that are not here."""
    return [*_data(spec), *_teacher(spec, settings), *_student(spec), *_extras(spec)]


def _data(spec: RunSpec) -> Iterator[MissingRequirement]:
    base = spec.data.root or Path()
    for name in dict.fromkeys((spec.data.dataset, spec.data.val_dataset)):
        if name is not None and not (base / name).exists():
            yield MissingRequirement(
                t("The data set {name} is not there.", name=name),
                str(base / name),
                t("Upload it, or put its folder there."),
            )


def _teacher(spec: RunSpec, settings: Settings) -> Iterator[MissingRequirement]:
    if spec.teacher is None or spec.mode == "direct":
        return
    path = spec.teacher.path or spec.teacher.name or ""
    named = {path: spec.teacher.name or path} | {one: one for one in spec.teacher.others}
    for where, name in named.items():
        if not _is_here(where):
            yield MissingRequirement(
                t("The teacher's weights are not there: {name}.", name=name),
                where,
                t("Put the checkpoint's folder into {root}.", root=settings.path("models_root")),
            )


def _student(spec: RunSpec) -> Iterator[MissingRequirement]:
    if spec.student.init != "pretrained":
        return
    path = spec.student.path
    if not path:
        yield MissingRequirement(
            t("The student's weights are not named."),
            None,
            t("Give student.path, or choose other initial weights."),
        )
    elif not _is_here(path):
        yield MissingRequirement(
            t("The student's weights are not there: {name}.", name=Path(path).name),
            path,
            t("Put them there, or choose other initial weights."),
        )


def _extras(spec: RunSpec) -> Iterator[MissingRequirement]:
    teacher = spec.teacher if spec.mode != "direct" else None
    is_yolo = spec.student.type == "yolov8" or (teacher and teacher.family == "yolov8")
    if is_yolo and find_spec("ultralytics") is None:
        yield MissingRequirement(
            t("Ultralytics, which YOLOv8 needs, is not installed (AGPL-3.0)."),
            None,
            "pip install 'tandem-distill[yolo]'",
        )
    if teacher and teacher.precision in ("int8", "int4") and find_spec("bitsandbytes") is None:
        yield MissingRequirement(
            t("bitsandbytes, which int8 and int4 teachers need, is not installed."),
            None,
            "pip install 'tandem-distill[quant]'",
        )


def _is_here(path: str) -> bool:
    """A file or folder, or what a hub gave before."""
    if path.startswith(("/", "~", ".")) or Path(path).exists():
        return Path(path).expanduser().exists()
    return is_fetched(path)
