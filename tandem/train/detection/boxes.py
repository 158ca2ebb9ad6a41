"""Pictures onto a canvas, and raw detections to the boxes that are left; torch alone.

Boxes are (left, top, right, bottom) in pixels, continuous: a picture w pixels wide spans 0 to w.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import batched_nms

GREY = 114
"""The margins around an image, as YOLOv8 is trained with."""
STRIDE = 32
MOST_CANDIDATES = 30_000
MOST_BOXES = 300
NMS_IOU = 0.7
LEAST_SCORE = 0.001
"""Where average precision is measured: every box that could count."""


@dataclass(frozen=True)
class Letterbox:
    """Where a picture lies on its canvas."""

    scale_x: float
    scale_y: float
    left: int
    top: int
    height: int
    width: int
    """Pixels of the image before it was placed, as `height` is."""


def letterbox(image_CHW: Tensor, height: int, width: int) -> tuple[Tensor, Letterbox]:
    """The whole picture in the middle of a grey canvas, its sides in proportion.

    uint8 stays uint8; floats are taken as 0 to 1.
    """
    placed, new_height, new_width = _in_the_middle(
        image_CHW.shape[-2], image_CHW.shape[-1], height, width
    )
    inner_CHW = image_CHW
    if (new_height, new_width) != (placed.height, placed.width):
        inner_CHW = F.interpolate(image_CHW[None], size=(new_height, new_width), mode="bilinear")[0]
    top, left = placed.top, placed.left
    grey = GREY if image_CHW.dtype == torch.uint8 else GREY / 255
    if image_CHW.stride(0) == 1:  # colours last in memory, as decoders give them: so the canvas too
        canvas_HWC = image_CHW.new_full((height, width, image_CHW.shape[0]), grey)
        canvas_CHW = canvas_HWC.permute(2, 0, 1)
    else:
        canvas_CHW = image_CHW.new_full((image_CHW.shape[0], height, width), grey)
    canvas_CHW[:, top : top + new_height, left : left + new_width] = inner_CHW
    return canvas_CHW, placed


def letterbox_of(own_height: int, own_width: int, height: int, width: int) -> Letterbox:
    """Where a picture of that size lies on a canvas, without the picture."""
    return _in_the_middle(own_height, own_width, height, width)[0]


def _in_the_middle(
    own_height: int, own_width: int, height: int, width: int
) -> tuple[Letterbox, int, int]:
    """The place of a picture on its canvas, and its height and width there."""
    # In proportion, as in training: a squeezed image shows objects of shapes never learnt.
    scale = min(height / own_height, width / own_width)
    new_height = min(max(round(own_height * scale), 1), height)
    new_width = min(max(round(own_width * scale), 1), width)
    top, left = (height - new_height) // 2, (width - new_width) // 2
    # The scales after rounding, not the one wanted: boxes must come back to the pixel.
    placed = Letterbox(
        new_width / own_width, new_height / own_height, left, top, own_height, own_width
    )
    return placed, new_height, new_width


def whole_strides(image_size: int) -> int:
    """The next size that the network's three scales divide."""
    return -(-image_size // STRIDE) * STRIDE


def unletterbox(found_N6: Tensor, placed: Letterbox) -> Tensor:
    """Boxes on the canvas as boxes of the picture, cut at its edges."""
    found_N6 = found_N6.clone()
    found_N6[:, 0:4:2] = ((found_N6[:, 0:4:2] - placed.left) / placed.scale_x).clamp(
        0, placed.width
    )
    found_N6[:, 1:4:2] = ((found_N6[:, 1:4:2] - placed.top) / placed.scale_y).clamp(
        0, placed.height
    )
    return found_N6


def suppress(
    boxes_BCA: Tensor,
    confidence: float | Sequence[float] = LEAST_SCORE,
    iou: float = NMS_IOU,
    *,
    most: int = MOST_BOXES,
) -> list[Tensor]:
    """For each image (n, 6): left, top, right, bottom, score, class; best first.

    `boxes_BCA` is `StepOutput.boxes_BCA`. A box counts for every class whose score is above
    `confidence` (one value, or one for each class); of boxes of one class that overlap by more
    than `iou` the best stays.
    """
    classes = boxes_BCA.shape[1] - 4
    least = torch.as_tensor(confidence, dtype=boxes_BCA.dtype, device=boxes_BCA.device)
    least_1K = least.expand(classes)[None]
    return [_suppressed(one_CA, least_1K, iou, most) for one_CA in boxes_BCA]


def _suppressed(one_CA: Tensor, least_1K: Tensor, iou: float, most: int) -> Tensor:
    scores_AK = one_CA[4:].T
    anchors, labels = (scores_AK > least_1K).nonzero(as_tuple=True)
    scores = scores_AK[anchors, labels]
    # At LEAST_SCORE nearly every anchor of every class may count; suppression is quadratic.
    if len(scores) > MOST_CANDIDATES:
        scores, best = scores.topk(MOST_CANDIDATES)
        anchors, labels = anchors[best], labels[best]
    centre, half = one_CA[:2, anchors].T, one_CA[2:4, anchors].T / 2
    corners_N4 = torch.cat((centre - half, centre + half), 1)
    # By class: an object of another class may well lie within this one. In float32, for fp16
    # rounds places beyond 2048 pixels to whole ones.
    kept = batched_nms(corners_N4.float(), scores.float(), labels, iou)[:most]
    return torch.cat(
        (corners_N4[kept], scores[kept, None], labels[kept, None].to(corners_N4.dtype)), 1
    )
