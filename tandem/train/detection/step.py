"""One optimizer step of a detector."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tandem.spec.errors import NumericError, OutOfMemoryError
from tandem.spec.run import RunSpec
from tandem.train.detection.step_loss import LossPlan, ProjectedDetector, box_targets, terms_of
from tandem.train.detection.types import DetectionBatch, TeacherTargets
from tandem.train.engines.checkpoint import TrainingPosition
from tandem.train.engines.device import DeviceContext, as_inputs, is_out_of_memory


@dataclass(frozen=True)
class StepOutcome:
    """What one step came to."""

    loss: float
    terms: dict[str, float]
    rows: int
    grad_norm: float


class DetectorStep:
    """Forward, backward and update over the batches of one step."""

    def __init__(
        self,
        spec: RunSpec,
        device_context: DeviceContext,
        model: ProjectedDetector,
        optimizer: torch.optim.Optimizer,
        plan: LossPlan,
        teacher: Callable[[DetectionBatch], TeacherTargets] | None,
    ) -> None:
        self.spec, self.device, self.model = spec, device_context.device, model
        self.optimizer, self.plan, self.teacher = optimizer, plan, teacher
        self.half = device_context.precision == "bf16"

    def __call__(
        self, group: Sequence[DetectionBatch], position: TrainingPosition, *, last: bool
    ) -> StepOutcome:
        """NumericError where the gradient is not finite, with the weights before the step kept."""
        try:
            return self._step(group, position, last=last)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Out here, where the failed step's tensors are gone and no traceback holds them.
        raise OutOfMemoryError(
            "Out of memory with a batch of {batch} pictures of {size} px.",
            batch=self.spec.optim.batch_size,
            size=self.spec.data.image_size,
            fix="Lower optim.batch_size (optim.grad_accum_steps sums up as many pictures as "
            "before), or data.image_size.",
        )

    def _step(
        self, group: Sequence[DetectionBatch], position: TrainingPosition, *, last: bool
    ) -> StepOutcome:
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        rows = sum(len(batch["img"]) for batch in group)
        sums: dict[str, Tensor] = {}
        for batch in group:
            share = len(batch["img"]) / rows
            items = self._terms(batch, last=last)
            (self.plan.weighted(items) * share).backward()
            for name, value in items.items():
                sums[name] = sums.get(name, 0.0) + value.detach() * share
        limit = self.spec.optim.max_grad_norm or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit)
        # Read once, and all together: each reading waits for the device.
        values = torch.stack([norm, self.plan.weighted(sums), *sums.values()]).tolist()
        terms = dict(zip(sums, values[2:], strict=True))
        if not math.isfinite(values[0]):
            self._refuse(terms, position)
        self.optimizer.step()
        return StepOutcome(values[1], terms, rows, values[0])

    def _terms(self, batch: DetectionBatch, *, last: bool) -> dict[str, Tensor]:
        ready = moved(batch, self.device)
        if self.teacher is not None:
            ready["targets"] = self.teacher(ready)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            said = self.model(ready["img"], box_targets(ready))
        return terms_of(self.model, said, ready, self.plan, last=last)

    def _refuse(self, terms: Mapping[str, float], position: TrainingPosition) -> None:
        raise NumericError(
            "The gradient is not finite in epoch {epoch}, step {step}, with {terms}. "
            "The weights before this step are kept.",
            epoch=position.epoch + 1,
            step=position.step + 1,
            terms=", ".join(f"{name} = {value:.4g}" for name, value in terms.items()),
            fix="Lower optim.learning_rate, or the weight of the largest term.",
        )


def moved(batch: DetectionBatch, device: torch.device) -> DetectionBatch:
    """On the device, its pictures as floats of 0 to 1."""
    return {
        **batch,
        "img": as_inputs(batch["img"], device).contiguous(memory_format=torch.channels_last),
        "cls": batch["cls"].to(device, non_blocking=True),
        "bboxes": batch["bboxes"].to(device, non_blocking=True),
        "batch_idx": batch["batch_idx"].to(device, non_blocking=True),
    }
