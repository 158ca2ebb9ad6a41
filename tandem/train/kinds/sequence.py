"""One clip, one class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tandem.data.content import Item
from tandem.spec.run import RunSpec
from tandem.train.cache import open_source
from tandem.train.cache.request import SourceRequest, SourceSetup
from tandem.train.data.annotated import labelled_test, read_content
from tandem.train.data.classification import check_some, warn_of_duplicates, with_test
from tandem.train.data.clips import ClipSource, ClipTable, clip_table, teacher_frames
from tandem.train.kinds.one_class import OneClassKind
from tandem.train.registry import register
from tandem.train.types import ImageTable, ProgressReporter, RowIndices, Splits, Teacher


@register.kind(
    "sequence",
    precedence=30,
    title=("One class for a clip", "每段视频一个类别"),
    zh="一个片段，一个类别；学生只看其中若干帧。",
)
class SequenceKind(OneClassKind):
    """One clip, one class; the student sees some of its frames."""

    mixes = False
    crops_images = False

    def read(self, spec: RunSpec, index_root: Path | None, progress: ProgressReporter) -> Splits:
        """Folders of frames, and videos, whose frames are written below the cache first."""
        content, held = read_content(spec.data, kind=self.name, progress=progress)
        base = spec.cache.root or Path(spec.run.output_dir) / "cache"

        def table(items: list[Item]) -> ClipTable:
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
        kept = labelled_test(content)
        test = None if kept is None else table([one for one in kept if one.label >= 0])
        splits = with_test(Splits(train, val, self.name, content.notes), test)
        warn_of_duplicates(splits, progress)
        return splits

    def teacher_table(self, table: ImageTable, teacher: Teacher) -> ImageTable:  # noqa: ARG002
        """Frames, each with its clip's class: what adapters learn from."""
        assert isinstance(table, ClipTable)
        assert table.frames is not None
        rows = [np.arange(at, at + n) for at, n in zip(table.starts_N, table.counts_N, strict=True)]
        labels_N = np.repeat(table.labels_N, table.counts_N)
        return replace(table.frames.rows(np.concatenate(rows)), labels_N=labels_N)

    def teacher_groups(self, table: ImageTable) -> RowIndices:
        """The clip of each frame."""
        assert isinstance(table, ClipTable)
        return np.repeat(np.arange(len(table)), table.counts_N)

    def looks(self, teacher: Teacher, request: SourceRequest, spec: RunSpec) -> SourceRequest:  # noqa: ARG002
        """Frames in their clips' views: all of a clip's, or `teacher.frames` of them."""
        assert isinstance(request.table, ClipTable)
        assert spec.teacher is not None
        frames, views, _ = teacher_frames(request.table, request.views, spec.teacher.frames)
        # A clip's tokens are its frames' pooled features: dense ones would be kept for nothing.
        pooled = replace(request.wanted, tokens=False, layers=())
        return SourceRequest(frames, views, request.view_count, pooled)

    def open_source(
        self, teacher: Teacher, request: SourceRequest, setup: SourceSetup, spec: RunSpec
    ) -> ClipSource:
        """From the pooled features of frames."""
        assert isinstance(request.table, ClipTable)
        assert spec.teacher is not None
        _, _, kept = teacher_frames(request.table, request.views, spec.teacher.frames)
        frames = open_source(teacher, self.looks(teacher, request, spec), setup)
        return ClipSource(frames, request.table, kept)
