"""Batches of pictures in the order of a plan, by worker processes or in this one."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

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
    """`BatchLoader.batches` of one plan, by workers that end with it."""
    loader = BatchLoader(
        table, views, image_size=image_size, max_pixels=max_pixels, workers=workers
    )
    try:
        yield from loader.batches(plan)
    finally:
        loader.close()


class BatchLoader:
    """Gives the batches of one plan after the other. Its workers, once forked, stay for the next.

    What differs between two plans is in their numbers (rows and views): a worker keeps the table
    and the views that were there when it was forked. `pin`: batches lie in page-locked memory, so
    that a copy to the GPU need not be waited for.
    """

    def __init__(
        self,
        table: ImageTable,
        views: Views,
        *,
        image_size: int,
        max_pixels: int,
        workers: int,
        pin: bool = False,
    ) -> None:
        self.rendered = RenderedBatches(table, views, image_size, max_pixels)
        self.workers, self.pin = workers, pin
        self._plan = _PlanSampler()
        self._stream: DataLoader[Batch | DataError] | None = None

    def batches(self, plan: BatchPlan) -> Iterator[Batch]:
        """uint8 batches on the CPU, the same bytes whatever the number of workers.

        DataError for a file that went bad since it was read first.
        """
        workers = min(self.workers, len(plan) // _BATCHES_A_WORKER)
        if workers == 0 and self._stream is None:
            for rows in plan:
                batch = self.rendered[rows]
                yield batch.pin_memory() if self.pin else batch
            return
        if self._stream is None or self._stream.num_workers < workers:
            self.close()
            self._plan.plan = []
            self._stream = self._opened(workers)
        self._plan.plan = plan
        for found in self._stream:
            if isinstance(found, DataError):
                raise found
            yield found

    def close(self) -> None:
        """End the workers; the next plan forks new ones."""
        self._stream = None

    def _opened(self, workers: int) -> DataLoader[Batch | DataError]:
        """With its workers forked."""
        with warnings.catch_warnings():
            # More workers than cores are what somebody asked for, or has reasons for (slow disks);
            # a fork beside threads is safe here: a worker only decodes pictures.
            warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
            warnings.filterwarnings("ignore", ".*use of fork", DeprecationWarning)
            # A batch is one item: what passes between processes is one tensor, in shared memory.
            stream = DataLoader(
                _InWorker(self.rendered),
                batch_size=None,
                sampler=self._plan,
                num_workers=workers,
                prefetch_factor=2,
                persistent_workers=True,
                pin_memory=self.pin,
                # Else it draws its workers' seeds, which nothing here reads, from the state that
                # dropout goes on from: a stream opened anew after a stop would shift the masks.
                generator=torch.Generator(),
            )
            iter(stream)  # of an empty plan: it forks, and the next pass finds them
        return stream


class _PlanSampler(Sampler[tuple[NDArray[np.int64], NDArray[np.int64]]]):
    """The plan that is being loaded."""

    def __init__(self) -> None:
        self.plan: BatchPlan = []

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        return iter(self.plan)

    def __len__(self) -> int:
        return len(self.plan)


class RenderedBatches(Dataset[Batch]):
    """Batches by their rows and views."""

    def __init__(self, table: ImageTable, views: Views, image_size: int, max_pixels: int) -> None:
        self.table, self.views = table, views
        self.image_size, self.max_pixels = image_size, max_pixels

    def __getitem__(self, rows: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Batch:
        return self.table.batch(self.views, *rows, self.image_size, self.max_pixels)


class _InWorker(Dataset[Batch | DataError]):
    """In a worker an error is handed over: PyTorch would raise it with a traceback in its text."""

    def __init__(self, rendered: RenderedBatches) -> None:
        self.rendered = rendered

    def __getitem__(self, rows: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Batch | DataError:
        try:
            return self.rendered[rows]
        except DataError as error:
            return error
