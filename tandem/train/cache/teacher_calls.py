"""Pictures go to the teacher in batches; the next ones are decoded while it computes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tandem.train.cache.parts import coarse
from tandem.train.cache.request import SourceRequest, SourceSetup
from tandem.train.data.augment import Views
from tandem.train.types import ImageTable, RowIndices, Signals, Teacher

RowViews = tuple[RowIndices, RowIndices]
"""Rows of the table and the view of each."""
_AHEAD = 3
"""Batches decoded before they are needed."""
_MOST_THREADS = 16


@dataclass
class TeacherCalls:
    """Shows a teacher views of a table's rows, and counts them."""

    teacher: Teacher
    request: SourceRequest
    setup: SourceSetup
    forwards: int = field(default=0, init=False)
    """Inputs that went through the teacher."""

    @property
    def table(self) -> ImageTable:
        return self.request.table

    @property
    def grid(self) -> int:
        """Rows and columns of the dense signals that are kept."""
        return min(self.request.wanted.grid or self.teacher.grid, self.teacher.grid)

    @property
    def cells(self) -> int:
        """How many cells of dense signals are kept of one input; a text's are one column."""
        return self.grid if self.teacher.image_size == 0 else self.grid**2

    def signals(self, rows_B: RowIndices, views_B: RowIndices) -> Signals:
        """The signals of any number of rows; dense ones on the grid that is kept."""
        parts = self.cut(rows_B, views_B)
        return joined([signals for _, signals in self.stream(parts)])

    def cut(self, rows_N: RowIndices, views_N: RowIndices) -> list[RowViews]:
        """Batches that go through the teacher together."""
        size = self.setup.batch_size
        return [
            (rows_N[at : at + size], views_N[at : at + size]) for at in range(0, len(rows_N), size)
        ]

    def stream(self, batches: Iterable[RowViews]) -> Iterator[tuple[RowViews, Signals]]:
        """The signals of each batch, in order."""
        wanted, size = self.request.wanted, self.teacher.image_size
        self.teacher.layers = wanted.layers
        with Renderer(self.table, self.request.views, size, self.setup.max_pixels) as renderer:
            for batch, images_BCHW in renderer.stream(batches):
                inputs = images_BCHW.to(self.setup.device, non_blocking=True)
                if inputs.dtype == torch.uint8:  # pictures; a text's numbers stay what they are
                    inputs = inputs.float().div_(255)
                signals = self.of_inputs(inputs)
                self.forwards += len(inputs)
                yield batch, signals

    def of_inputs(self, inputs: Tensor) -> Signals:
        """The signals of inputs as the teacher takes them, on its device; they are not counted."""
        with torch.no_grad():
            return coarse(self.teacher.signals(inputs), self.request.wanted, self.grid)


class Renderer:
    """Decodes in threads: Pillow and PyTorch free the interpreter while they work."""

    def __init__(self, table: ImageTable, views: Views, size: int, max_pixels: int) -> None:
        self.table, self.views, self.size, self.max_pixels = table, views, size, max_pixels
        threads = min(max((os.cpu_count() or 1) - 1, 1), _MOST_THREADS)
        # One arithmetic thread in each of these. The setting is the thread's own, but also what
        # threads that have not computed yet start with, so it is put back in the end.
        self.threads_before = torch.get_num_threads()
        self.pool = ThreadPoolExecutor(
            threads, "decode", initializer=torch.set_num_threads, initargs=(1,)
        )

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, *error: object) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(self.threads_before)

    def stream(self, batches: Iterable[RowViews]) -> Iterator[tuple[RowViews, Tensor]]:
        """uint8 (B, 3, size, size) for each."""
        waiting: deque[tuple[RowViews, Tensor, list[Future[None]]]] = deque()
        for batch in batches:
            # Decoding starts now and is waited for later: the teacher computes meanwhile.
            waiting.append((batch, *self._start(batch)))
            if len(waiting) > _AHEAD:
                yield _finished(*waiting.popleft())
        while waiting:
            yield _finished(*waiting.popleft())

    def _start(self, batch: RowViews) -> tuple[Tensor, list[Future[None]]]:
        rows_B, views_B = batch
        images_BCHW = self.table.blank(len(rows_B), self.size)
        params_B = self.views.params(rows_B, views_B)
        # Several views of one picture stand together: it is decoded once for all of them.
        starts = np.flatnonzero(np.diff(rows_B, prepend=-1))
        ends = np.append(starts[1:], len(rows_B))
        jobs = [
            self.pool.submit(
                self._render, images_BCHW[start:end], int(rows_B[start]), params_B[start:end]
            )
            for start, end in zip(starts, ends, strict=True)
        ]
        return torch.from_numpy(images_BCHW), jobs

    def _render(self, out_BCHW: NDArray[np.generic], row: int, params_V: NDArray[np.void]) -> None:
        shown = self.table.shown(self.views, row, params_V, self.size, self.max_pixels)
        for place, image_CHW in enumerate(shown):
            out_BCHW[place] = image_CHW


def _finished(
    batch: RowViews, images_BCHW: Tensor, jobs: list[Future[None]]
) -> tuple[RowViews, Tensor]:
    for job in jobs:
        job.result()  # raises what went wrong in the thread
    return batch, images_BCHW


def joined(parts: list[Signals]) -> Signals:
    """Several batches as one."""
    if len(parts) == 1:
        return parts[0]

    def cat(tensors: list[Tensor | None]) -> Tensor | None:
        there = [one for one in tensors if one is not None]
        return torch.cat(there) if there else None

    layers = zip(*(part.layers_BHWD for part in parts), strict=True)
    return Signals(
        cat([part.pooled_BD for part in parts]),
        cat([part.tokens_BHWD for part in parts]),
        cat([part.logits_BK for part in parts]),
        None,
        tuple(torch.cat(layer) for layer in layers),
    )
