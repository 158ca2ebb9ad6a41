"""The exponential moving average of a student's weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import PARAM_LIST, AveragedModel

WARMUP_STEPS = 10


def make_average(student: nn.Module, decay: float) -> AveragedModel:
    """A copy that follows the student: call `update_parameters(student)` after each step.

    `average.module` is the averaged student. Its buffers (batch statistics, normalisation) are the
    student's latest. The first update copies; the decay then rises to `decay` as (1 + n)/(10 + n),
    so that a short run is not an average with its own beginning. `state_dict()` resumes bit-equal.
    """

    @torch.no_grad()
    def follow(averages: PARAM_LIST, weights: PARAM_LIST, count: Tensor | int) -> None:
        # A tensor on the device: reading it here would wait for the GPU at every step.
        share = 1 - torch.clamp(torch.as_tensor((1 + count) / (WARMUP_STEPS + count)), max=decay)
        change = torch._foreach_sub(weights, averages)
        torch._foreach_mul_(change, share)
        torch._foreach_add_(averages, change)

    return AveragedModel(student, multi_avg_fn=follow)


def averaged(average: AveragedModel) -> nn.Module:
    """The averaged student."""
    return average.module
