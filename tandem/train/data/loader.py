"""Batches of pictures in the order of a plan, by worker processes or in this one."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from tandem.spec.errors import DataError
from tandem.train.data.augment import Views
from tandem.train.types import Batch, ImageTable

BatchPlan = list[tuple[NDArray[np.int64], NDArray[np.int64]]]
MOST_WORKERS = 16
_BATCHES_A_WORKER = 4
"""With fewer, starting a process costs more than it saves."""


def worker_count(requested: int | None) -> int:
    """Loader processes for this process of the run.

    On one or two cores the student's own arithmetic needs them all, and a worker only adds
    copies; with more, all but one work, shared among the run's processes.
    """
    if requested is not None:
        return requested
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    share = (cores or 1) // max(int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)
    return min(share - 1, MOST_WORKERS) if share > 2 else 0


def batches(
    table: ImageTable,
    views: Views,
    plan: BatchPlan,
    *,
    image_size: int,
    max_pixels: int,
    workers: int,
) -> Iterator[Batch]:
    """uint8 batches on the CPU, the same bytes whatever the number of workers.

    DataError for a file that went bad since it was read first.
    """
    rendered = RenderedBatches(table, views, plan, image_size, max_pixels)
    workers = min(workers, len(plan) // _BATCHES_A_WORKER)
    if workers == 0:
        for number in range(len(plan)):
            yield rendered[number]
        return
    # A batch is one item: what passes between processes is one tensor, in shared memory.
    with warnings.catch_warnings():
        # More workers than cores are what somebody asked for, or has reasons for (slow disks);
        # a fork beside threads is safe here: a worker only decodes pictures.
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        warnings.filterwarnings("ignore", ".*use of fork", DeprecationWarning)
        stream = iter(
            DataLoader(
                _InWorker(rendered),
                batch_size=None,
                num_workers=workers,
                prefetch_factor=2,
                # Else it draws its workers' seeds, which nothing here reads, from the state that
                # dropout goes on from: a stream opened anew after a stop would shift the masks.
                generator=torch.Generator(),
            )
        )
    for found in stream:
        if isinstance(found, DataError):
            raise found
        yield found


class RenderedBatches(Dataset[Batch]):
    """A plan's batches by their number."""

    def __init__(
        self, table: ImageTable, views: Views, plan: BatchPlan, image_size: int, max_pixels: int
    ) -> None:
        self.table, self.views, self.plan = table, views, plan
        self.image_size, self.max_pixels = image_size, max_pixels

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, number: int) -> Batch:
        index_B, view_B = self.plan[number]
        return self.table.batch(self.views, index_B, view_B, self.image_size, self.max_pixels)


class _InWorker(Dataset[Batch | DataError]):
    """In a worker an error is handed over: PyTorch would raise it with a traceback in its text."""

    def __init__(self, rendered: RenderedBatches) -> None:
        self.rendered = rendered

    def __len__(self) -> int:
        return len(self.rendered)

    def __getitem__(self, number: int) -> Batch | DataError:
        try:
            return self.rendered[number]
        except DataError as error:
            return error
