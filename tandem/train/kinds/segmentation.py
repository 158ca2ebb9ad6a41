"""A class for each pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeGuard

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tandem.data.content import IGNORED
from tandem.data.masks import check_mask_classes
from tandem.data.verification.support import is_annotated
from tandem.spec.errors import DataError
from tandem.spec.run import RunSpec
from tandem.train.data.annotated import labelled_test, read_content
from tandem.train.data.augment import Views
from tandem.train.data.classification import check_some, warn_of_duplicates, with_test
from tandem.train.data.masks import MaskTable, check_masks, mask_table
from tandem.train.kinds.base import EvalResult, MetricAccumulator
from tandem.train.kinds.defaults import TableKindDefaults
from tandem.train.kinds.intervals import mean_iou
from tandem.train.kinds.metrics import ClassFigures, class_details, mean_of, per_class
from tandem.train.knowledge.base import Knowledge
from tandem.train.knowledge.dense_probe import DenseKnowledge, DenseProbe, OwnMasks
from tandem.train.predictions.masks import MaskPredictions, MaskReservoir
from tandem.train.registry import register
from tandem.train.types import (
    UNLABELLED,
    Batch,
    ImageTable,
    ProgressReporter,
    RowIndices,
    Signals,
    Splits,
    StepOutput,
    Student,
    Teacher,
    TeacherSource,
)

MOST_CELLS = 32
"""A side: half a megabyte of 256 components in half precision a picture."""


class MaskTeacher(Teacher, Protocol):
    """A teacher that was trained on masks: its tokens are its classes' chances."""

    class_order: tuple[int, ...] | None
    """Its number of each class of the run, once it knows them."""


def _gives_masks(teacher: Teacher) -> TypeGuard[MaskTeacher]:
    return hasattr(teacher, "class_order")


def _is_dense(knowledge: Knowledge) -> TypeGuard[DenseKnowledge]:
    return hasattr(knowledge, "dense")


@register.kind(
    "segmentation",
    precedence=50,
    title=("Masks", "掩码"),
    zh="每个像素一个类别，以各类别的平均交并比评价。",
)
class SegmentationKind(TableKindDefaults):
    """A class for each pixel, judged by the mean intersection over union of the classes."""

    primary_metric_name = "miou"
    hard_loss = "cross_entropy_dice"
    mixes = False
    adapts_teacher = False

    def read(self, spec: RunSpec, index_root: Path | None, progress: ProgressReporter) -> Splits:
        content, held = read_content(spec.data, kind=self.name, progress=progress)
        if len(content.classes) < 2:
            raise DataError(
                "The masks of {path} know {count} class; two are needed, such as background "
                "and a thing.",
                path=content.root,
                count=len(content.classes),
                fix="Name them in classes.txt, one a line from value 0.",
            )
        check_mask_classes(content.classes)
        if spec.mode == "direct" or spec.loss.hard_label_weight > 0:
            check_masks(content, content.train, "train")
        check_masks(content, held, "val")
        limits = (spec.data.max_image_pixels, index_root, progress)
        train = mask_table(content, content.train, *limits)
        val = mask_table(content, [one for one in held if is_annotated(one)], *limits)
        check_some(content.root, train, val)
        kept = labelled_test(content)
        test = None if kept is None else mask_table(content, kept, *limits)
        splits = with_test(Splits(train, val, self.name, content.notes), test)
        warn_of_duplicates(splits, progress)
        return splits

    def complete(self, spec: RunSpec, splits: Splits) -> RunSpec:  # noqa: ARG002
        student = spec.student.model_copy(update={"head": "mask"})
        return spec.model_copy(update={"student": student})

    def teacher_image_size(self, spec: RunSpec) -> int:
        """The student's: what is small in it must not be smaller to its teacher."""
        return spec.data.image_size

    def evaluator(self, table: ImageTable, keep: bool = False) -> MetricAccumulator:
        return MaskAccumulator(table, MaskReservoir() if keep else None)

    def correct(self, output: StepOutput, batch: Batch) -> Tensor:
        assert output.class_map_BHWK is not None
        assert batch.mask_BHW is not None
        known_BHW = batch.mask_BHW != IGNORED
        right_BHW = (output.class_map_BHWK.argmax(-1) == batch.mask_BHW) & known_BHW
        share_B = right_BHW.sum((1, 2)) / known_BHW.sum((1, 2)).clamp_min(1)
        return share_B * (batch.labels_B != UNLABELLED)

    def targets(self, table: ImageTable, rows_B: RowIndices, spec: RunSpec) -> Batch:
        batch = super().targets(table, rows_B, spec)
        assert isinstance(table, MaskTable)
        views = Views.draw(table.rows(rows_B), spec.views.model_copy(update={"count": 1}))
        here = np.arange(len(rows_B))
        masks = table.rows(rows_B).masks(views, here, np.zeros_like(here), spec.data.image_size)
        return replace(batch, mask_BHW=masks)

    def wants_tokens(self, asks_classes: bool) -> bool:
        return asks_classes

    def fit_probe(
        self, source: TeacherSource, table: ImageTable, spec: RunSpec
    ) -> tuple[Knowledge, RowIndices | None]:
        """A linear head on single tokens."""
        assert isinstance(table, MaskTable)
        assert spec.teacher is not None
        probe = DenseProbe.fit(
            source,
            table,
            folds=spec.teacher.probe_folds,
            seed=spec.run.seed,
            calibrate=spec.teacher.calibrate,
        )
        return probe, probe.fold_N

    def dense_grid(self, student: Student, teacher: Teacher) -> int:  # noqa: ARG002
        """As fine as the teacher sees: where a thing ends is what a mask is about."""
        return min(teacher.grid, MOST_CELLS)

    def own_knowledge(
        self,
        teacher: Teacher,
        source: TeacherSource,
        temperature: Callable[[], float],  # noqa: ARG002
    ) -> Knowledge:
        """Its own chances: it was calibrated by its own masks, if at all."""
        assert _gives_masks(teacher)
        assert teacher.class_order is not None, "it knows the run's classes"
        return OwnMasks(teacher.class_order, source.reduction)

    def add_class_scores(
        self, signals: Signals, knowledge: Knowledge, fold_B: RowIndices | None
    ) -> Signals:
        assert _is_dense(knowledge), "a mask's classes come from tokens"
        class_map_BHWK = knowledge.dense(signals, fold_B)
        return replace(
            signals, class_map_BHWK=class_map_BHWK, logits_BK=class_map_BHWK.mean((1, 2))
        )


@dataclass(frozen=True)
class _MaskPart:
    """What one process has seen of a table."""

    count_KK: NDArray[np.int64]
    rows_n: RowIndices
    ious_n: NDArray[np.float64]
    pixels_n3K: NDArray[np.int64]
    nats: float
    keeper: MaskReservoir | None


class MaskAccumulator:
    """Counts pixels: a confusion matrix of the whole table, and each picture's own mean IoU."""

    def __init__(self, table: ImageTable, keeper: MaskReservoir | None = None) -> None:
        self.table, self.keeper = table, keeper
        self.count_KK = np.zeros((len(table.classes),) * 2, np.int64)
        self.rows: list[RowIndices] = []
        self.ious: list[NDArray[np.float64]] = []
        self.pixels: list[NDArray[np.int64]] = []
        self.nats = 0.0

    def add(self, rows_B: RowIndices, output: StepOutput, batch: Batch) -> None:
        assert output.class_map_BHWK is not None
        assert batch.mask_BHW is not None
        mask_BHW = batch.mask_BHW.to(output.class_map_BHWK.device)
        scores_BKHW = output.class_map_BHWK.detach().permute(0, 3, 1, 2).float()
        if scores_BKHW.shape[2:] != mask_BHW.shape[1:]:  # a teacher's coarse map
            scores_BKHW = F.interpolate(
                scores_BKHW, mask_BHW.shape[1:], mode="bilinear", align_corners=False
            )
        target_BHW = torch.where(mask_BHW == IGNORED, -100, mask_BHW.long())
        nats_BHW = F.cross_entropy(scores_BKHW, target_BHW, reduction="none")
        known_B = (target_BHW >= 0).sum((1, 2)).clamp_min(1)
        self.nats += float((nats_BHW.sum((1, 2)) / known_B).sum())
        answer_BHW = scores_BKHW.argmax(1)
        counts = _confusions(answer_BHW, target_BHW, len(self.table.classes))
        self.count_KK += counts.sum(0)
        self.rows.append(rows_B)
        right_BK = np.diagonal(counts, axis1=1, axis2=2)
        self.pixels.append(np.stack([right_BK, counts.sum(2), counts.sum(1)], 1))
        self.ious.append(np.array([_mean_iou(one_KK) for one_KK in counts]))
        if self.keeper is not None:
            truth_BHW, said_BHW = batch.mask_BHW.numpy(), answer_BHW.to(torch.uint8).cpu().numpy()
            for place, row in enumerate(rows_B.tolist()):
                iou = float(self.ious[-1][place])
                self.keeper.add(row, iou, counts[place], truth_BHW[place], said_BHW[place])

    def part(self) -> object:
        if not self.rows:
            return None
        return _MaskPart(
            self.count_KK,
            np.concatenate(self.rows),
            np.concatenate(self.ious),
            np.concatenate(self.pixels),
            self.nats,
            self.keeper,
        )

    def result(self, parts: list[object]) -> EvalResult:
        found = [part for part in parts if isinstance(part, _MaskPart)]
        count_KK = np.sum([part.count_KK for part in found], axis=0)
        scores_N = np.zeros(len(self.table))
        for part in found:
            scores_N[part.rows_n] = part.ious_n
        metrics, details = masks_measured(count_KK, self.table.classes)
        loss = sum(part.nats for part in found) / max(len(self.table), 1)
        predictions = self._predictions(scores_N, [part.keeper for part in found])
        return EvalResult(
            metrics["miou"],
            loss,
            metrics | {"nll": loss},
            details,
            scores_N,
            predictions=predictions,
            intervals=lambda: {"miou": mean_iou(self._pixels(found))},
        )

    def _pixels(self, parts: list[_MaskPart]) -> NDArray[np.int64]:
        """In the table's order, so that as many processes as may be draw the same."""
        rows_N = np.concatenate([part.rows_n for part in parts])
        pixels_N3K = np.concatenate([part.pixels_n3K for part in parts])
        return pixels_N3K[np.argsort(rows_N)]

    def _predictions(
        self, scores_N: NDArray[np.float64], keepers: list[MaskReservoir | None]
    ) -> MaskPredictions | None:
        if self.keeper is None:
            return None
        together = MaskReservoir(*self.keeper.most)
        for one in keepers:
            assert one is not None
            together.join(one, scores_N)
        return MaskPredictions(self.table, scores_N, together)


def masks_measured(
    count_KK: NDArray[np.int64], classes: tuple[str, ...]
) -> tuple[dict[str, float], dict[str, object]]:
    """Figures of 0 to 1 from pixel counts (rows: the true class), and details by class.

    miou: mean intersection over union; dice: mean F1 (Dice 1945). All means are over the classes
    that have a pixel in truth: what is answered of another counts against those it is taken for.
    """
    rows: list[ClassFigures] = [
        {**row, "dice": row["f1"], "iou": float(iou) if row["support"] else None}
        for row, iou in zip(per_class(count_KK, classes), _ious(count_KK), strict=True)
    ]
    names = ("precision", "recall", "f1")
    metrics = {
        "miou": mean_of(rows, "iou"),
        "dice": mean_of(rows, "dice"),
        "pixel_accuracy": float(np.diag(count_KK).sum() / max(count_KK.sum(), 1)),
        **{name: mean_of(rows, name) for name in names},
    }
    return metrics, class_details(rows) | {"confusion_matrix": count_KK.tolist()}


def _ious(count_KK: NDArray[np.int64]) -> NDArray[np.float64]:
    """NaN for a class that is nowhere."""
    both_K = np.diag(count_KK).astype(np.float64)
    either_K = count_KK.sum(0) + count_KK.sum(1) - np.diag(count_KK)
    return np.where(either_K > 0, both_K / np.maximum(either_K, 1), np.nan)


def _mean_iou(count_KK: NDArray[np.int64]) -> float:
    ious = _ious(count_KK)
    return float(np.nanmean(ious)) if (~np.isnan(ious)).any() else 0.0


def _confusions(predicted_BHW: Tensor, target_BHW: Tensor, classes: int) -> NDArray[np.int64]:
    """(B, K, K) pixel counts of each picture."""
    row_B11 = torch.arange(len(target_BHW), device=target_BHW.device)[:, None, None]
    flat = (row_B11 * classes + target_BHW) * classes + predicted_BHW
    known = flat[target_BHW >= 0]
    counts = torch.bincount(known, minlength=len(target_BHW) * classes**2)
    return counts.view(-1, classes, classes).cpu().numpy()
