"""Which anchors learn which box: SimOTA (Ge et al. 2021, section 2.1), one canvas at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import box_iou

RADIUS = 1.5
"""Cells around a box's centre in which an anchor may learn it."""
IOU_WEIGHT = 3.0
OUTSIDE = 1e6
"""Added to the cost of an anchor that is near another box, but not this one."""
CANDIDATES = 10
"""The best overlaps of a box, whose sum is how many anchors learn it."""


@dataclass(frozen=True)
class Anchors:
    """The cells of all maps in one row: P3, P4, P5, each in raster order."""

    corner_A2: Tensor
    """x and y of each, in cells of its map."""
    stride_A: Tensor
    """Pixels of each."""

    @property
    def centre_A2(self) -> Tensor:
        """x and y in pixels."""
        return (self.corner_A2 + 0.5) * self.stride_A[:, None]


@dataclass(frozen=True)
class Assignment:
    """What the F anchors of a canvas that learn a box are to learn."""

    anchor_F: Tensor
    box_F: Tensor
    """Which box of the canvas."""
    iou_F: Tensor
    """How well the anchor's own box fits it now."""


@torch.no_grad()
def assign(
    anchors: Anchors,
    boxes_A4: Tensor,
    objects_A: Tensor,
    classes_AK: Tensor,
    true_n4: Tensor,
    label_n: Tensor,
) -> Assignment:
    """The anchors that learn each of `true_n4`, by the least cost of class and overlap.

    Boxes are (centre x, centre y, width, height) in pixels, `objects_A` and `classes_AK` logits.
    A box is learnt by as many anchors as its ten best overlaps sum up to, at least one; an anchor
    wanted by several learns the one that costs it least. Without boxes nothing is assigned.
    """
    near_nA = _near(anchors, true_n4)
    candidate_a = near_nA.any(0).nonzero()[:, 0]
    if not len(candidate_a):
        nothing = candidate_a.new_zeros(0)
        return Assignment(nothing, nothing, boxes_A4.new_zeros(0))
    overlap_na = box_iou(_corners(true_n4), _corners(boxes_A4[candidate_a]))
    cost_na = (
        _class_cost(objects_A[candidate_a], classes_AK[candidate_a], label_n)
        + IOU_WEIGHT * -(overlap_na + 1e-8).log()
        + OUTSIDE * ~near_nA[:, candidate_a]
    )
    chosen_na = _cheapest(cost_na, overlap_na)
    # Wanted by several: the cheapest of all boxes for it, as the paper has it.
    shared_a = chosen_na.sum(0) > 1
    if shared_a.any():
        best_a = cost_na.argmin(0)
        chosen_na[:, shared_a] = F.one_hot(best_a[shared_a], len(true_n4)).T.bool()
    place = chosen_na.any(0).nonzero()[:, 0]
    box_F = chosen_na[:, place].int().argmax(0)
    return Assignment(candidate_a[place], box_F, overlap_na[box_F, place])


def _near(anchors: Anchors, true_n4: Tensor) -> Tensor:
    """(n, A): whether an anchor's centre lies within `RADIUS` of its own cells of a box's."""
    away_nA2 = (anchors.centre_A2[None] - true_n4[:, None, :2]).abs()
    return away_nA2.amax(-1) < RADIUS * anchors.stride_A


def _class_cost(objects_a: Tensor, classes_aK: Tensor, label_n: Tensor) -> Tensor:
    """(n, a): binary cross-entropy of all classes, at the root of object times class.

    log(1 - p) of every class is summed once for all boxes; a box changes one of its terms.
    """
    share_aK = (objects_a.float().sigmoid()[:, None] * classes_aK.float().sigmoid()).sqrt()
    # Bounded as PyTorch bounds its own cross-entropy: at 0 and 1 it is -100, not without end.
    there_aK = share_aK.log().clamp_min(-100)
    not_there_aK = (1 - share_aK).log().clamp_min(-100)
    change_aK = not_there_aK - there_aK
    return (change_aK[:, label_n] - not_there_aK.sum(1, keepdim=True)).T


def _cheapest(cost_na: Tensor, overlap_na: Tensor) -> Tensor:
    """(n, a) bool: of each box its k cheapest, where k is the sum of its best overlaps."""
    most = min(CANDIDATES, cost_na.shape[1])
    count_n = overlap_na.topk(most, 1).values.sum(1).int().clamp_min(1)
    # Sorted once for all boxes: no box has more than the ten that its overlaps sum up to.
    place_nk = cost_na.topk(most, 1, largest=False).indices
    wanted_nk = torch.arange(most, device=cost_na.device) < count_n[:, None]
    return torch.zeros_like(cost_na, dtype=torch.bool).scatter_(1, place_nk, wanted_nk)


def _corners(boxes_N4: Tensor) -> Tensor:
    centre, half = boxes_N4[:, :2], boxes_N4[:, 2:] / 2
    return torch.cat((centre - half, centre + half), 1)
