"""The masks' own loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tandem.data.content import IGNORED
from tandem.train.registry import register
from tandem.train.types import Batch, Options, Signals, StepOutput

SMOOTH = 1.0
"""Pixels added above and below the line, so that a class that is nowhere costs nothing."""


class CrossEntropyDiceOptions(Options):
    cross_entropy_weight: float = Field(1.0, ge=0, description="The weight of the cross-entropy.")
    dice_weight: float = Field(1.0, ge=0, description="The weight of one minus Dice.")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Share spread over all classes.")
    class_weights: list[float] = Field([], description="Weights by class; none: all weigh 1.")


@register.loss(
    "cross_entropy_dice",
    role="hard",
    needs={"labels", "masks"},
    options=CrossEntropyDiceOptions,
    zh="每像素交叉熵（奈特）加软 Dice（Milletari 等，2016），对图片取平均。",
)
def cross_entropy_dice(
    student: StepOutput,
    teacher: Signals,  # noqa: ARG001
    batch: Batch,
    options: CrossEntropyDiceOptions,
) -> Tensor:
    """Cross-entropy in nats a pixel plus soft Dice (Milletari et al. 2016), mean over pictures.

    Each picture is a mean over its own known pixels, so that the loss does not depend on how a
    batch is cut. Dice is a mean over the classes that the picture holds.
    """
    assert student.class_map_BHWK is not None
    assert batch.mask_BHW is not None
    scores_BKHW = student.class_map_BHWK.float().permute(0, 3, 1, 2)
    mask_BHW = batch.mask_BHW.long()
    known_BHW = mask_BHW != IGNORED
    count_B = known_BHW.sum((1, 2)).clamp_min(1)
    loss = scores_BKHW.new_zeros(())
    if options.cross_entropy_weight > 0:
        nats_BHW = F.cross_entropy(
            scores_BKHW,
            torch.where(known_BHW, mask_BHW, -100),
            scores_BKHW.new_tensor(options.class_weights) if options.class_weights else None,
            reduction="none",
            label_smoothing=options.label_smoothing,
        )
        loss = loss + options.cross_entropy_weight * (nats_BHW.sum((1, 2)) / count_B).mean()
    if options.dice_weight > 0:
        loss = loss + options.dice_weight * _dice(scores_BKHW, mask_BHW, known_BHW)
    return loss


def _dice(scores_BKHW: Tensor, mask_BHW: Tensor, known_BHW: Tensor) -> Tensor:
    known_B1HW = known_BHW[:, None]
    chance_BKHW = scores_BKHW.softmax(1) * known_B1HW
    own_BHW = torch.where(known_BHW, mask_BHW, 0)
    true_BKHW = F.one_hot(own_BHW, scores_BKHW.shape[1]).permute(0, 3, 1, 2) * known_B1HW
    both_BK = (chance_BKHW * true_BKHW).sum((2, 3))
    sum_BK = chance_BKHW.sum((2, 3)) + true_BKHW.sum((2, 3))
    dice_BK = (2 * both_BK + SMOOTH) / (sum_BK + SMOOTH)
    there_BK = true_BKHW.sum((2, 3)) > 0
    lacking_B = ((1 - dice_BK) * there_BK).sum(1) / there_BK.sum(1).clamp_min(1)
    return lacking_B.mean()
