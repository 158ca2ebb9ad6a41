"""How samples lie to each other, rather than where each lies."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tandem.train.registry import register
from tandem.train.types import Batch, Options, Signals, StepOutput


class RelationOptions(Options):
    distance_weight: float = Field(1.0, ge=0, description="The weight of the distances of pairs.")
    angle_weight: float = Field(2.0, ge=0, description="The weight of the angles of triples.")
    angle_rows: int = Field(
        64, ge=3, description="Rows of a batch among which angles are taken: memory grows as rows³."
    )


@register.loss(
    "relation",
    role="relation",
    needs={"pooled"},
    options=RelationOptions,
    zero_at_teacher=True,
    pairwise=True,
    zh="距离与角度的关系蒸馏（Park et al. 2019，式 5 至 8）。",
)
def relation(
    student: StepOutput,
    teacher: Signals,
    batch: Batch,  # noqa: ARG001
    options: RelationOptions,
) -> Tensor:
    """Relational distillation of distances and angles (Park et al. 2019, eq. 5 to 8).

    Huber loss between the pairwise distances, each side's divided by their mean, and between the
    cosines at each row of every pair of others. It compares rows: the mean of micro-batches is not
    the batch's value, and a batch of one row gives zero.
    """
    assert teacher.pooled_BD is not None
    student_BD, teacher_BD = student.pooled_BD.float(), teacher.pooled_BD.float()
    loss = student_BD.sum() * 0.0
    if len(student_BD) < 2:
        return loss
    if options.distance_weight > 0:
        pair = F.smooth_l1_loss(_distances(student_BD), _distances(teacher_BD))
        loss = loss + options.distance_weight * pair
    if options.angle_weight > 0 and len(student_BD) > 2:
        rows = slice(options.angle_rows)
        triple = F.smooth_l1_loss(_cosines(student_BD[rows]), _cosines(teacher_BD[rows]))
        loss = loss + options.angle_weight * triple
    return loss


def _distances(x_BD: Tensor) -> Tensor:
    """(B·(B-1)/2,) Euclidean, divided by their mean."""
    one, other = torch.triu_indices(len(x_BD), len(x_BD), offset=1, device=x_BD.device)
    # The floor keeps the root's gradient finite where two rows agree.
    distance_P = (x_BD[one] - x_BD[other]).square().sum(dim=-1).clamp_min(1e-12).sqrt()
    return distance_P / distance_P.mean()


def _cosines(x_BD: Tensor) -> Tensor:
    """(B, B, B): the cosine at row i of the angle between rows j and k; 0 where two agree."""
    offset_BBD = F.normalize(x_BD[None, :] - x_BD[:, None], dim=-1)
    return offset_BBD @ offset_BBD.transpose(1, 2)
