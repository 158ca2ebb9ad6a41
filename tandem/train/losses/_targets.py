"""The class that a row is held to where a loss sets it apart from the others."""

from __future__ import annotations

import torch
from torch import Tensor

from tandem.train.types import UNLABELLED, Batch


def target_classes(teacher_BK: Tensor, batch: Batch) -> Tensor:
    """(B,) int64: the label; where there is none, the teacher's best class.

    Under mixup and cutmix it is the class with the largest share.
    """
    best_B = teacher_BK.argmax(dim=-1)
    if batch.label_BK is None:
        return torch.where(batch.labels_B == UNLABELLED, best_B, batch.labels_B)
    has_label_B = batch.label_BK.sum(dim=-1) > 0
    return torch.where(has_label_B, batch.label_BK.argmax(dim=-1), best_B)
