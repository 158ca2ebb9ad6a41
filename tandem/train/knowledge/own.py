"""Class logits that the teacher gives by itself: by label scoring, or from an adapted head."""

from __future__ import annotations

from torch import Tensor

from tandem.spec.errors import TeacherError
from tandem.train.types import Reprojection, RowIndices, Signals


class OwnLogits:
    """`signals.logits_BK`, divided by the temperature."""

    def __init__(self, name: str, temperature: float = 1.0) -> None:
        self.name, self.temperature = name, temperature

    def logits(self, signals: Signals, fold_B: RowIndices | None) -> Tensor:  # noqa: ARG002
        """(B, K); the folds do not matter, as nothing was fitted on these samples."""
        if signals.logits_BK is None:
            raise TeacherError(
                "The teacher gives no class logits of its own.",
                fix="Use teacher.knowledge probe, or label_scoring with a Qwen-VL.",
            )
        return signals.logits_BK / self.temperature

    def class_map(self, signals: Signals, reduction: Reprojection | None) -> Tensor | None:  # noqa: ARG002
        """None: the words of a language model are about the whole picture."""
        return None
