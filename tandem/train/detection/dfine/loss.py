"""D-FINE's loss on the labels, Transformers' own, by the parts that a run weighs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict

import torch
from torch import Tensor

from tandem.train.detection.student import BoxTargets

if TYPE_CHECKING:
    from transformers import DFineConfig

PARTS = ("box", "cls", "l1", "dfl", "ddf")
"""Generalised IoU, varifocal, distance (weight 5), the distribution over a box's sides (FGL), and
what each decoder layer learns of the last (DDF, weight 1.5). Each is summed over the encoder's
boxes, the decoder's layers and the denoised queries."""
_NAMES = {"giou": "box", "vfl": "cls", "bbox": "l1", "fgl": "dfl", "ddf": "ddf"}


class CanvasLabels(TypedDict):
    """The true boxes of one canvas as Transformers' detectors read them."""

    class_labels: Tensor
    """int64 (n,)."""
    boxes: Tensor
    """(n, 4): centre x, centre y, width, height, as shares of the canvas."""


@dataclass(frozen=True)
class QueryHeads:
    """What the encoder and the decoder say of a batch. Q queries, L of the decoder's layers."""

    size: tuple[int, int]
    """Rows and columns of the canvases, in pixels."""
    classes_BLQK: Tensor
    boxes_BLQ4: Tensor
    """Centre x, centre y, width, height, as shares of the canvas."""
    corners_BLQC: Tensor
    """The logits over the bins of each side."""
    references_BLQ4: Tensor
    encoder_classes_BQK: Tensor
    encoder_boxes_BQ4: Tensor
    denoising: dict[str, Any] | None
    """Which queries are noised true boxes; None where there are none."""

    def canvases(self, kept_B: Tensor) -> QueryHeads:
        """What it says of these canvases only."""
        denoising = self.denoising
        if denoising is not None:
            places = zip(denoising["dn_positive_idx"], kept_B.tolist(), strict=True)
            denoising = denoising | {"dn_positive_idx": tuple(p for p, kept in places if kept)}
        names = (
            "classes_BLQK", "boxes_BLQ4", "corners_BLQC", "references_BLQ4",
            "encoder_classes_BQK", "encoder_boxes_BQ4",
        )  # fmt: skip
        kept = {name: getattr(self, name)[kept_B] for name in names}
        return replace(self, denoising=denoising, **kept)


def labels_of(targets: BoxTargets, count: int, size: tuple[int, int]) -> list[CanvasLabels]:
    """The boxes of each of `count` canvases of `size` (rows, columns) pixels."""
    sides = targets.boxes_N4.new_tensor([size[1], size[0]] * 2)
    found: list[CanvasLabels] = []
    for canvas in range(count):
        boxes_n4, labels_n = targets.of(canvas)
        found.append({"class_labels": labels_n, "boxes": boxes_n4.float() / sides})
    return found


def box_loss(
    heads: QueryHeads, labels: list[CanvasLabels], config: DFineConfig
) -> dict[str, Tensor]:
    """The parts by name: float32 scalars. They are NaN where what the network says is not finite.

    Outside training there are the last layer's and the encoder's terms only.
    """
    from transformers.loss.loss_d_fine import DFineForObjectDetectionLoss

    said = (heads.classes_BLQK, heads.boxes_BLQ4, heads.corners_BLQC, heads.encoder_boxes_BQ4)
    parts = dict.fromkeys(PARTS, torch.stack([one.sum() for one in said]).sum() * 0)
    # Transformers' boxes of no numbers are a bare ValueError; the step says it in its own words.
    if not parts["box"].isfinite():
        return parts
    _, terms, _ = DFineForObjectDetectionLoss(
        heads.classes_BLQK[:, -1],
        labels,
        heads.boxes_BLQ4.device,
        heads.boxes_BLQ4[:, -1],
        config,
        heads.classes_BLQK,
        heads.boxes_BLQ4,
        enc_topk_logits=heads.encoder_classes_BQK,
        enc_topk_bboxes=heads.encoder_boxes_BQ4,
        denoising_meta_values=heads.denoising,
        predicted_corners=heads.corners_BLQC,
        initial_reference_points=heads.references_BLQ4,
    )
    for name, value in terms.items():
        # loss_giou, loss_giou_aux_1, loss_giou_dn_0
        part = _NAMES[name.split("_")[1]]
        parts[part] = parts[part] + value
    return parts
