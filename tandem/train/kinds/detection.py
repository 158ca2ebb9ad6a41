"""Boxes, each with its class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tandem.spec.errors import DataError
from tandem.spec.run import RunSpec
from tandem.train.data.annotated import labelled_test, read_content
from tandem.train.data.boxes import DetectionSplits, check_boxes, read_table
from tandem.train.data.classification import with_test
from tandem.train.kinds.defaults import KindDefaults
from tandem.train.registry import register
from tandem.train.types import ProgressReporter


@register.kind(
    "detection",
    precedence=20,
    title=("Boxes", "检测框"),
    zh="找出物体，每个物体一个边框和一个类别。",
)
class DetectionKind(KindDefaults):
    """Objects: each one's box and class."""

    primary_metric_name = "map50"
    adapts_teacher = False
    distorts = False

    def teacher_image_size(self, spec: RunSpec) -> int:
        """The student's: what is small in it must not be smaller to its teacher."""
        return spec.data.image_size

    def read(
        self, spec: RunSpec, index_root: Path | None, progress: ProgressReporter
    ) -> DetectionSplits:
        """Both splits. Without a teacher, images that nobody looked at are left out."""
        content, held = read_content(spec.data, kind=self.name, progress=progress)
        if content.kind != self.name:
            raise DataError(
                "The data set {dataset} is for {found}, not for {asked}.",
                dataset=spec.data.dataset,
                found=content.kind,
                asked=self.name,
                fix="Leave the task type out, or name another data set.",
            )
        direct = spec.mode == "direct"
        learnt = [item for item in content.train if item.shapes is not None or not direct]
        seen = [item for item in held if item.shapes is not None]
        most = spec.data.max_image_pixels
        train = read_table(content, learnt, most, index_root, progress)
        val = read_table(content, seen, most, index_root, progress)
        if direct or spec.loss.hard_label_weight > 0:
            check_boxes(train, "train")
        check_boxes(val, "val")
        splits = DetectionSplits(
            train.table(),
            val.table(),
            self.name,
            content.notes,
            train_boxes=train,
            val_boxes=val,
        )
        kept = labelled_test(content)
        if kept is None:
            return splits
        test = read_table(content, kept, most, index_root, progress)
        return with_test(replace(splits, test_boxes=test), test.table())
