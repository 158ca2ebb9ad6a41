"""YOLOX's loss on boxes: overlap, object, class, and the distance in the last epochs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tandem.train.detection.student import STRIDES, BoxTargets
from tandem.train.detection.yolox.assign import Anchors, assign
from tandem.train.detection.yolox.network import RawHeads

PARTS = ("box", "obj", "cls", "l1")


def anchors_of(maps_BCHW: tuple[Tensor, ...]) -> Anchors:
    """The cells of the neck's three maps."""
    corners, strides = [], []
    for map_BCHW, stride in zip(maps_BCHW, STRIDES, strict=True):
        rows, columns = map_BCHW.shape[-2:]
        y_HW, x_HW = torch.meshgrid(
            torch.arange(rows, device=map_BCHW.device, dtype=torch.float32),
            torch.arange(columns, device=map_BCHW.device, dtype=torch.float32),
            indexing="ij",
        )
        corner_2 = torch.stack((x_HW, y_HW), -1).flatten(0, 1)
        corners.append(corner_2)
        strides.append(corner_2.new_full((len(corner_2),), stride))
    return Anchors(torch.cat(corners), torch.cat(strides))


def decoded(boxes_BA4: Tensor, anchors: Anchors) -> Tensor:
    """Centre x, centre y, width, height in pixels of the canvas."""
    stride_A1 = anchors.stride_A[:, None]
    centre = (boxes_BA4[..., :2] + anchors.corner_A2) * stride_A1
    return torch.cat((centre, boxes_BA4[..., 2:].exp() * stride_A1), -1)


def box_loss(
    heads: RawHeads, targets: BoxTargets, *, last: bool, class_weight_K: Tensor | None = None
) -> dict[str, Tensor]:
    """Its parts, each summed over the batch and divided by how many anchors learn a box.

    box: 1 - IoU²; obj: cross-entropy over every anchor; cls: over those that learn a box,
    whose target is the box's overlap in its class; l1: of the undecoded boxes, where `last`.
    """
    anchors = anchors_of(heads.maps_BCHW)
    # In float32: exp and log of a half-precision box are off by whole pixels.
    boxes_BA4 = decoded(heads.boxes_BA4.float(), anchors)
    objects_BA, classes_BAK = heads.objects_BA.float(), heads.classes_BAK.float()
    index_F, true_F4, label_F, overlap_F = _assigned(
        anchors, boxes_BA4, objects_BA, classes_BAK, targets
    )
    count = max(len(index_F), 1)
    goal_BA = torch.zeros_like(objects_BA).flatten().index_fill(0, index_F, 1.0)
    own_F4 = boxes_BA4.flatten(0, 1)[index_F]
    goal_FK = F.one_hot(label_F, classes_BAK.shape[-1]) * overlap_F[:, None]
    parts = {
        "box": (1 - overlap(own_F4, true_F4) ** 2).sum(),
        "obj": F.binary_cross_entropy_with_logits(objects_BA.flatten(), goal_BA, reduction="sum"),
        "cls": F.binary_cross_entropy_with_logits(
            classes_BAK.flatten(0, 1)[index_F], goal_FK, class_weight_K, reduction="sum"
        ),
    }
    if last:
        raw_F4 = heads.boxes_BA4.float().flatten(0, 1)[index_F]
        parts["l1"] = (raw_F4 - _undecoded(true_F4, anchors, index_F)).abs().sum()
    else:
        parts["l1"] = objects_BA.new_zeros(())
    return {name: value / count for name, value in parts.items()}


def overlap(one_F4: Tensor, other_F4: Tensor) -> Tensor:
    """IoU of each pair of (centre x, centre y, width, height)."""
    low = torch.maximum(one_F4[:, :2] - one_F4[:, 2:] / 2, other_F4[:, :2] - other_F4[:, 2:] / 2)
    high = torch.minimum(one_F4[:, :2] + one_F4[:, 2:] / 2, other_F4[:, :2] + other_F4[:, 2:] / 2)
    shared = (high - low).clamp_min(0).prod(1)
    return shared / (one_F4[:, 2:].prod(1) + other_F4[:, 2:].prod(1) - shared + 1e-16)


def _assigned(
    anchors: Anchors,
    boxes_BA4: Tensor,
    objects_BA: Tensor,
    classes_BAK: Tensor,
    targets: BoxTargets,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For each of the F anchors that learn a box: its place in the batch, box, class, overlap."""
    places, boxes, labels, overlaps = [], [], [], []
    count = boxes_BA4.shape[1]
    for canvas in range(len(boxes_BA4)):
        true_n4, label_n = targets.of(canvas)
        if not len(true_n4):
            continue
        found = assign(
            anchors, boxes_BA4[canvas], objects_BA[canvas], classes_BAK[canvas], true_n4, label_n
        )
        places.append(found.anchor_F + canvas * count)
        boxes.append(true_n4[found.box_F])
        labels.append(label_n[found.box_F])
        overlaps.append(found.iou_F)
    if not places:
        nothing = torch.zeros(0, dtype=torch.long, device=boxes_BA4.device)
        return nothing, boxes_BA4.new_zeros(0, 4), nothing, boxes_BA4.new_zeros(0)
    return torch.cat(places), torch.cat(boxes), torch.cat(labels), torch.cat(overlaps)


def _undecoded(true_F4: Tensor, anchors: Anchors, index_F: Tensor) -> Tensor:
    anchor_F = index_F % len(anchors.stride_A)
    stride_F1 = anchors.stride_A[anchor_F][:, None]
    centre = true_F4[:, :2] / stride_F1 - anchors.corner_A2[anchor_F]
    return torch.cat((centre, (true_F4[:, 2:] / stride_F1 + 1e-8).log()), 1)
