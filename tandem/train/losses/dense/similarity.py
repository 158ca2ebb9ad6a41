"""Which places of an image are alike, rather than what each of them is."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tandem.train.grids import matched
from tandem.train.registry import register
from tandem.train.types import Batch, Options, Signals, StepOutput


class SimilarityOptions(Options):
    sharpness: float = Field(
        0.07,
        gt=0,
        description="The temperature of the softmax over the cosines; LightlyTrain has 0.07.",
    )


@register.loss(
    "feature_similarity",
    title=("Similarity of places", "位置之间的相似度"),
    role="feature",
    needs={"tokens"},
    projects={"tokens"},
    options=SimilarityOptions,
    kinds={"classification", "segmentation"},
    zero_at_teacher=True,
    spatial=True,
    zh="每个位置与同图各位置相似度分布的 KL，单位为每格 nat（LightlyTrain，蒸馏 v3）。",
)
def feature_similarity(
    student: StepOutput,
    teacher: Signals,
    batch: Batch,  # noqa: ARG001
    options: SimilarityOptions,
) -> Tensor:
    """KL of each place's similarity to its image's places, nats a cell (LightlyTrain's v3).

    The local part of LightlyTrain's distillation v3 (default since 0.15): the cosines of a cell
    with all cells of its image, softened by 0.07, are a distribution, and the student's is to be
    the teacher's; its weight there is 1. Only the pattern is compared, so a rotation of all
    features costs nothing. Memory grows as the square of the cells.
    """
    assert student.tokens_BHWD is not None
    assert teacher.tokens_BHWD is not None
    student_BHWD, teacher_BHWD = matched(student.tokens_BHWD, teacher.tokens_BHWD)
    own_BNN = F.log_softmax(_cosines(student_BHWD) / options.sharpness, dim=-1)
    target_BNN = F.log_softmax(_cosines(teacher_BHWD) / options.sharpness, dim=-1)
    return F.kl_div(own_BNN, target_BNN, log_target=True, reduction="none").sum(-1).mean()


def _cosines(tokens_BHWD: Tensor) -> Tensor:
    """(B, H·W, H·W): the cosine of each two cells of an image."""
    unit_BND = F.normalize(tokens_BHWD.flatten(1, 2), dim=-1)
    return unit_BND @ unit_BND.transpose(1, 2)
