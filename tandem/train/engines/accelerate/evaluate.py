"""A student on a table, each process its share, measured as its kind is."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from tandem.spec.run import RunSpec
from tandem.train.data.augment import Views
from tandem.train.data.loader import BatchLoader, worker_count
from tandem.train.engines.device import DeviceContext, as_inputs
from tandem.train.engines.stop import EvaluationStoppedError, StopRequest
from tandem.train.kinds.base import EvalResult, TableKind
from tandem.train.types import ImageTable


class Evaluator:
    """Shows a student the validation samples, whole and untouched (view 0)."""

    def __init__(
        self,
        spec: RunSpec,
        device_context: DeviceContext,
        table: ImageTable,
        views: Views,
        kind: TableKind,
    ) -> None:
        self.spec, self.device_context, self.table, self.views = spec, device_context, table, views
        self.kind = kind
        self.loader = BatchLoader(
            table,
            views,
            image_size=spec.data.image_size,
            max_pixels=spec.data.max_image_pixels,
            workers=worker_count(spec.data.workers),
            pin=device_context.device.type == "cuda",
        )

    def evaluate(
        self,
        student: nn.Module,
        stop: StopRequest | None = None,
        keep: bool = False,
        as_served: bool = False,
    ) -> EvalResult:
        """The same in every process; `keep`: with each row's answer, to be shown.

        `as_served`: in float32, as a finished model is asked, whatever it was trained in.
        EvaluationStoppedError in each of them as soon as one was asked to stop.
        """
        was_training = student.training
        student.eval()
        mine_N = np.arange(len(self.table))[
            self.device_context.rank :: self.device_context.processes
        ]
        size = self.spec.optim.batch_size
        plan = [
            (rows, np.zeros_like(rows))
            for rows in (mine_N[i : i + size] for i in range(0, len(mine_N), size))
        ]
        stream = self.loader.batches(plan)
        # No row is shown twice, as a padded sampler would: the figures are exact on any machine.
        metric, cut = self.kind.evaluator(self.table, keep), False
        with torch.no_grad(), self._autocast(as_served):
            for batch in stream:
                cut = stop is not None and stop.asked
                if cut:
                    break
                metric.add(
                    batch.index_B,
                    student(as_inputs(batch.inputs, self.device_context.device)),
                    batch,
                )
        student.train(was_training)
        return metric.result(self._together(metric.part(), cut))

    def _autocast(self, as_served: bool) -> torch.autocast:
        dtype = torch.float16 if self.device_context.precision == "fp16" else torch.bfloat16
        enabled = self.device_context.precision != "fp32" and not as_served
        return torch.autocast(self.device_context.device.type, dtype=dtype, enabled=enabled)

    def _together(self, part: object, cut: bool) -> list[object]:
        if self.device_context.processes == 1:
            if cut:
                raise EvaluationStoppedError
            return [part]
        gathered = [(part, cut)] * self.device_context.processes  # places that the call fills
        torch.distributed.all_gather_object(gathered, (part, cut))
        # All of them leave together: one alone would wait for the others for ever.
        if any(was_cut for _, was_cut in gathered):
            raise EvaluationStoppedError
        return [one for one, _ in gathered]
