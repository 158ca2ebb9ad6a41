"""What a detector's loss has of its teacher: its features, its classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tandem.train.detection.types import DetectionLossWeights, TeacherTargets
from tandem.train.grids import pool_to
from tandem.train.registry import find
from tandem.train.types import Batch, Signals, StepOutput

LEAST_SCORE = 1e-6
"""Scores are kept so far from 0 and 1 that they have a logit."""


def make_projectors(projections: Sequence[tuple[int, int]]) -> nn.ModuleList:
    """1x1 convolutions from the widths of the neck's maps to those they are compared with."""
    return nn.ModuleList(nn.Conv2d(one, other, 1) for one, other in projections)


def on_features(
    projectors: Iterable[nn.Module],
    maps_BCHW: Sequence[Tensor],
    targets: TeacherTargets,
    weights: DetectionLossWeights,
) -> Tensor:
    """The mean over the three scales, each over the cells that the teacher has seen, by their
    foreground where it knows of one."""
    entry = find("losses", weights.feature_loss)
    parts = []
    for number, projector in enumerate(projectors):
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
        batch = _NO_BATCH
        if targets.foreground_M:
            batch = replace(batch, foreground_BHW=targets.foreground_M[number][None, None])
        value: Tensor = entry.make(
            _as_output(student_MD),
            Signals(tokens_BHWD=targets.tokens_MD[number][None, None]),
            batch,
            weights.feature_options,
        )
        parts.append(value)
    return torch.stack(parts).mean()


def on_classes(
    classes_BAK: Tensor,
    scores_BAK: Tensor,
    targets: TeacherTargets,
    weights: DetectionLossWeights,
    *,
    gain: float,
) -> Tensor:
    """Shares of the classes by KL, or another detector's scores by theirs, times `gain`.

    `classes_BAK` are logits that tell one class from another, `scores_BAK` of each being there: a
    detector whose scores are those of its classes gives the same twice.
    """
    assert targets.classes_BAK is not None
    if targets.classes_of == "score":
        return gain * how_sure(scores_BAK.float(), targets.classes_BAK, weights.temperature)
    return which_class(classes_BAK.float(), targets.classes_BAK, weights.temperature)


def how_sure(student_BAK: Tensor, teacher_BAK: Tensor, temperature: float) -> Tensor:
    """KL of each class being there or not, nats times T², over the sum of the teacher's scores.

    `student_BAK` are logits, `teacher_BAK` scores of 0 to 1. Summed over the classes of an anchor
    and weighted by how surely either side holds something there: softened, the empty anchors, most
    of them, would outweigh all others. Divided as a detector divides its own loss on the labels.
    """
    teacher_logit_BAK = torch.logit(teacher_BAK, eps=LEAST_SCORE) / temperature
    target_BAK = teacher_logit_BAK.sigmoid()
    own_BAK = student_BAK / temperature
    # The entropy of the target is taken off: a student that says the same costs nothing.
    nats_BAK = F.binary_cross_entropy_with_logits(
        own_BAK, target_BAK, reduction="none"
    ) - F.binary_cross_entropy_with_logits(teacher_logit_BAK, target_BAK, reduction="none")
    there_BA = torch.maximum(teacher_BAK, student_BAK.detach().sigmoid()).amax(-1)
    summed = (nats_BAK.sum(-1) * there_BA).sum()
    return temperature**2 * summed / teacher_BAK.sum().clamp_min(1)


def on_boxes(
    bins_BCA: Tensor, targets: TeacherTargets, weights: DetectionLossWeights, *, gain: float
) -> Tensor:
    """KL of the distributions over a box's sides, nats times T², mean over its four, times `gain`
    (Zheng et al. 2022, localization distillation, eq. 4).

    Weighted by the foreground of an anchor, as there alone a box means something.
    """
    assert targets.bins_BCA is not None
    assert targets.classes_BAK is not None
    t = weights.temperature
    own_B4NA, target_B4NA = (
        F.log_softmax(one.float().unflatten(1, (4, -1)) / t, dim=2)
        for one in (bins_BCA, targets.bins_BCA)
    )
    nats_B4NA = F.kl_div(own_B4NA, target_B4NA, log_target=True, reduction="none")
    there_BA = targets.classes_BAK.amax(-1)
    summed = (nats_B4NA.sum(2).mean(1) * there_BA).sum()
    return gain * t**2 * summed / there_BA.sum().clamp_min(1)


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
