"""One batch's loss: the detector's own on the labels, and the teacher's terms beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tandem.spec.plugins.losses import LossRole
from tandem.spec.run import RunSpec
from tandem.train.detection.student import BoxTargets, Heads, LearningDetector
from tandem.train.detection.teacher_terms import make_projectors, on_classes, on_features
from tandem.train.detection.types import DetectionBatch, DetectionLossWeights

SOFT = "soft"


class ProjectedDetector(nn.Module):
    """A detector with the projectors from its neck to what that is compared with."""

    def __init__(
        self, student: LearningDetector, projections: Sequence[tuple[int, int]] = ()
    ) -> None:
        super().__init__()
        self.student, self.projectors = student, make_projectors(projections)

    def forward(self, images_BCHW: Tensor, targets: BoxTargets | None = None) -> Heads:
        return self.student.heads(images_BCHW, targets)


@dataclass(frozen=True)
class LossPlan:
    """What a run's loss is the sum of, and by how much."""

    weights: DetectionLossWeights
    gains: Mapping[str, float]
    """How much each of the detector's own parts weighs."""

    @classmethod
    def of(
        cls, spec: RunSpec, weights: DetectionLossWeights, student: LearningDetector
    ) -> LossPlan:
        yolo = spec.yolo
        known = {"box": yolo.box_gain, "cls": yolo.cls_gain, "dfl": yolo.dfl_gain}
        return cls(weights, {name: known.get(name, 1.0) for name in student.parts})

    @property
    def roles(self) -> dict[str, LossRole]:
        """What each term is in a run, in the order of the terms."""
        roles: dict[str, LossRole] = dict.fromkeys(self.gains, "hard")
        if self.weights.feature > 0:
            roles[self.weights.feature_loss] = "feature"
        if self.weights.soft > 0:
            roles[SOFT] = "soft"
        return roles

    def weighted(self, items: Mapping[str, Tensor]) -> Tensor:
        """The terms' sum as the student learns from it."""
        weights = self.weights
        total = weights.hard * torch.stack([items[k] * g for k, g in self.gains.items()]).sum()
        if weights.feature > 0:
            total = total + weights.feature * items[weights.feature_loss]
        if weights.soft > 0:
            total = total + weights.soft * items[SOFT]
        return total


def terms_of(
    model: ProjectedDetector, heads: Heads, batch: DetectionBatch, plan: LossPlan, *, last: bool
) -> dict[str, Tensor]:
    """The batch's terms by name, unweighted. Without a labelled canvas the labels' are 0."""
    device, weights = heads.classes_BAK.device, plan.weights
    labelled_B = torch.tensor(batch["labelled"], device=device)
    if weights.hard > 0 and any(batch["labelled"]):
        items = model.student.label_loss(heads, box_targets(batch), labelled_B, last=last)
    else:
        # Tied to the graph: backward() wants a gradient even where no term has one.
        items = dict.fromkeys(plan.gains, heads.scores_BAK.sum() * 0)
    targets = batch.get("targets")
    if targets is None:
        return items
    if weights.feature > 0:
        items[weights.feature_loss] = on_features(
            model.projectors, heads.maps_BCHW, targets, weights
        )
    if weights.soft > 0:
        items[SOFT] = on_classes(
            heads.classes_BAK, heads.scores_BAK, targets, weights, gain=plan.gains["cls"]
        )
    return items


def box_targets(batch: DetectionBatch) -> BoxTargets:
    """The batch's boxes in pixels."""
    side = batch["img"].shape[-1]
    return BoxTargets(batch["bboxes"] * side, batch["cls"][:, 0].long(), batch["batch_idx"].long())
