"""Batches of canvases, each a function of seed, epoch and place alone."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from tandem.spec.errors import DataError
from tandem.spec.run import RunSpec
from tandem.train.data.augment import flip_allowed
from tandem.train.data.boxes import DetectionTable
from tandem.train.data.loader import worker_count
from tandem.train.detection.data.canvas import ImageStore, coloured, painted
from tandem.train.detection.data.placing import Placing, placed_boxes
from tandem.train.detection.data.sampling import MosaicBuffer, SampleRef, order
from tandem.train.detection.types import CanvasSource, DetectionBatch

CANVAS, PARTNER = 21, 22
"""What tells the random streams of a canvas and of the one it is mixed with apart."""
MOST_KEPT_BYTES = 256 * 2**20
"""The decoded pictures that each loader process keeps."""
BATCHES_A_WORKER = 4
"""With fewer, starting a process costs more than it saves."""


@dataclass(frozen=True)
class CanvasSample:
    """One canvas with what lies on it."""

    image_CHW: Tensor
    """uint8."""
    boxes_n4: NDArray[np.float32]
    """Left, top, right, bottom in pixels of the canvas."""
    label_n: NDArray[np.float32]
    sources: list[CanvasSource]
    labelled: bool


class CanvasDataset(Dataset[DetectionBatch | DataError]):
    """A split's canvases, batch by batch: an item is the places of one batch.

    `samples` of an epoch, where it is not one pass over the table: as in `sampling.order`.
    """

    def __init__(self, table: DetectionTable, spec: RunSpec, samples: int | None = None) -> None:
        self.table, self.spec = table, spec
        self.samples = len(table) if samples is None else samples
        side, knobs = spec.data.image_size, spec.yolo
        self.placing = Placing(side, knobs, flip_allowed(spec.views, table.classes))
        self.last_from = spec.optim.epochs - knobs.close_mosaic_epochs
        most = max(MOST_KEPT_BYTES // (3 * side * side), 4)
        self.store = ImageStore(table, side, most)
        self.buffer: MosaicBuffer | None = None

    def __len__(self) -> int:
        return -(-self.samples // self.spec.optim.batch_size)

    def __getitem__(self, refs: list[SampleRef]) -> DetectionBatch | DataError:  # type: ignore[override]
        # An error is handed over: PyTorch would raise a worker's with a traceback in its text.
        try:
            return collate([self.sample(ref) for ref in refs])
        except DataError as error:
            return error

    def sample(self, ref: SampleRef) -> CanvasSample:
        """The canvas at a place. In the last epochs neither mosaic nor mixing is drawn."""
        random = np.random.default_rng([self.spec.run.seed, ref.epoch, ref.place, CANVAS])
        one = self._canvas(ref, int(ref), random)
        alpha = self.spec.views.mixup
        if not alpha or ref.epoch >= self.last_from:
            return one
        random = np.random.default_rng([self.spec.run.seed, ref.epoch, ref.place, PARTNER])
        other = self._canvas(ref, self._partners(ref, 1, random)[0], random)
        return mixed(one, other, float(random.beta(alpha, alpha)))

    def _canvas(self, ref: SampleRef, row: int, random: np.random.Generator) -> CanvasSample:
        # Drawn in any case, so that turning mosaics off changes nothing else of a canvas.
        wanted = random.uniform() < self.spec.yolo.mosaic
        if wanted and ref.epoch < self.last_from:
            rows = [row, *self._partners(ref, 3, random)]
            sources = self.placing.mosaic(rows, [self.table.size(one) for one in rows], random)
        else:
            sources = self.placing.alone(row, self.table.size(row), random)
        canvas = coloured(painted(sources, self.store), self.spec.yolo, random)
        boxes, labels = self._boxes(sources)
        image_CHW = torch.from_numpy(np.array(canvas)).permute(2, 0, 1).contiguous()
        return CanvasSample(image_CHW, boxes, labels, sources, self.table.labelled(row))

    def _partners(self, ref: SampleRef, count: int, random: np.random.Generator) -> list[int]:
        """Rows shown lately, which are decoded already, and labelled where this one is.

        A canvas is labelled as a whole: the objects of one picture that nobody looked at would be
        learnt as background.
        """
        if self.buffer is None:
            info = get_worker_info()
            self.buffer = MosaicBuffer(
                len(self.table),
                self.spec.optim.batch_size,
                self.spec.run.seed,
                info.num_workers if info else 1,
                min(len(self.table), self.store.most, 8 * self.spec.optim.batch_size),
                self.samples,
            )
        alike = self.table.labelled(int(ref))
        recent = [one for one in self.buffer.at(ref).tolist() if self.table.labelled(one) == alike]
        return [recent[int(one)] for one in random.integers(len(recent), size=count)]

    def _boxes(
        self, sources: list[CanvasSource]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        boxes, labels = [np.zeros((0, 4), np.float32)], [np.zeros(0, np.float32)]
        for source in sources:
            height, width = self.table.size(source.row)
            scale_4 = np.array([width, height, width, height], np.float32)
            shares_n4 = (self.table.boxes_N4(source.row) / scale_4).astype(np.float32)
            placed_n4, kept_n = placed_boxes(source, shares_n4, self.placing.side)
            boxes.append(placed_n4[kept_n])
            labels.append(self.table.labels_N(source.row)[kept_n])
        return np.concatenate(boxes), np.concatenate(labels)


def mixed(one: CanvasSample, other: CanvasSample, share: float) -> CanvasSample:
    """Both at once (Zhang et al. 2018): `share` of the first's colours, and the boxes of both."""
    image_CHW = share * one.image_CHW.float() + (1 - share) * other.image_CHW.float()
    return CanvasSample(
        image_CHW.round_().to(torch.uint8),
        np.concatenate((one.boxes_n4, other.boxes_n4)),
        np.concatenate((one.label_n, other.label_n)),
        one.sources + other.sources,
        one.labelled,
    )


def collate(samples: list[CanvasSample]) -> DetectionBatch:
    """Canvases as one batch, on the CPU."""
    boxes_N4 = torch.from_numpy(np.concatenate([one.boxes_n4 for one in samples]))
    side = samples[0].image_CHW.shape[-1]
    low, high = boxes_N4[:, :2], boxes_N4[:, 2:]
    canvas_N = torch.cat(
        [torch.full((len(one.label_n),), float(at)) for at, one in enumerate(samples)]
    )
    return {
        "img": torch.stack([one.image_CHW for one in samples]),
        "cls": torch.from_numpy(np.concatenate([one.label_n for one in samples]))[:, None],
        "bboxes": torch.cat(((low + high) / 2, high - low), 1) / side,
        "batch_idx": canvas_N,
        "sources": [one.sources for one in samples],
        "labelled": [one.labelled for one in samples],
    }


class CanvasLoader:
    """The batches of any epoch from any one on, by processes that live as long as it does."""

    def __init__(
        self,
        table: DetectionTable,
        spec: RunSpec,
        *,
        pin: bool = False,
        samples: int | None = None,
    ) -> None:
        self.dataset, self.spec, self.pin = CanvasDataset(table, spec, samples), spec, pin
        self.workers = min(worker_count(spec.data.workers), len(self.dataset) // BATCHES_A_WORKER)
        self.places = _EpochPlaces(
            len(table), self.dataset.samples, spec.optim.batch_size, spec.run.seed
        )
        self._loader: DataLoader[DetectionBatch | DataError] | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    def batches(self, epoch: int, begin: int) -> Iterator[DetectionBatch]:
        """From batch `begin` of the epoch on. DataError for a file that went bad."""
        self.places.epoch, self.places.begin = epoch, begin
        with warnings.catch_warnings():
            # As in the loader of tables: more workers than cores may be wanted, and a fork beside
            # threads is safe, since a worker only decodes and draws.
            warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
            warnings.filterwarnings("ignore", ".*use of fork", DeprecationWarning)
            stream = iter(self._opened())
        for found in stream:
            if isinstance(found, DataError):
                raise found
            yield found

    def _opened(self) -> DataLoader[DetectionBatch | DataError]:
        if self._loader is None:
            self._loader = DataLoader(
                self.dataset,
                batch_size=None,
                sampler=self.places,
                num_workers=self.workers,
                prefetch_factor=2 if self.workers else None,
                persistent_workers=self.workers > 0,
                pin_memory=self.pin,
                # Else it draws its workers' seeds, which nothing here reads, from torch's state.
                generator=torch.Generator(),
            )
        return self._loader


class _EpochPlaces:
    """The batches' places of the epoch that is asked for next; a sampler of the loader's."""

    def __init__(self, rows: int, samples: int, batch_size: int, seed: int) -> None:
        self.rows, self.samples, self.batch_size, self.seed = rows, samples, batch_size, seed
        self.epoch, self.begin = 0, 0

    def __len__(self) -> int:
        return -(-self.samples // self.batch_size) - self.begin

    def __iter__(self) -> Iterator[list[SampleRef]]:
        epoch, first = self.epoch, self.begin * self.batch_size
        rows = order(self.rows, self.seed, epoch, self.samples).tolist()
        for start in range(first, self.samples, self.batch_size):
            places = range(start, min(start + self.batch_size, self.samples))
            yield [SampleRef.of(rows[place], epoch, place) for place in places]
