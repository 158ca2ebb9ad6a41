"""Pictures go to the teacher in batches; the next ones are decoded while it computes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tandem.train.cache.parts import Wants, coarse
from tandem.train.data.augment import Views
from tandem.train.types import ImageTable, Signals, Teacher

Rows = NDArray[np.int64]
Ask = tuple[Rows, Rows]
"""Rows of the table and the view of each."""
_AHEAD = 3
"""Batches decoded before they are needed."""
_MOST_THREADS = 16


@dataclass
class Asker:
    """Shows a teacher views of a table's pictures, and counts them."""

    teacher: Teacher
    table: ImageTable
    views: Views
    wants: Wants
    grid: int
    device: torch.device
    batch_size: int
    max_pixels: int
    forwards: int = field(default=0, init=False)

    def ask(self, rows_B: Rows, views_B: Rows) -> Signals:
        """Of any number of pictures; dense signals on the grid that is kept."""
        asks = [
            (rows_B[at : at + self.batch_size], views_B[at : at + self.batch_size])
            for at in range(0, len(rows_B), self.batch_size)
        ]
        return joined([signals for _, signals in self.stream(asks)])

    def stream(self, asks: Iterable[Ask]) -> Iterator[tuple[Ask, Signals]]:
        """One answer for each, in order."""
        self.teacher.layers = self.wants.layers
        with Renderer(self.table, self.views, self.teacher.image_size, self.max_pixels) as renderer:
            for ask, images_BCHW in renderer.stream(asks):
                inputs = images_BCHW.to(self.device, non_blocking=True)
                if inputs.dtype == torch.uint8:  # pictures; a text's numbers stay what they are
                    inputs = inputs.float().div_(255)
                with torch.no_grad():
                    signals = coarse(self.teacher.signals(inputs), self.wants, self.grid)
                self.forwards += len(inputs)
                yield ask, signals


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

    def stream(self, asks: Iterable[Ask]) -> Iterator[tuple[Ask, Tensor]]:
        """uint8 (B, 3, size, size) for each."""
        waiting: deque[tuple[Ask, Tensor, list[Future[None]]]] = deque()
        for ask in asks:
            waiting.append((ask, *self._start(ask)))
            if len(waiting) > _AHEAD:
                yield _finished(*waiting.popleft())
        while waiting:
            yield _finished(*waiting.popleft())

    def _start(self, ask: Ask) -> tuple[Tensor, list[Future[None]]]:
        rows_B, views_B = ask
        images_BCHW = self.table.blank(len(rows_B), self.size)
        # Several views of one picture stand together: it is decoded once for all of them.
        starts = np.flatnonzero(np.diff(rows_B, prepend=-1))
        ends = np.append(starts[1:], len(rows_B))
        jobs = [
            self.pool.submit(
                self._render, images_BCHW[start:end], int(rows_B[start]), views_B[start:end]
            )
            for start, end in zip(starts, ends, strict=True)
        ]
        return torch.from_numpy(images_BCHW), jobs

    def _render(self, out_BCHW: NDArray[Any], row: int, views_B: Rows) -> None:
        shown = self.table.shown(self.views, row, views_B.tolist(), self.size, self.max_pixels)
        for place, image_CHW in enumerate(shown):
            out_BCHW[place] = image_CHW


def _finished(ask: Ask, images_BCHW: Tensor, jobs: list[Future[None]]) -> tuple[Ask, Tensor]:
    for job in jobs:
        job.result()
    return ask, images_BCHW


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
