"""A detector of our own loop on its validation split: COCO's figures, and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from tandem.train.data.boxes import DetectionTable
from tandem.train.detection.boxes import letterbox_of
from tandem.train.detection.evaluation.evaluate import evaluate
from tandem.train.detection.step_loss import LossPlan
from tandem.train.detection.student import BoxTargets, LearningDetector
from tandem.train.engines.stop import StopRequest
from tandem.train.kinds.base import EvalResult
from tandem.train.types import StepOutput, Student


def measure(
    student: LearningDetector,
    split: DetectionTable,
    device: torch.device,
    batch_size: int,
    plan: LossPlan,
    *,
    last: bool,
    stop: StopRequest | None = None,
) -> EvalResult:
    """Its figures, and the mean of its loss on the labels. EvaluationStoppedError on request."""
    heard = _WithLoss(student, split, plan, last=last)
    result = evaluate(heard, split, device, batch_size, stop)
    return replace(result, loss=float(heard.total) / max(heard.seen, 1))


class _WithLoss(Student):
    """Sums up the loss of what the student is shown: one pass for both."""

    def __init__(
        self, student: LearningDetector, split: DetectionTable, plan: LossPlan, *, last: bool
    ) -> None:
        super().__init__()
        self.student, self.split, self.plan, self.last = student, split, plan, last
        self.image_size, self.seen = student.image_size, 0
        self.total: Tensor | float = 0.0

    def forward(self, images_BCHW: Tensor, layers: Sequence[int] = ()) -> StepOutput:
        # They are shown in the order of the rows.
        rows = range(self.seen, self.seen + len(images_BCHW))
        heads = self.student.heads(images_BCHW)
        labelled_B = torch.ones(len(rows), dtype=torch.bool, device=images_BCHW.device)
        targets = self._targets(rows, images_BCHW)
        parts = self.student.label_loss(heads, targets, labelled_B, last=self.last)
        loss = torch.stack([parts[name] * gain for name, gain in self.plan.gains.items()]).sum()
        self.total, self.seen = self.total + loss * len(rows), rows.stop
        return self.student.answer(heads, layers)

    def _targets(self, rows: range, images_BCHW: Tensor) -> BoxTargets:
        height, width = images_BCHW.shape[-2:]
        boxes, labels, canvases = [], [], []
        for canvas, row in enumerate(rows):
            placed = letterbox_of(*self.split.size(row), height, width)
            boxes_n4 = torch.from_numpy(self.split.boxes_N4(row))
            boxes_n4[:, 0::2] = boxes_n4[:, 0::2] * placed.scale_x + placed.left
            boxes_n4[:, 1::2] = boxes_n4[:, 1::2] * placed.scale_y + placed.top
            boxes.append(boxes_n4)
            labels.append(torch.from_numpy(self.split.labels_N(row)).long())
            canvases.append(torch.full((len(boxes_n4),), canvas))
        boxes_N4 = torch.cat(boxes)
        low, high = boxes_N4[:, :2], boxes_N4[:, 2:]
        device = images_BCHW.device
        return BoxTargets(
            torch.cat(((low + high) / 2, high - low), 1).to(device),
            torch.cat(labels).to(device),
            torch.cat(canvases).to(device),
        )
