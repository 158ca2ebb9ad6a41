"""Clips as a table, and what a teacher says of their frames."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tandem.data.content import Content, Item
from tandem.data.video import evenly_spread
from tandem.train.data.augment import Views
from tandem.train.data.inspect_files import inspect
from tandem.train.data.video_frames import frames_of
from tandem.train.types import (
    ImageTable,
    ProgressReporter,
    RowIndices,
    Shows,
    Signals,
    TeacherSource,
)


@dataclass(frozen=True)
class ClipTable(ImageTable):
    """A row is a clip; `frames` holds every frame's picture as a row of its own."""

    frames: ImageTable | None = None
    starts_N: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Where a clip's frames begin in `frames`."""
    counts_N: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    shown_frames: int = 8
    """How many frames of a clip the student sees."""

    def rows(self, rows: RowIndices) -> Self:
        some = super().rows(rows)
        return replace(some, starts_N=self.starts_N[rows], counts_N=self.counts_N[rows])

    def blank(self, count: int, size: int) -> NDArray[np.generic]:
        return np.empty((count, self.shown_frames, 3, size, size), np.uint8)

    def shown(
        self, views: Shows, row: int, params_V: NDArray[np.void], size: int, max_pixels: int
    ) -> list[NDArray[np.generic]]:
        """(T, 3, size, size) of each view: all frames in the same crop, flip and colours."""
        assert self.frames is not None
        several = [
            views.show_file(self.frames.path(frame), params_V, size, max_pixels)
            for frame in self.picked(row).tolist()
        ]
        return [np.stack([one[place] for one in several]) for place in range(len(params_V))]

    def picked(self, row: int) -> NDArray[np.int64]:
        """The student's frames of one clip, as rows of `frames`."""
        start = int(self.starts_N[row])
        return start + evenly_spread(self.shown_frames, int(self.counts_N[row]))


@dataclass(frozen=True)
class ClipSource:
    """`source` gives what the teacher says of each frame; this, of clips."""

    source: TeacherSource
    table: ClipTable
    kept_frames: tuple[NDArray[np.int64], ...]
    """The frames of each clip that the teacher saw, as rows of the source's table."""

    @property
    def tokens_width(self) -> int:
        return int(self.pooled_ND().shape[1])

    layer_widths: tuple[int, ...] = ()
    reduction: None = None
    """Tokens are pooled features, which are kept whole."""

    @property
    def teacher_forwards(self) -> int:
        return self.source.teacher_forwards

    def signals(self, index_B: RowIndices, view_B: RowIndices) -> Signals:
        """pooled: the mean of all frames. tokens: (B, T, 1, D) of the student's own frames."""
        rows, owners, picks = [], [], []
        at = 0
        for place, clip in enumerate(index_B.tolist()):
            kept = self.kept_frames[clip]
            rows.append(kept)
            owners.append(np.full(len(kept), place))
            picks.append(at + evenly_spread(self.table.shown_frames, len(kept)))
            at += len(kept)
        frame_rows, owner = np.concatenate(rows), np.concatenate(owners)
        signals: Signals = self.source.signals(frame_rows, view_B[owner])
        assert signals.pooled_BD is not None
        each_FD = signals.pooled_BD
        owner_F = torch.from_numpy(owner).to(each_FD.device)
        tokens_BTD = each_FD[torch.from_numpy(np.stack(picks)).to(each_FD.device)]
        return Signals(
            pooled_BD=_mean(each_FD, owner_F, len(index_B)),
            tokens_BHWD=tokens_BTD[:, :, None],
            logits_BK=None
            if signals.logits_BK is None
            else _mean(signals.logits_BK, owner_F, len(index_B)),
        )

    def pooled_ND(self, view: int = 0) -> NDArray[np.float32]:
        """(N, D): every clip's mean over its frames."""
        each = self.source.pooled_ND(view)
        return np.stack([each[kept].mean(0) for kept in self.kept_frames]).astype(np.float32)


def _mean(each_FD: Tensor, owner_F: Tensor, clips: int) -> Tensor:
    summed = each_FD.new_zeros(clips, each_FD.shape[1]).index_add_(0, owner_F, each_FD)
    return summed / torch.bincount(owner_F, minlength=clips)[:, None]


def teacher_frames(
    table: ClipTable, views: Views, frames: int
) -> tuple[ImageTable, Views, tuple[NDArray[np.int64], ...]]:
    """What the teacher is asked about: each clip's frames (all, or `frames` of them), in its views.

    A frame's hash is joined with its clip's, whose views it is shown in: the cache then never
    takes it for the same picture of another clip.
    """
    assert table.frames is not None
    wanted, kept, at = [], [], 0
    for start, count in zip(table.starts_N.tolist(), table.counts_N.tolist(), strict=True):
        some = np.arange(count) if not frames else np.unique(evenly_spread(frames, count))
        wanted.append(start + some)
        kept.append(np.arange(at, at + len(some)))
        at += len(some)
    rows = np.concatenate(wanted)
    owner = np.repeat(np.arange(len(table)), [len(one) for one in kept])
    seen_frames = table.frames.rows(rows)
    hashes = [
        hashlib.blake2b(one.tobytes() + other.tobytes(), digest_size=16).digest()
        for one, other in zip(table.hashes_N[owner], seen_frames.hashes_N, strict=True)
    ]
    keyed = np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 16)
    return replace(seen_frames, hashes_N=keyed), views.rows(owner), tuple(kept)


def clip_table(
    content: Content,
    items: Sequence[Item],
    *,
    frames_root: Path,
    shown_frames: int,
    max_pixels: int,
    index_root: Path | None,
    progress: ProgressReporter,
) -> ClipTable:
    """The items as one table. A video's frames are written below `frames_root` first.

    Raises DataError for a clip without a frame, a video that cannot be decoded, a bad picture.
    """
    lists = [frames_of(content, item, frames_root, progress) for item in items]
    paths = [path for one in lists for path in one]
    hashes_N = inspect(content.root, paths, max_pixels, index_root, progress)
    counts_N = np.array([len(one) for one in lists], np.int64)
    starts_N = np.concatenate([[0], np.cumsum(counts_N)[:-1]]).astype(np.int64)
    clip_hashes = [
        hashlib.blake2b(hashes_N[start : start + count].tobytes(), digest_size=16).digest()
        for start, count in zip(starts_N, counts_N, strict=True)
    ]
    frames = ImageTable(
        content.root,
        np.array(paths, dtype=np.bytes_),
        np.full(len(paths), -1, np.int64),
        hashes_N,
        content.classes,
    )
    return ClipTable(
        root=content.root,
        paths_N=np.array([item.path for item in items], dtype=np.bytes_),
        labels_N=np.array([item.label for item in items], dtype=np.int64),
        hashes_N=np.frombuffer(b"".join(clip_hashes), np.uint8).reshape(-1, 16),
        classes=content.classes,
        frames=frames,
        starts_N=starts_N,
        counts_N=counts_N,
        shown_frames=shown_frames,
    )
