"""Ultralytics' model with the teacher's terms beside its own loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from ultralytics.nn.tasks import DetectionModel

from tandem.spec.plugins.losses import LossRole
from tandem.train.detection.teacher_terms import make_projectors, on_boxes, on_classes, on_features
from tandem.train.detection.types import (
    BoxLabels,
    DetectionBatch,
    DetectionLossWeights,
    HeadOutput,
    TeacherTargets,
)

OWN = ("box", "cls", "dfl")
"""The parts of Ultralytics' loss."""
BOXES = "soft_dfl"
"""What a teacher's distributions over box sides add to it."""


class TaughtModel(DetectionModel):
    """`projectors` bring the neck's maps to the teacher's width; the student goes without them."""

    def __init__(
        self,
        cfg: str,
        *,
        num_classes: int,
        weights: DetectionLossWeights,
        projections: Sequence[tuple[int, int]] = (),
    ) -> None:
        super().__init__(cfg, ch=3, nc=num_classes, verbose=False)
        self.weights = weights
        # Part of this model, so that Ultralytics' optimizer, moving average and gradient limit
        # take them in; `student_state` leaves them behind.
        self.projectors = make_projectors(projections)

    @property
    def terms(self) -> tuple[str, ...]:
        """The parts of the loss by name, in its order."""
        teacher_terms = [self.weights.feature_loss] if self.weights.feature > 0 else []
        soft_terms = ["soft"] if self.weights.soft > 0 else []
        return (*OWN, *teacher_terms, *soft_terms, *([BOXES] if self.weights.boxes > 0 else []))

    @property
    def roles(self) -> dict[str, LossRole]:
        """What each of the terms is in a run."""
        teacher_terms: dict[str, LossRole] = {
            self.weights.feature_loss: "feature",
            "soft": "soft",
            BOXES: "soft",
        }
        return {name: teacher_terms.get(name, "hard") for name in self.terms}

    def student_state(self) -> dict[str, Tensor]:
        """The network's own weights."""
        state: dict[str, Tensor] = self.state_dict()
        return {name: one for name, one in state.items() if not name.startswith("projectors.")}

    def loss(
        self, batch: DetectionBatch, preds: HeadOutput | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """As Ultralytics', summed over the batch's pictures; more terms where a teacher spoke."""
        if "replayed" in batch:
            # Nothing is computed, but the loop calls backward() on the loss and adds the items to
            # its means: a zero that has a gradient, and the means as they were saved.
            device = next(self.parameters()).device
            return torch.zeros(1, device=device, requires_grad=True), batch["items"]
        if preds is None:
            preds = self.forward(batch["img"])
        targets: TeacherTargets | None = batch.get("targets")
        if targets is None:
            total, items = super().loss(batch, preds)
            return total, _named(items)
        own, items = self._on_labels(batch, preds)
        parts, count = [self.weights.hard * own], len(batch["img"])
        if self.weights.feature > 0:
            # Ultralytics' own loss comes times the batch's images, and its steps sum up `nbs` of
            # them: a mean is brought to that scale, or it would weigh less in a larger batch.
            feature = on_features(self.projectors, preds["feats"], targets, self.weights)
            items[self.weights.feature_loss] = feature.detach()
            parts.append((self.weights.feature * count * feature)[None])
        if self.weights.soft > 0:
            scores_BAK = preds["scores"].transpose(1, 2)
            gain: float = self.args.cls
            soft = on_classes(scores_BAK, scores_BAK, targets, self.weights, gain=gain)
            items["soft"] = soft.detach()
            parts.append((self.weights.soft * count * soft)[None])
        if self.weights.boxes > 0:
            dfl_gain: float = self.args.dfl
            boxes = on_boxes(preds["boxes"], targets, self.weights, gain=dfl_gain)
            items[BOXES] = boxes.detach()
            parts.append((self.weights.boxes * count * boxes)[None])
        return torch.cat(parts), items

    def _on_labels(
        self, batch: DetectionBatch, preds: HeadOutput
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Ultralytics' loss of the canvases whose pictures somebody has looked at."""
        labelled_B = torch.tensor(batch["labelled"])
        if self.weights.hard == 0 or not labelled_B.any():
            # Tied to the graph: backward() wants a gradient even where no term has one.
            nothing = preds["scores"].sum() * 0
            return nothing[None], {name: nothing.detach() for name in OWN}
        if not labelled_B.all():
            # A canvas that nobody looked at is not an empty one: its boxes would be learnt as
            # background.
            kept, labels = _only(preds, batch, labelled_B.to(preds["scores"].device))
            total, items = super().loss(labels, kept)
            return total, _named(items)
        total, items = super().loss(batch, preds)
        return total, _named(items)


def _named(items: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removesuffix("_loss"): value for name, value in items.items()}


def _only(preds: HeadOutput, batch: DetectionBatch, rows_B: Tensor) -> tuple[HeadOutput, BoxLabels]:
    """Predictions and labels of these canvases, counted anew."""
    kept = HeadOutput(
        boxes=preds["boxes"][rows_B],
        scores=preds["scores"][rows_B],
        feats=[map_BCHW[rows_B] for map_BCHW in preds["feats"]],
    )
    # `batch_idx` counts canvases of the whole batch; the loss allots its targets by it.
    number_B = rows_B.cumsum(0) - 1
    index_N = batch["batch_idx"].long()
    kept_N = rows_B[index_N]
    return kept, {
        "batch_idx": number_B[index_N[kept_N]].float(),
        "cls": batch["cls"][kept_N],
        "bboxes": batch["bboxes"][kept_N],
    }
