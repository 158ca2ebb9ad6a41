"""Batch normalisation over the global batch, so that several processes train as one does.

Accumulation is another matter: each micro-batch is normalised by its own statistics, as everywhere.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tandem.spec.errors import StudentError


def synchronise(module: nn.Module, processes: int) -> nn.Module:
    """Let every BatchNorm2d of the module see the batches of all processes.

    On CUDA torch's SyncBatchNorm; on the CPU, which that lacks, GlobalBatchNorm2d. The state dict
    keeps its keys. Call it after moving the module to its device and before wrapping it. Raises
    StudentError for a kind of batch norm that it does not know.
    """
    if processes <= 1:
        return module
    if next(module.parameters()).device.type == "cuda":
        synchronised: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
        return synchronised
    for name, inner in module.named_modules():
        if type(inner) is nn.BatchNorm2d:
            # The object stays, so that whoever holds it or its parameters still does.
            inner.__class__ = GlobalBatchNorm2d
        elif isinstance(inner, _BatchNorm) and type(inner) is not GlobalBatchNorm2d:
            raise StudentError(
                "The student's layer {name} ({kind}) cannot see the batches of other processes "
                "on the CPU.",
                name=name,
                kind=type(inner).__name__,
                fix="Train it in one process, or on GPUs.",
            )
    return module


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose training statistics are those of all processes' rows together."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x_BCHW)
        x = x_BCHW.float()
        sums = torch.cat([x.sum(dim=(0, 2, 3)), x.new_tensor([x.numel() / x.shape[1]])])
        totals = _sum_of_all(sums)
        count = totals[-1].detach()
        mean_C = totals[:-1] / count
        centred = x - mean_C[:, None, None]
        variance_C = _sum_of_all(centred.square().sum(dim=(0, 2, 3))) / count
        # Unbiased in what is remembered, biased in what is normalised by: as torch's own does.
        self._remember(mean_C.detach(), variance_C.detach() * count / (count - 1).clamp_min(1))
        normal = centred * (variance_C + self.eps).rsqrt()[:, None, None]
        if self.affine:
            normal = normal * self.weight[:, None, None] + self.bias[:, None, None]
        return normal.to(x_BCHW.dtype)

    def _remember(self, mean_C: Tensor, variance_C: Tensor) -> None:
        if not self.track_running_stats:
            return
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = self.momentum or 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean_C, share)
        self.running_var.lerp_(variance_C, share)


def forget_broken_statistics(model: nn.Module) -> None:
    """Start running statistics anew where a forward pass that was not finite has spoilt them."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            kept = [one for one in (module.running_mean, module.running_var) if one is not None]
            if not all(torch.isfinite(one).all() for one in kept):
                module.reset_running_stats()


class _Sum(torch.autograd.Function):
    """All processes' tensors added up; so are the gradients, since each loss depends on each.

    torch.distributed.nn.functional.all_reduce is the same, deprecated since torch 2.15.
    """

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:  # noqa: ARG004
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:  # noqa: ARG004
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def _sum_of_all(x: Tensor) -> Tensor:
    summed: Tensor = _Sum.apply(x)
    return summed
