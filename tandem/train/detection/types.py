"""What passes between the parts of a detection run.

Shape letters beside those of `tandem.train.types`:
    A  anchors of the head       M  cells of one map that the teacher has seen
    S  sources of a canvas       U  images of a batch's sources, each once
    n  boxes of one image        N  boxes of a whole batch, or images of a split

Nothing here imports Ultralytics, so that the warp and the service's tests do without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tandem.train.engines.base import PreparedTeacher
from tandem.train.types import Options

Matrix33 = NDArray[np.float64]
"""(3, 3): an affine map of the plane in homogeneous coordinates."""


@dataclass(frozen=True)
class CanvasSource:
    """One image on a canvas, which a mosaic shares among four."""

    row: int
    """Its row of the split."""
    matrix: Matrix33
    """From (u, v, 1) of the image to canvas pixels."""
    seen: tuple[float, float, float, float]
    """The part of it that was pasted: least u, least v, most u, most v."""


class DetectionSample(TypedDict, total=False):
    """One image of Ultralytics' dataset as its transforms hand it on; some keys come on the way."""

    im_file: str
    """Here the row's number, not a path."""
    shape: tuple[int, int]
    cls: NDArray[np.float32]
    bboxes: NDArray[np.float32] | NDArray[np.float64]
    segments: list[NDArray[np.float32]]
    keypoints: None
    normalized: bool
    bbox_format: str
    img: NDArray[np.uint8]
    sources: list[CanvasSource]
    labelled: bool


class BoxLabels(TypedDict):
    """The true boxes of a batch: all that Ultralytics' loss reads of it."""

    cls: Tensor
    """(N, 1): the class of each box."""
    bboxes: NotRequired[Tensor]
    """(N, 4): centre x, centre y, width, height, as shares of the canvas."""
    batch_idx: NotRequired[Tensor]
    """(N,): the canvas that each box is on."""


class DetectionBatch(BoxLabels):
    """A batch as Ultralytics' loop hands it on, with what Tandem adds; its other keys pass by."""

    img: Tensor
    """(B, 3, H, W): uint8 from the loader, 0 to 1 once preprocessed."""
    sources: NotRequired[list[list[CanvasSource]]]
    """Where each canvas's images lie on it."""
    labelled: NotRequired[list[bool]]
    """Whether somebody has looked at each canvas's images; if not, it has no loss on labels."""
    targets: NotRequired[TeacherTargets]
    """What the teacher says of it; absent in a run without one."""
    replayed: NotRequired[bool]
    """There where the batch was learnt before a resume: it is counted and not learnt again."""
    items: NotRequired[dict[str, Tensor]]
    """A replayed batch's loss parts: what their means had come to."""


class HeadOutput(TypedDict):
    """What Ultralytics' Detect head gives in training, and beside its boxes in evaluation."""

    boxes: Tensor
    """(B, 4 * bins, A): for each side, the distribution over its distance to the anchor."""
    scores: Tensor
    """(B, K, A): class logits."""
    feats: list[Tensor]
    """The neck's maps (B, C, H, W): P3, P4, P5."""


@dataclass(frozen=True)
class DetectionLossWeights:
    """What a step's loss is the sum of."""

    hard: float = 1.0
    feature: float = 0.0
    feature_loss: str = "feature_mse"
    feature_options: Options = field(default_factory=Options)
    soft: float = 0.0
    temperature: float = 1.0
    boxes: float = 0.0
    """The weight of the distributions over box sides: `soft` where both heads give them."""


@dataclass(frozen=True)
class TeacherTargets:
    """What the teacher says of a batch, at the places of the neck's cells: P3, P4, P5."""

    tokens_MD: tuple[Tensor, ...] = ()
    """The teacher's tokens at the covered cells of each map."""
    covered_BHW: tuple[Tensor, ...] = ()
    """bool: whether the teacher has seen what lies there. A map finer than this is pooled."""
    classes_BAK: Tensor | None = None
    """0 to 1, for every anchor in the head's order."""
    classes_of: str = "class"
    """`class`: the shares of the classes, and what lacks to 1 is background or not covered;
    `score`: how sure a detector is of each."""
    foreground_M: tuple[Tensor, ...] = ()
    """How surely each covered cell of each map holds something, 0 to 1; empty: all count alike."""
    bins_BCA: Tensor | None = None
    """(B, 4 * bins, A): logits of a detector's distributions over its box's sides."""


@dataclass(frozen=True, kw_only=True)
class DetectionTeacher(PreparedTeacher):
    """A teacher, ready to say of each batch what a detector learns from it."""

    weights: DetectionLossWeights
    projections: tuple[tuple[int, int], ...]
    """For each of the neck's maps: its width, and that of what it is compared with."""
    targets: Callable[[DetectionBatch], TeacherTargets]
