"""A trained detector as a teacher of other kinds of students: by its features alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tandem.spec.run import TeacherSpec
from tandem.train.detection.boxes import STRIDE, whole_strides
from tandem.train.detection.student import DetectorStudent
from tandem.train.detection.teacher.detector import fingerprint, open_detector
from tandem.train.types import Signals


class DetectorFeatures:
    """Tokens are the neck's coarsest map; pooled is their mean."""

    gives = frozenset({"pooled", "tokens"})
    layer_count = 0
    layers: tuple[int, ...] = ()

    def __init__(self, spec: TeacherSpec, device: torch.device) -> None:
        self.spec, self.device = spec, device
        self.detector: DetectorStudent | None
        self.detector, _ = open_detector(spec, device)
        self.image_size = whole_strides(spec.image_size or self.detector.image_size)
        self.grid, self.width = self.image_size // STRIDE, self.detector.tokens_width
        self.parameters = sum(one.numel() for one in self.detector.parameters())
        self._weights = fingerprint(spec)

    @property
    def fingerprint(self) -> str:
        """Changes with the weights and the size that it sees."""
        return f"{self._weights[:48]}{self.image_size:04d}"

    @property
    def logits_key(self) -> str | None:
        """None: its class scores are of boxes, not of pictures."""
        return None

    def know(self, classes: Sequence[str]) -> bool:  # noqa: ARG002
        """False: it is asked about whole pictures for its features alone."""
        return False

    def signals(self, images_BCHW: Tensor) -> Signals:
        """Float images of 0 to 1; no gradient flows back."""
        if self.detector is None:
            self.detector, _ = open_detector(self.spec, self.device)
        size = (self.image_size, self.image_size)
        with torch.no_grad():
            shown = images_BCHW.to(self.device)
            if shown.shape[-2:] != size:
                shown = F.interpolate(shown, size, mode="bilinear", antialias=True)
            said = self.detector(shown)
        return Signals(pooled_BD=said.pooled_BD.float(), tokens_BHWD=said.tokens_BHWD.float())

    def unload(self) -> None:
        """Free the weights; the next `signals` loads them again."""
        self.detector = None
