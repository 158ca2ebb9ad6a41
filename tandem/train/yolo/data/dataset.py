"""Ultralytics' dataset, fed from our data: nothing is written beside the user's pictures."""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import get_worker_info
from ultralytics.data.augment import Compose
from ultralytics.data.build import InfiniteDataLoader, seed_worker
from ultralytics.data.dataset import YOLODataset

from tandem.spec.errors import DataError
from tandem.train.data.boxes import DetectionTable
from tandem.train.detection.data.geometry import whole_canvas
from tandem.train.detection.data.sampling import MosaicBuffer, SampleRef, ShuffledSampler
from tandem.train.detection.types import DetectionBatch, DetectionSample
from tandem.train.yolo.data.geometry import recorded


class TandemDataset(YOLODataset):
    """A `DetectionTable` by Ultralytics' own transforms. `im_file` holds the row's number."""

    def __init__(
        self,
        table: DetectionTable,
        *,
        seed: int,
        batch_size: int,
        samples: int | None = None,
        **options: object,
    ) -> None:
        self.table, self.seed = table, seed
        self.samples = len(table) if samples is None else samples
        self.sample_ref: SampleRef | None = None
        self.mosaic_buffer: MosaicBuffer | None = None
        names = dict(enumerate(table.classes))
        super().__init__(
            img_path="", data={"names": names}, task="detect", batch_size=batch_size, **options
        )

    def get_img_files(self, img_path: str | list[str]) -> list[str]:  # noqa: ARG002
        # Ultralytics would search folders and take a label's path from an image's; here both are
        # known, and only the row's number is needed to come back to them.
        return [str(row) for row in range(len(self.table))]

    def get_labels(self) -> list[DetectionSample]:
        # In place of its own, which writes a `.cache` file beside the user's images.
        return [self._label(row) for row in range(len(self.table))]

    def _label(self, row: int) -> DetectionSample:
        height, width = self.table.size(row)
        left, top, right, bottom = self.table.boxes_N4(row).T
        boxes = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        scale = np.array([width, height, width, height], np.float32)
        return {
            "im_file": str(row),
            "shape": (height, width),
            "cls": self.table.labels_N(row)[:, None],
            "bboxes": np.stack(boxes, 1) / scale,
            "segments": [],
            "keypoints": None,
            "normalized": True,
            "bbox_format": "xywh",
        }

    def row_of(self, index: int) -> int:
        """The row of an item: rectangles are sorted by their shape."""
        return int(self.im_files[index])

    def load_image(
        self,
        i: int,
        rect_mode: bool = True,  # noqa: ARG002
        resize_short: bool = False,  # noqa: ARG002
    ) -> tuple[NDArray[np.uint8], tuple[int, int], tuple[int, int]]:
        """As Ultralytics does, but decoded by our rules and never from a .npy beside the file."""
        # What follows is Ultralytics' own but for the reading: its buffer of decoded images is
        # kept, since mosaics are made of what is in it.
        if self.ims[i] is not None:
            return self.ims[i], self.im_hw0[i], self.im_hw[i]
        image = self.table.bgr_HWC(self.row_of(i))
        height, width = image.shape[:2]
        ratio = self.imgsz / max(height, width)
        if ratio != 1:
            size = [min(math.ceil(side * ratio), self.imgsz) for side in (width, height)]
            resized = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
            image = np.asarray(resized, np.uint8)
        if self.augment:
            # A full buffer forgets its oldest image, or a long epoch would fill the memory.
            self.ims[i], self.im_hw0[i] = image, (height, width)
            self.im_hw[i] = image.shape[:2]
            self.buffer.append(i)
            if 1 < len(self.buffer) >= self.max_buffer_length:
                oldest = self.buffer.pop(0)
                self.ims[oldest] = self.im_hw0[oldest] = self.im_hw[oldest] = None
        return image, (height, width), image.shape[:2]

    def get_image_and_label(self, index: int) -> DetectionSample:
        label: DetectionSample = super().get_image_and_label(index)
        label["sources"] = [whole_canvas(self.row_of(index), *label["img"].shape[:2])]
        return label

    def build_transforms(self, hyp: object) -> Compose:
        transforms = super().build_transforms(hyp)
        # Validation is never warped, so nothing asks where its images went.
        return recorded(transforms) if self.augment else transforms

    def partners(self, count: int) -> list[int]:
        """The rows that share a mosaic with this one: lately shown, and labelled if it is."""
        assert self.sample_ref is not None
        if self.mosaic_buffer is None:
            info = get_worker_info()
            lanes = info.num_workers if info else 1
            self.mosaic_buffer = MosaicBuffer(
                len(self),
                self.batch_size,
                self.seed,
                lanes,
                self.max_buffer_length,
                self.samples,
            )
        # A mosaic is labelled as a whole: one image that nobody looked at among three would have
        # its objects learnt as background, or the others' boxes thrown away.
        alike = self.table.labelled(int(self.sample_ref))
        recent = [
            row
            for row in self.mosaic_buffer.at(self.sample_ref).tolist()
            if self.table.labelled(row) == alike
        ]
        return random.choices(recent, k=count)

    def __getitem__(self, index: int) -> DetectionSample | DataError:
        """The image as it is at this place of this epoch.

        A DataError is returned: raised in a worker, it would reach the run as a RuntimeError with
        a traceback for its text.
        """
        if isinstance(index, SampleRef):
            self.sample_ref = index
            # Seeded anew for each image: what is drawn follows from its place, whichever worker
            # comes to it, and a resumed run draws as the whole one did.
            key = f"{self.seed}/{index.epoch}/{index.place}"
            random.seed(key)
            # Ultralytics' colours draw from this global one.
            np.random.seed(zlib.crc32(key.encode()))  # noqa: NPY002
        try:
            sample: DetectionSample = super().__getitem__(index)
        except DataError as error:
            return error
        sample["labelled"] = self.table.labelled(self.row_of(index))
        return sample

    @staticmethod
    def collate_fn(batch: list[DetectionSample | DataError]) -> DetectionBatch | DataError:
        """A batch, or the first error in it."""
        for one in batch:
            if isinstance(one, DataError):
                return one
        collated: DetectionBatch = YOLODataset.collate_fn(batch)
        return collated


class ResumableLoader(InfiniteDataLoader):
    """Ultralytics' loader over `SampleRef`s, that can begin in mid-epoch."""

    iterator: Iterator[DetectionBatch | DataError] | None
    """Lives from epoch to epoch, as its workers do."""

    def __init__(self, dataset: TandemDataset, *, batch_size: int, workers: int, pin: bool) -> None:
        self.turns = ShuffledSampler(len(dataset), batch_size, dataset.seed, dataset.samples)
        self.replayed = 0
        # A worker takes whole batches: more of them than batches would only be started.
        workers = min(workers, dataset.samples // batch_size)
        super().__init__(
            dataset=dataset,
            batch_size=batch_size,
            sampler=self.turns,
            num_workers=workers,
            prefetch_factor=4 if workers else None,  # as Ultralytics; torch refuses one without
            pin_memory=pin,
            collate_fn=dataset.collate_fn,
            worker_init_fn=seed_worker,
        )

    def begin(self, epoch: int, step: int = 0) -> None:
        """The next epoch is this one; of its first `step` batches only the places are given."""
        # Workers have fetched ahead of what is wanted now: they are ended and started anew.
        self.reset()
        self.turns.begin(epoch, step)
        self.replayed = step

    def __iter__(self) -> Iterator[DetectionBatch | DataError]:
        replayed, self.replayed = self.replayed, 0
        for _ in range(replayed):
            # Ultralytics counts a schedule's and a mean's place by the batches of its loop: those
            # learnt before the stop are gone through again, empty. `img` and `cls` it reads itself.
            yield {"replayed": True, "img": torch.zeros(1, 3, 1, 1), "cls": torch.zeros(0, 1)}
        if self.iterator is None:
            self.iterator = self._get_iterator()
        # The sampler repeats for ever, so an epoch ends by counting.
        for _ in range(len(self) - replayed):
            yield next(self.iterator)
