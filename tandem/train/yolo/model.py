"""Ultralytics' model with the teacher's terms beside its own loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from ultralytics.nn.tasks import DetectionModel

from tandem.spec.plugins.losses import LossRole
from tandem.train.detection.types import (
    BoxLabels,
    DetectionBatch,
    DetectionLossWeights,
    HeadOutput,
    TeacherTargets,
)
from tandem.train.grids import pool_to
from tandem.train.registry import find
from tandem.train.types import Batch, Signals, StepOutput

OWN = ("box", "cls", "dfl")
"""The parts of Ultralytics' loss."""


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
        self.projectors = nn.ModuleList(nn.Conv2d(one, other, 1) for one, other in projections)

    @property
    def terms(self) -> tuple[str, ...]:
        """The parts of the loss by name, in its order."""
        teacher_terms = [self.weights.feature_loss] if self.weights.feature > 0 else []
        return (*OWN, *teacher_terms, *(["soft"] if self.weights.soft > 0 else []))

    @property
    def roles(self) -> dict[str, LossRole]:
        """What each of the terms is in a run."""
        teacher_terms: dict[str, LossRole] = {self.weights.feature_loss: "feature", "soft": "soft"}
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
            feature = self._on_features(preds["feats"], targets)
            items[self.weights.feature_loss] = feature.detach()
            parts.append((self.weights.feature * count * feature)[None])
        if self.weights.soft > 0:
            soft = self._on_classes(preds["scores"], targets)
            items["soft"] = soft.detach()
            parts.append((self.weights.soft * count * soft)[None])
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

    def _on_features(self, maps_BCHW: list[Tensor], targets: TeacherTargets) -> Tensor:
        """The mean over the three scales, each over the cells that the teacher has seen."""
        entry = find("losses", self.weights.feature_loss)
        parts = []
        for number, projector in enumerate(self.projectors):
            covered_BHW = targets.covered_BHW[number]
            # Cells first, then their projection: it is far wider than the student's map.
            map_BHWC = maps_BCHW[number].permute(0, 2, 3, 1)
            cells_NC = pool_to(map_BHWC, *covered_BHW.shape[1:]).flatten(0, 2)
            if not covered_BHW.all():
                # Not by a boolean index, whose backward sorts all the places; this one adds rows.
                cells_NC = cells_NC.index_select(0, covered_BHW.flatten().nonzero()[:, 0])
            if len(cells_NC) == 0:
                # The mean of nothing is NaN; this keeps the map in the graph with a gradient of 0.
                parts.append(maps_BCHW[number].sum() * 0)
                continue
            assert isinstance(projector, nn.Conv2d)
            # A 1x1 convolution is a linear layer over cells, and here only some cells are left.
            student_MD = F.linear(cells_NC, projector.weight.flatten(1), projector.bias).float()
            value: Tensor = entry.make(
                _as_output(student_MD),
                Signals(tokens_BHWD=targets.tokens_MD[number][None, None]),
                _NO_BATCH,
                self.weights.feature_options,
            )
            parts.append(value)
        return torch.stack(parts).mean()

    def _on_classes(self, scores_BKA: Tensor, targets: TeacherTargets) -> Tensor:
        assert targets.classes_BAK is not None
        student_BAK = scores_BKA.transpose(1, 2).float()
        if targets.classes_of == "score":
            # Scaled as Ultralytics scales its own on the labels: a weight of 1 is its equal.
            summed = F.binary_cross_entropy_with_logits(
                student_BAK, targets.classes_BAK, reduction="sum"
            )
            gain: float = self.args.cls
            return gain * summed / targets.classes_BAK.sum().clamp_min(1)
        return which_class(student_BAK, targets.classes_BAK, self.weights.temperature)


def which_class(student_BAK: Tensor, teacher_BAK: Tensor, temperature: float) -> Tensor:
    """KL of the classes' shares, nats times T², weighted by how sure the teacher is that
    anything is there.

    The teacher's map knows what lies in a cell, not which cell's box will fit it best: how high
    the scores are is left to the labels.
    """
    # 1 less the share of the background: empty cells, most of them, teach nothing.
    there_BA = teacher_BAK.sum(-1)
    # The logarithm brings shares back to logits, so that they can be softened as the student's
    # are; what the background took from each falls out in the softmax.
    target_BAK = F.log_softmax(teacher_BAK.clamp_min(1e-6).log() / temperature, -1)
    own_BAK = F.log_softmax(student_BAK / temperature, -1)
    divergence_BA = F.kl_div(own_BAK, target_BAK, log_target=True, reduction="none").sum(-1)
    return temperature**2 * (divergence_BA * there_BA).sum() / there_BA.sum().clamp_min(1e-6)


_NO_BATCH: Batch = Batch(torch.empty(0), torch.empty(0), None, None)  # type: ignore[arg-type]
"""No feature loss looks at one."""


def _as_output(tokens_MD: Tensor) -> StepOutput:
    nothing = tokens_MD.new_zeros(1, 1)
    return StepOutput(nothing, nothing, tokens_BHWD=tokens_MD[None, None])


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
