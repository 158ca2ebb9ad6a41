"""A larger detector as the teacher of a smaller: its neck and its class scores, on what the
student sees itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tandem.spec.errors import StudentError, TeacherError
from tandem.spec.run import TeacherSpec
from tandem.train.data.boxes import DetectionSplits, DetectionTable
from tandem.train.detection.evaluation.evaluate import evaluate, letterboxed
from tandem.train.detection.student import DetectorStudent
from tandem.train.detection.types import (
    DetectionBatch,
    DetectionLossWeights,
    DetectionTeacher,
    TeacherTargets,
)
from tandem.train.engines.base import ResolvedRun, parameter_count
from tandem.train.engines.device import as_inputs
from tandem.train.export import final_model

DETECTORS = ("yolov8", "yolox")
"""The families of teachers that are detectors of ours."""


SAMPLED = 16
"""Pictures that tell how large a detector's tokens are; a mean over their cells is exact enough."""


def is_detector(spec: TeacherSpec) -> bool:
    """Whether the teacher is named as one, or its folder holds a detector of ours."""
    if spec.family != "auto":
        return spec.family in DETECTORS
    try:
        return final_model.read_config(_folder(spec)).kind == "detection"
    except StudentError:
        return False


def open_detector(spec: TeacherSpec, device: torch.device) -> tuple[DetectorStudent, list[str]]:
    """The trained detector and its classes; TeacherError for a folder that holds none."""
    folder = _folder(spec)
    try:
        detector, config = final_model.load(folder, device)
    except StudentError as error:
        raise TeacherError(
            "The teacher {path} is no detector that Tandem has trained.",
            path=folder,
            fix="Name the final_model folder of a detector.",
        ) from error
    if not isinstance(detector, DetectorStudent):
        raise TeacherError(
            "The teacher {path} is a {type}, which finds no boxes.",
            path=folder,
            type=config.student.type,
        )
    return detector.requires_grad_(False), list(config.classes)


def fingerprint(spec: TeacherSpec) -> str:
    """blake2b of its weights' file, as hex."""
    with (_folder(spec) / final_model.WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def open_detector_teacher(
    run: ResolvedRun,
    splits: DetectionSplits,
    student: DetectorStudent,
    weights: DetectionLossWeights,
) -> DetectionTeacher:
    """Its classes must hold all of the student's; they are matched by name."""
    spec = run.spec.teacher
    assert spec is not None
    detector, classes = open_detector(spec, run.device_context.device)
    _check_cells(detector, student)
    missing = [name for name in splits.train.classes if name not in classes]
    if missing:
        raise TeacherError(
            "The teacher does not know these classes of the data: {missing}.",
            missing=", ".join(missing[:10]),
            allowed=classes[:20],
            fix="Name a teacher trained on the same classes.",
        )
    # Same names may stand in another order, or be some of the teacher's.
    order = [classes.index(name) for name in splits.train.classes]
    evaluation = None
    if order == list(range(len(classes))):
        evaluation = evaluate(
            detector,
            splits.val_boxes,
            run.device_context.device,
            run.spec.optim.batch_size,
            run.stop,
        )
    if student.box_bins and student.box_bins == detector.box_bins:
        weights = replace(weights, boxes=weights.soft)
    rows = _sampled(splits.train_boxes)
    canvases = (letterboxed(splits.train_boxes, row, run.spec.data.image_size)[0] for row in rows)
    sizes = token_sizes(detector, canvases, run.device_context.device) if weights.feature else ()
    targets = DetectorTargets(detector, order, sizes)
    pairs = tuple(zip(student.layer_widths, detector.layer_widths, strict=True))
    return DetectionTeacher(
        source=None,  # it is asked about a batch's own canvases, which no row has
        tokens_width=None,
        layer_widths=tuple(detector.layer_widths),
        knowledge="own",
        temperature=None,
        evaluation=evaluation,
        name=spec.name or str(spec.path),
        parameters=parameter_count(detector),
        fingerprint=fingerprint(spec),
        forwards=(len(splits.val) if evaluation else 0) + (len(rows) if sizes else 0),
        weights=weights,
        projections=pairs if weights.feature else (),
        targets=targets,
    )


def _check_cells(detector: DetectorStudent, student: DetectorStudent) -> None:
    """TeacherError where the teacher's cells are not the student's."""
    if not detector.answers_by_cell:
        raise TeacherError(
            "The teacher finds boxes by queries, which lie at no cell of a student: it teaches no "
            "other detector.",
            fix="Name a YOLOX, a YOLOv8 or an encoder as the teacher.",
        )
    if detector.strides != student.strides:
        raise TeacherError(
            "The teacher has maps of {theirs} pixels a cell, the student of {ours}: a detector "
            "teaches one with the same.",
            theirs=", ".join(map(str, detector.strides)),
            ours=", ".join(map(str, student.strides)),
            fix="Choose another size of the student, or an encoder as the teacher.",
        )


class DetectorTargets:
    """Looks at the very canvases of the batch: cells and anchors are the same.

    Its tokens are divided by `sizes`, so that a weight of features means what it does with tokens
    of the cache, whose mean square is 1.
    """

    def __init__(self, detector: DetectorStudent, order: list[int], sizes: Sequence[float]) -> None:
        self.detector, self.order, self.sizes = detector, order, sizes

    def __call__(self, batch: DetectionBatch) -> TeacherTargets:
        # No warp: the student's own canvases are shown, and its cells and anchors lie where the
        # teacher's do, as both have the same strides.
        with torch.no_grad():
            output, bins_BCA = self.detector.with_bins(batch["img"])
        assert output.boxes_BCA is not None
        scores_BAK: Tensor = output.boxes_BCA[:, 4:].transpose(1, 2)[..., self.order].float()
        maps = output.layers_BHWD
        # The head lists its anchors map by map, each in raster order: a cell has one.
        cells = [one.shape[1] * one.shape[2] for one in maps]
        there = scores_BAK.amax(-1).split(cells, dim=1)
        tokens = [
            map_BHWD.float().flatten(0, 2) / size
            for map_BHWD, size in zip(maps, self.sizes, strict=False)
        ]
        return TeacherTargets(
            tokens_MD=tuple(tokens),
            covered_BHW=tuple(torch.ones_like(one[..., 0], dtype=torch.bool) for one in maps),
            classes_BAK=scores_BAK,
            foreground_M=tuple(one.flatten() for one in there),
            bins_BCA=bins_BCA,
            classes_of="score",
        )


def token_sizes(
    detector: DetectorStudent, canvases: Iterable[Tensor], device: torch.device
) -> tuple[float, ...]:
    """The root of the mean square of each of the neck's maps, over these canvases (3, H, W)."""
    squares: list[list[float]] = []
    with torch.no_grad():
        for canvas_CHW in canvases:
            maps = detector(as_inputs(canvas_CHW[None], device)).layers_BHWD
            squares.append([float(one.float().square().mean()) for one in maps])
    # A map of zeros has no size; nothing may be divided by nothing.
    return tuple(max(float(np.mean(one)), 1e-30) ** 0.5 for one in zip(*squares, strict=True))


def _sampled(table: DetectionTable) -> list[int]:
    """Rows of the train split, evenly spread: the same in a run that is resumed."""
    count = min(SAMPLED, len(table))
    return [int(row) for row in np.linspace(0, len(table) - 1, count)]


def _folder(spec: TeacherSpec) -> Path:
    return Path(spec.path or spec.name or "").expanduser()
