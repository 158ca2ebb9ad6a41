"""What every detector is as a student: the neck's maps, boxes of every anchor or query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from tandem.spec.i18n import t
from tandem.train.detection.boxes import STRIDE, whole_strides
from tandem.train.students._timm import to_raster
from tandem.train.types import StepOutput, Student

STRIDES = (8, 16, 32)
"""Pixels of a cell of each of the neck's maps, P3 to P5."""


@dataclass(frozen=True)
class BoxTargets:
    """The true boxes of a batch, in pixels of its canvases."""

    boxes_N4: Tensor
    """Centre x, centre y, width, height."""
    labels_N: Tensor
    """int64: the class of each."""
    canvas_N: Tensor
    """int64: the canvas that each is on."""

    def of(self, canvas: int) -> tuple[Tensor, Tensor]:
        """The boxes (n, 4) and classes (n,) of one canvas."""
        mine_N = self.canvas_N == canvas
        return self.boxes_N4[mine_N], self.labels_N[mine_N]

    def canvases(self, kept_B: Tensor) -> BoxTargets:
        """The boxes of these canvases only, which are counted anew."""
        kept_N, number_B = kept_B[self.canvas_N], kept_B.cumsum(0) - 1
        numbers_N = number_B[self.canvas_N[kept_N]]
        return BoxTargets(self.boxes_N4[kept_N], self.labels_N[kept_N], numbers_N)


class DetectorStudent(Student):
    """A network with a neck of three maps (D-FINE n: two). It normalises nothing: pictures of 0 to
    1 go in as they are."""

    mean: Sequence[float] = (0.0, 0.0, 0.0)
    std: Sequence[float] = (1.0, 1.0, 1.0)

    strides: tuple[int, ...] = STRIDES
    """Pixels of a cell of each of its maps."""
    answers_by_cell = True
    """Whether each of its boxes is of a cell of its maps, in their order."""
    traceable = True
    """Whether it can be traced for any batch, as ONNX needs."""
    box_bins = 0
    """Bins of the distribution that its head gives over a box's side; 0: it gives none."""

    def with_bins(self, images_BCHW: Tensor) -> tuple[StepOutput, Tensor | None]:
        """In evaluation mode its taps, and (B, 4 * `box_bins`, A) the logits of these bins."""
        return self.forward(images_BCHW), None

    def place(self, num_classes: int, image_size: int, widths: Sequence[int]) -> None:
        """Set what follows from the neck's `widths`; a side that is no whole stride is noted."""
        self.num_classes, self.image_size = num_classes, whole_strides(image_size)
        self.layer_widths = tuple(widths)
        self.pooled_width = self.tokens_width = self.layer_widths[-1]
        self.tokens_grid = self.image_size // STRIDE
        self.notes: tuple[str, ...] = ()
        if self.image_size != image_size:
            self.notes = (
                t("A detector sees whole strides of 32 pixels: {size}.", size=self.image_size),
            )

    def output(
        self,
        maps_BCHW: Sequence[Tensor],
        scores_BK: Tensor,
        boxes_BCA: Tensor | None,
        layers: Sequence[int],
    ) -> StepOutput:
        """Its taps: the neck's maps. `layers` counts them; none named: all three."""
        maps = [to_raster(one) for one in maps_BCHW]
        return StepOutput(
            logits_BK=scores_BK,
            pooled_BD=maps[-1].mean((1, 2)),
            tokens_BHWD=maps[-1],
            layers_BHWD=tuple(maps[one] for one in (layers or range(len(maps)))),
            boxes_BCA=boxes_BCA,
        )

    def detections(self, images_BCHW: Tensor) -> Tensor:
        """`boxes_BCA` only, in evaluation mode: what is exported."""
        boxes_BCA = self.forward(images_BCHW).boxes_BCA
        assert boxes_BCA is not None, "in evaluation mode"
        return boxes_BCA


@dataclass(frozen=True)
class Heads:
    """What a detector of our own loop says of a batch, as its loss and the teacher's terms read
    it."""

    maps_BCHW: tuple[Tensor, ...]
    """The neck's maps."""
    classes_BAK: Tensor
    """Logits of the classes, that tell one from another: what a class map is compared with."""
    scores_BAK: Tensor
    """Logits of each class being there: what another detector's scores are compared with."""
    own: object
    """What the detector's own loss reads."""


class LearningDetector(DetectorStudent):
    """A detector that learns in our own loop (`detection.engine`)."""

    parts: tuple[str, ...]
    """The names of its loss's parts."""
    weighs_classes = True
    """Whether its loss takes `class_weight_K`."""
    class_weight_K: Tensor | None = None
    """What each class weighs in the loss; None: all alike."""

    def forward(self, images_BCHW: Tensor, layers: Sequence[int] = ()) -> StepOutput:
        """Sides in whole strides of 32. `layers` counts the neck's maps; none named: all three."""
        self.check_layers(layers)
        return self.answer(self.heads(images_BCHW), layers)

    def answer(self, heads: Heads, layers: Sequence[int] = ()) -> StepOutput:
        """What it says as every student says it; its boxes in evaluation mode only."""
        boxes_BCA = None if self.training else self.decoded(heads)
        return self.output(heads.maps_BCHW, heads.scores_BAK.amax(1), boxes_BCA, layers)

    def heads(self, images_BCHW: Tensor, targets: BoxTargets | None = None) -> Heads:
        """What it says of a batch, in training or evaluation mode alike.

        `targets` are given in training, for detectors that learn to find them again from noise.
        """
        raise NotImplementedError

    def decoded(self, heads: Heads) -> Tensor:
        """`StepOutput.boxes_BCA`."""
        raise NotImplementedError

    def label_loss(
        self, heads: Heads, targets: BoxTargets, labelled_B: Tensor, *, last: bool
    ) -> dict[str, Tensor]:
        """The parts of the loss by the names in `parts`: float32 scalars.

        `labelled_B`: the canvases that somebody has looked at; the others are no background and
        are left out. `last`: the last epochs, without mosaics, in which boxes are made exact.
        """
        raise NotImplementedError
