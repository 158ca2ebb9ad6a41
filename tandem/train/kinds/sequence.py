"""One clip, one class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tandem.spec.run import RunSpec
from tandem.train.data.annotated import read_content
from tandem.train.data.augment import Views
from tandem.train.data.classification import check_some, warn_of_duplicates
from tandem.train.data.clips import ClipSource, ClipTable, clip_table, teacher_frames
from tandem.train.kinds.base import Asking, Shown
from tandem.train.kinds.classification import Classification
from tandem.train.types import ImageTable, ProgressReporter, Splits


class Sequences(Classification):
    """Frames of a folder or a video; the teacher sees them all, the student some."""

    name = "sequence"
    mixes = False

    def read(self, spec: RunSpec, index_root: Path | None, progress: ProgressReporter) -> Splits:
        content, held = read_content(
            spec.data, kind=self.name, seed=spec.run.seed, progress=progress
        )
        base = spec.cache.root or Path(spec.run.output_dir) / "cache"

        def table(items: Any) -> ClipTable:
            return clip_table(
                content,
                items,
                frames_root=base / "frames",
                shown_frames=spec.student.frames,
                max_pixels=spec.data.max_image_pixels,
                index_root=index_root,
                progress=progress,
            )

        train, val = table(content.train), table([one for one in held if one.label >= 0])
        check_some(content.root, train, val)
        warn_of_duplicates(train, val, progress)
        return Splits(train, val, self.name, content.notes)

    def views(self, table: ImageTable, spec: RunSpec) -> Views:
        return Views.draw(table, spec.views)

    def for_teacher(self, table: ImageTable, teacher: Any) -> ImageTable:  # noqa: ARG002
        """Frames, each with its clip's class: what adapters learn from."""
        assert isinstance(table, ClipTable)
        assert table.frames is not None
        rows = [np.arange(at, at + n) for at, n in zip(table.starts_N, table.counts_N, strict=True)]
        labels_N = np.repeat(table.labels_N, table.counts_N)
        return replace(table.frames.rows(np.concatenate(rows)), labels_N=labels_N)

    def source(self, shown: Shown, asking: Asking) -> ClipSource:
        table = shown.table
        assert isinstance(table, ClipTable)
        assert asking.spec.teacher is not None
        frames, views, kept = teacher_frames(table, shown.views, asking.spec.teacher.frames)
        lean = replace(asking.wants, tokens=False, layers=())
        source = asking.open(frames, views, shown.views_wanted, lean)
        return ClipSource(source, table, kept)
