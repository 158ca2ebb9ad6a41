"""The teacher's whole map, generated from a part of the student's."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from tandem.train.grids import matched
from tandem.train.registry import register
from tandem.train.types import Batch, HeadShape, Options, Signals, StepOutput


class MGDOptions(Options):
    masked: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="The share of cells that the generator does not see; the paper has 0.5 for "
        "classification, 0.45 to 0.75 for dense tasks.",
    )


class Generator(nn.Module):
    """Two 3x3 convolutions with a ReLU between them, over cells of which some are hidden.

    Yang et al. 2022, eq. 2 to 4. Trained with the student and left behind at export.
    """

    def __init__(self, shape: HeadShape, options: MGDOptions) -> None:
        super().__init__()
        self.masked = options.masked
        width = shape.tokens_width
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)
        )

    def forward(self, output: StepOutput) -> StepOutput:
        """The output with tokens that are generated from those left visible."""
        tokens_BHWD = output.tokens_BHWD
        assert tokens_BHWD is not None
        if self.training:
            # A cell with all its channels: a hidden channel could be read off its neighbours.
            draw_BHW1 = torch.rand(tokens_BHWD.shape[:3], device=tokens_BHWD.device)[..., None]
            tokens_BHWD = tokens_BHWD * (draw_BHW1 >= self.masked)
        generated_BDHW = self.layers(tokens_BHWD.permute(0, 3, 1, 2))
        return replace(output, tokens_BHWD=generated_BDHW.permute(0, 2, 3, 1))


@register.loss(
    "feature_mgd",
    title=("Masked generation (MGD)", "掩码生成（MGD）"),
    role="feature",
    needs={"tokens"},
    projects={"tokens"},
    options=MGDOptions,
    kinds={"classification", "segmentation"},
    head=Generator,
    zero_at_teacher=True,
    spatial=True,
    zh="由部分可见的学生特征生成的特征与教师特征的均方差（Yang 等，2022，式 5）。",
)
def feature_mgd(
    student: StepOutput,
    teacher: Signals,
    batch: Batch,  # noqa: ARG001
    options: MGDOptions,  # noqa: ARG001
) -> Tensor:
    """Mean squared difference of features generated from a masked map (Yang et al. 2022, eq. 5).

    arXiv 2205.01529, "Masked Generative Distillation": half the cells hidden and a weight of 7e-5
    on the sum over an image for classification, 2e-5 and 0.65 or 0.75 hidden for detection and
    segmentation. Here it is the mean over cells and channels, so their weight is that times both
    counts: 7 for 7 x 7 cells of 2,048 channels. The student's tokens arrive through `Generator`.
    """
    assert student.tokens_BHWD is not None
    assert teacher.tokens_BHWD is not None
    return F.mse_loss(*matched(student.tokens_BHWD, teacher.tokens_BHWD))
