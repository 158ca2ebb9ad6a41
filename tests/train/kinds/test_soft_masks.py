"""What a teacher's class map teaches: on its own cells, and no larger than they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tandem.data.content import IGNORED
from tandem.train.engines.accelerate.loss_terms import Term, Totals, by_cell, weighted_sum
from tandem.train.engines.accelerate.model.projected_student import StudentOutputs
from tandem.train.registry import find
from tandem.train.types import UNLABELLED, Batch, Signals, StepOutput


def test_the_soft_term_is_on_the_teacher_s_cells_and_takes_their_memory() -> None:
    """KL of the pooled logits, by hand; and nothing as large as the pixels is kept for it."""
    torch.manual_seed(0)
    side, cells, classes = 64, 4, 6
    map_BHWK = torch.randn(2, side, side, classes, requires_grad=True)
    teacher_BHWK = torch.randn(2, cells, cells, classes)
    mask_BHW = torch.zeros(2, side, side, dtype=torch.uint8)
    index_B = np.arange(2)
    labels_B = torch.zeros(2, dtype=torch.int64)
    batch = Batch(torch.zeros(2, 3, side, side), labels_B, index_B, index_B, mask_BHW=mask_BHW)
    output = StepOutput(map_BHWK.mean((1, 2)), torch.zeros(2, 1), class_map_BHWK=map_BHWK)
    entry = find("losses", "kl_div")
    terms = [Term("kl_div", entry, 1.0, entry.options(temperature=2.0))]
    kept: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.untyped_storage().nbytes() // tensor.element_size())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda one: one):
        loss, _ = weighted_sum(
            terms,
            StudentOutputs(output, output, {}),
            Signals(class_map_BHWK=teacher_BHWK),
            batch,
            Totals(2, 2),
        )
    pooled = map_BHWK.detach().reshape(2, cells, 16, cells, 16, classes).mean((2, 4))
    own, target = ((one / 2).log_softmax(-1) for one in (pooled, teacher_BHWK))
    expected = 4 * (target.exp() * (target - own)).sum(-1).mean()
    assert float(loss.detach()) == pytest.approx(float(expected), rel=1e-5)
    beside = [
        one for one in kept if one != map_BHWK.numel()
    ]  # the student's own map is there anyway
    assert max(beside) <= 2 * cells * cells * classes


def test_a_cell_s_label_is_that_of_the_pixel_at_its_centre() -> None:
    mask_BHW = torch.arange(64, dtype=torch.uint8).reshape(1, 8, 8)
    mask_BHW[0, 6, 6] = IGNORED
    index_B = np.arange(1)
    batch = Batch(
        torch.zeros(1, 3, 8, 8),
        torch.zeros(1, dtype=torch.int64),
        index_B,
        index_B,
        mask_BHW=mask_BHW,
    )
    map_BHWK = torch.zeros(1, 8, 8, 3)
    output = StepOutput(torch.zeros(1, 3), torch.zeros(1, 1), class_map_BHWK=map_BHWK)
    cells, teacher, picked = by_cell(output, Signals(class_map_BHWK=map_BHWK[:, :2, :2]), batch)
    assert picked.labels_B.tolist() == [18, 22, 50, UNLABELLED]
    assert cells.logits_BK.shape == teacher.logits_BK.shape == (4, 3)
