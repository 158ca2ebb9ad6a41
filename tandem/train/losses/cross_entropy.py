"""The labels' own loss."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tandem.train.registry import register
from tandem.train.types import Batch, Options, Signals, StepOutput


class CrossEntropyOptions(Options):
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Share spread over all classes.")
    class_weights: list[float] = Field([], description="Weights by class; none: all weigh 1.")


@register.loss(
    "cross_entropy",
    role="hard",
    needs={"labels"},
    options=CrossEntropyOptions,
    zh="带标签平滑的交叉熵，单位为每样本 nat（Szegedy et al. 2016）。",
)
def cross_entropy(
    student: StepOutput,
    teacher: Signals,  # noqa: ARG001
    batch: Batch,
    options: CrossEntropyOptions,
) -> Tensor:
    """Cross-entropy with label smoothing, nats per sample (Szegedy et al. 2016).

    Under mixup and cutmix (`label_BK`) a row weighs as much as the labelled share it holds: one
    mixed with an unlabelled picture counts for its labelled part only.
    """
    # float32: at half precision a large logit's log-sum-exp loses the difference that matters.
    logits_BK = student.logits_BK.float()
    smoothing = options.label_smoothing
    weights_K = logits_BK.new_tensor(options.class_weights) if options.class_weights else None
    if batch.label_BK is None and weights_K is None:
        return F.cross_entropy(logits_BK, batch.labels_B, label_smoothing=smoothing)
    if batch.label_BK is None:
        nats_B = F.cross_entropy(
            logits_BK, batch.labels_B, weights_K, label_smoothing=smoothing, reduction="none"
        )
        # PyTorch's own mean divides by the rows' weights: it would depend on how a batch is cut.
        return nats_B.mean()
    share_B1 = batch.label_BK.sum(dim=1, keepdim=True)
    target_BK = batch.label_BK * (1 - smoothing) + share_B1 * smoothing / logits_BK.shape[1]
    return F.cross_entropy(logits_BK, target_BK, weights_K, reduction="none").mean()
