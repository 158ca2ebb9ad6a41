"""One picture, one class."""

from __future__ import annotations

from pathlib import Path

from tandem.spec.run import RunSpec
from tandem.train.data import classification as images
from tandem.train.kinds.one_class import OneClassKind
from tandem.train.registry import register
from tandem.train.types import ProgressReporter, Splits


@register.kind(
    "classification",
    precedence=10,
    title=("One class for a picture", "每张图片一个类别"),
    zh="一张图片，一个类别。",
)
class ClassificationKind(OneClassKind):
    """One picture, one class."""

    def read(self, spec: RunSpec, index_root: Path | None, progress: ProgressReporter) -> Splits:
        """Pictures in class folders, read as columns: there may be millions."""
        return images.read(spec.data, index_root=index_root, progress=progress)
