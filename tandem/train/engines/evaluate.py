"""A model's logits over a table, each process its share."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tandem.spec.run import RunSpec
from tandem.train.device import Place
from tandem.train.engines.stop import EvaluationStoppedError, StopRequest
from tandem.train.loader import batches, worker_count
from tandem.train.metrics import classification
from tandem.train.types import ImageTable
from tandem.train.views import Views

Logits = NDArray[np.float32]


class Evaluator:
    """Shows a student the validation images, whole and untouched (view 0)."""

    def __init__(self, spec: RunSpec, place: Place, table: ImageTable, views: Views) -> None:
        self.spec, self.place, self.table, self.views = spec, place, table, views

    def logits(self, student: nn.Module, stop: StopRequest | None = None) -> Logits:
        """(N, K) float32, in the table's order, the same in every process.

        EvaluationStoppedError in each of them as soon as one was asked to stop.
        """
        was_training = student.training
        student.eval()
        mine_N = np.arange(len(self.table))[self.place.rank :: self.place.processes]
        size = self.spec.optim.batch_size
        plan = [
            (rows, np.zeros_like(rows))
            for rows in (mine_N[i : i + size] for i in range(0, len(mine_N), size))
        ]
        stream = batches(
            self.table,
            self.views,
            plan,
            image_size=self.spec.data.image_size,
            max_pixels=self.spec.data.max_image_pixels,
            workers=worker_count(self.spec.data.workers),
        )
        parts, cut = [], False
        with torch.no_grad(), self._autocast():
            for batch in stream:
                cut = stop is not None and stop.asked
                if cut:
                    break
                images_BCHW = batch.inputs.to(self.place.device).float().div_(255)
                parts.append(student(images_BCHW).logits_BK.float().cpu().numpy())
        student.train(was_training)
        return self._together(mine_N, np.concatenate(parts) if parts else None, cut)

    def score(self, student: nn.Module, stop: StopRequest) -> tuple[float, float]:
        """Accuracy (0 to 1) and mean cross-entropy (nats)."""
        metrics, _ = classification(
            self.logits(student, stop), self.table.labels_N, self.table.classes
        )
        return metrics["accuracy"], metrics["nll"]

    def _autocast(self) -> torch.autocast:
        dtype = torch.float16 if self.place.precision == "fp16" else torch.bfloat16
        enabled = self.place.precision != "fp32"
        return torch.autocast(self.place.device.type, dtype=dtype, enabled=enabled)

    def _together(self, mine_N: NDArray[np.int64], logits: Logits | None, cut: bool) -> Logits:
        if self.place.processes == 1:
            if cut:
                raise EvaluationStoppedError
            assert logits is not None
            return logits
        everyone: list[Any] = [None] * self.place.processes
        torch.distributed.all_gather_object(everyone, (mine_N, logits, cut))
        if any(one[2] for one in everyone):
            raise EvaluationStoppedError
        found = [(rows, part) for rows, part, _ in everyone if part is not None]
        whole = np.empty((len(self.table), found[0][1].shape[1]), np.float32)
        for rows, part in found:
            whole[rows] = part
        return whole
