"""A teacher for a detector: one that sees (dense tokens, a class map), or a larger YOLOv8."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tandem.spec.errors import SpecError
from tandem.spec.i18n import t
from tandem.spec.run import RunSpec, ViewSpec
from tandem.train.cache import Wants, open_source
from tandem.train.cache.parts import coarse
from tandem.train.data.augment import Views
from tandem.train.engines.accelerate.prepare_teacher import PreparedTeacher
from tandem.train.registry import find
from tandem.train.teachers.family import family_of
from tandem.train.types import ProgressReporter, Teacher
from tandem.train.yolo.data.geometry import whole_canvas
from tandem.train.yolo.model import DetectionLossWeights, TeacherTargets
from tandem.train.yolo.student import STRIDES, YoloStudent
from tandem.train.yolo.teacher import box_probe, detector
from tandem.train.yolo.teacher.box_probe import BoxProbe
from tandem.train.yolo.teacher.warp import Canvases, cell_samples

if TYPE_CHECKING:
    from tandem.train.pipeline.run import Run
    from tandem.train.yolo.engine import DetectionSplits

Batchful = dict[str, Any]
KNOWLEDGE = ("auto", "probe", "none")
FINEST = 16
"""Pixels of a cell in which features are compared. A teacher's tokens are seldom finer, and the
student's P3, pooled to it, costs a quarter."""


@dataclass(frozen=True)
class DetectionTeacher:
    """A teacher, ready."""

    prepared: PreparedTeacher
    weights: DetectionLossWeights
    projections: tuple[tuple[int, int], ...]
    """Of each of the neck's maps: its width, and that of what it is compared with."""
    targets: Callable[[Batchful], TeacherTargets]


def open_detection_teacher(
    run: Run, splits: DetectionSplits, student: YoloStudent, progress: ProgressReporter
) -> DetectionTeacher:
    """Open the teacher, fill what is missing of its cache, and fit its probe."""
    spec = run.spec
    assert spec.teacher is not None
    weights = loss_weights(spec)
    if detector.is_yolo(spec.teacher):
        return detector.open_detector_teacher(run, splits, student, weights)
    return _open_seeing(run, splits, student, weights, progress)


def loss_weights(spec: RunSpec) -> DetectionLossWeights:
    """SpecError where nothing would be asked of the teacher, or something that it cannot say."""
    loss = spec.loss
    for name in ("attention_weight", "relation_weight", "intermediate_weight"):
        if getattr(loss, name) > 0:
            raise SpecError(
                "loss.{name} is for students of whole pictures; a YOLOv8 learns boxes, features "
                "and classes.",
                name=name,
                fix="Set loss.{name} to 0.",
            )
    feature = loss.feature_weight if loss.distillation_type in ("feature", "hybrid") else 0.0
    soft = loss.soft_label_weight if loss.distillation_type in ("logit", "hybrid") else 0.0
    assert spec.teacher is not None
    if spec.teacher.knowledge == "none":
        soft = 0.0
    if not feature and not soft:
        raise SpecError(
            "No loss term with a weight above 0 asks the teacher.",
            fix="Give soft_label_weight or feature_weight a weight, or set mode to direct.",
        )
    if soft and loss.soft_loss != "kl_div":
        raise SpecError(
            "A detector's classes are compared by kl_div, not by {asked}.",
            asked=loss.soft_loss,
            fix="Set loss.soft_loss to kl_div.",
        )
    if feature and not loss.align_feature:
        raise SpecError(
            "The neck's three maps differ in width, so a detector needs loss.align_feature.",
            fix="Set loss.align_feature to true.",
        )
    name = f"feature_{loss.feature_loss}"
    if astray := loss.options.keys() - {name}:
        raise SpecError(
            "loss.options names {astray}, which this run does not use.",
            astray=", ".join(sorted(astray)),
            allowed=[name],
        )
    options = find("losses", name).options(**loss.options.get(name, {}))
    return DetectionLossWeights(
        loss.hard_label_weight, feature, name, options, soft, loss.temperature
    )


def _open_seeing(
    run: Run,
    splits: DetectionSplits,
    student: YoloStudent,
    weights: DetectionLossWeights,
    progress: ProgressReporter,
) -> DetectionTeacher:
    spec, device = run.spec, run.device_context.device
    assert spec.teacher is not None
    _check(spec)
    teacher: Teacher = find("teachers", family_of(spec.teacher)).make(spec.teacher, device)
    if "tokens" not in teacher.gives:
        raise SpecError(
            "A detector needs a teacher's dense tokens, and {name} gives {gives}.",
            name=spec.teacher.name or spec.teacher.path,
            gives=", ".join(sorted(teacher.gives)),
            fix="Choose another teacher.",
        )
    table = splits.train.table()
    source = open_source(
        teacher,
        table,
        # Only the whole picture is asked for: augmentation's own geometry does the rest.
        Views.draw(table, ViewSpec(count=1)),
        spec.cache,
        Wants(tokens=True, grid=spec.cache.grid),
        views_wanted=1,
        device=device,
        batch_size=spec.teacher.batch_size,
        max_pixels=spec.data.max_image_pixels,
        progress=progress,
    )
    probe = _probe(run, splits, source, weights)
    if probe is None:
        weights = _without_classes(weights)
    prepared = PreparedTeacher(
        source=source,
        tokens_width=source.tokens_width,
        layer_widths=(),
        knowledge="probe" if probe else "none",
        temperature=probe.probe.temperature if probe else None,
        judged=None,
        name=spec.teacher.name or str(spec.teacher.path),
        parameters=teacher.parameters,
        fingerprint=teacher.fingerprint,
        forwards=source.teacher_forwards,
    )
    teach: Callable[[Batchful], TeacherTargets]
    if spec.cache.mode == "on":
        teacher.unload()
        teach = CachedTargets(source, probe, weights)
    else:
        teach = OnlineTargets(teacher, source, probe, weights)
    assert source.tokens_width is not None
    widths = tuple((one, source.tokens_width) for one in student.layer_widths)
    return DetectionTeacher(prepared, weights, widths if weights.feature else (), teach)


def _check(spec: RunSpec) -> None:
    assert spec.teacher is not None
    if spec.teacher.knowledge not in KNOWLEDGE:
        raise SpecError(
            "A detector's classes come from a probe on the teacher's tokens, not from {asked}.",
            asked=spec.teacher.knowledge,
            allowed=KNOWLEDGE,
            fix="Set teacher.knowledge to auto.",
        )


def _probe(
    run: Run, splits: DetectionSplits, source: Any, weights: DetectionLossWeights
) -> BoxProbe | None:
    spec, split = run.spec, splits.train
    assert spec.teacher is not None
    if not weights.soft:
        return None
    if len(split.classes) == 1:
        run.reporter.notice(
            t("There is one class only, so the teacher's class map has nothing to tell apart.")
        )
        return None
    if not any(split.shapes(row) for row in range(len(split))):
        run.reporter.notice(t("No box is there to fit a probe on, so no classes are taught."))
        return None
    run.reporter.notice(t("Fitting a probe on the teacher's features."))
    return box_probe.fit(
        source,
        split,
        folds=spec.teacher.probe_folds,
        seed=spec.run.seed,
        calibrate=spec.teacher.calibrate,
    )


def _without_classes(weights: DetectionLossWeights) -> DetectionLossWeights:
    from dataclasses import replace

    if not weights.feature:
        raise SpecError(
            "No loss term with a weight above 0 asks the teacher.",
            fix="Give soft_label_weight or feature_weight a weight, or set mode to direct.",
        )
    return replace(weights, soft=0.0)


class CachedTargets:
    """Tokens of whole pictures, warped as the batch's pictures were."""

    def __init__(self, source: Any, probe: BoxProbe | None, weights: DetectionLossWeights) -> None:
        self.source, self.probe, self.weights = source, probe, weights

    def __call__(self, batch: Batchful) -> TeacherTargets:
        # Places in bf16 would be off by whole cells.
        with torch.autocast(batch["img"].device.type, enabled=False):
            return self._placed(batch)

    def _placed(self, batch: Batchful) -> TeacherTargets:
        images_BCHW: Tensor = batch["img"]
        canvases = Canvases.of(batch["sources"], images_BCHW.device)
        rows_U, slots = np.unique(canvases.rows_BS, return_inverse=True)
        slots_BS = slots.reshape(canvases.rows_BS.shape)
        if rows_U[0] < 0:
            rows_U, slots_BS = rows_U[1:], np.maximum(slots_BS - 1, 0)
        tokens_UHWD = self.source.signals(rows_U, np.zeros_like(rows_U)).tokens_BHWD
        shares_UHWK = self.probe.shares(tokens_UHWD, rows_U) if self.probe else None
        return place_targets(
            canvases,
            slots_BS,
            tokens_UHWD,
            shares_UHWK,
            tuple(images_BCHW.shape[-2:]),
            self.weights,
        )


class OnlineTargets:
    """The teacher looks at the augmented canvases themselves."""

    def __init__(
        self, teacher: Teacher, source: Any, probe: BoxProbe | None, weights: DetectionLossWeights
    ) -> None:
        self.teacher, self.source, self.probe, self.weights = teacher, source, probe, weights
        self.part = next(part for part in source.parts if part.kind == "tokens")

    def __call__(self, batch: Batchful) -> TeacherTargets:
        with torch.autocast(batch["img"].device.type, enabled=False):
            return self._placed(batch)

    def _placed(self, batch: Batchful) -> TeacherTargets:
        images_BCHW: Tensor = batch["img"]
        size = (self.teacher.image_size, self.teacher.image_size)
        with torch.no_grad():
            shown = F.interpolate(images_BCHW, size, mode="bilinear", antialias=True)
            said = coarse(
                self.teacher.signals(shown.clamp(0, 1)),
                self.source.asker.wants,
                self.source.tokens_grid,
            )
            tokens_BHWD = self.part.reduced(said)
        shares_BHWK = self.probe.shares(tokens_BHWD, None) if self.probe else None
        rows, columns = images_BCHW.shape[-2:]
        alone = [[whole_canvas(number, rows, columns)] for number in range(len(images_BCHW))]
        canvases = Canvases.of(alone, images_BCHW.device)
        return place_targets(
            canvases, canvases.rows_BS, tokens_BHWD, shares_BHWK, (rows, columns), self.weights
        )


def place_targets(
    canvases: Canvases,
    slots_BS: Any,
    tokens_UHWD: Tensor,
    shares_UHWK: Tensor | None,
    size: tuple[int, ...],
    weights: DetectionLossWeights,
) -> TeacherTargets:
    """Tokens and class shares of whole pictures at the cells of the neck's three maps."""
    slots = torch.from_numpy(slots_BS).to(tokens_UHWD.device)
    tokens, covered, classes = [], [], []
    for stride in STRIDES:
        where = cell_samples(canvases, size[0] // stride, size[1] // stride, stride)
        if shares_UHWK is not None:
            shares_MK = where.read(shares_UHWK, slots)
            map_BHWK = shares_MK.new_zeros(*where.covered_BHW.shape, shares_MK.shape[1])
            map_BHWK[where.covered_BHW] = shares_MK
            classes.append(map_BHWK.flatten(1, 2))
        if weights.feature:
            if stride < FINEST:
                where = cell_samples(canvases, size[0] // FINEST, size[1] // FINEST, FINEST)
            covered.append(where.covered_BHW)
            tokens.append(where.read(tokens_UHWD, slots))
    return TeacherTargets(
        tuple(tokens), tuple(covered), torch.cat(classes, 1) if classes else None, "class"
    )
