"""A larger detector as the teacher of a smaller: its neck and its class scores, on what the
student sees itself."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from tandem.spec.errors import StudentError, TeacherError
from tandem.spec.run import TeacherSpec
from tandem.train.data.boxes import DetectionSplits
from tandem.train.detection.evaluation.evaluate import evaluate
from tandem.train.detection.student import DetectorStudent
from tandem.train.detection.types import (
    DetectionBatch,
    DetectionLossWeights,
    DetectionTeacher,
    TeacherTargets,
)
from tandem.train.engines.base import ResolvedRun, parameter_count
from tandem.train.export import final_model

DETECTORS = ("yolov8", "yolox")
"""The families of teachers that are detectors of ours."""


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
    targets = DetectorTargets(detector, order, weights)
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
        forwards=len(splits.val) if evaluation else 0,
        weights=weights,
        projections=pairs if weights.feature else (),
        targets=targets,
    )


class DetectorTargets:
    """Looks at the very canvases of the batch: cells and anchors are the same."""

    def __init__(
        self, detector: DetectorStudent, order: list[int], weights: DetectionLossWeights
    ) -> None:
        self.detector, self.order, self.weights = detector, order, weights

    def __call__(self, batch: DetectionBatch) -> TeacherTargets:
        # No warp: the student's own canvases are shown, and its cells and anchors lie where the
        # teacher's do, as both have the same strides.
        with torch.no_grad():
            output = self.detector(batch["img"])
        assert output.boxes_BCA is not None
        tokens, covered = [], []
        for map_BHWD in output.layers_BHWD:
            tokens.append(map_BHWD.float().flatten(0, 2))
            covered.append(torch.ones(map_BHWD.shape[:3], dtype=torch.bool, device=map_BHWD.device))
        scores_BAK: Tensor = output.boxes_BCA[:, 4:].transpose(1, 2)[..., self.order].float()
        return TeacherTargets(tuple(tokens), tuple(covered), scores_BAK, "score")


def _folder(spec: TeacherSpec) -> Path:
    return Path(spec.path or spec.name or "").expanduser()
