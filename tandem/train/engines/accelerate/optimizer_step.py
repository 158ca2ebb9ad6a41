"""One optimizer step: its batches cut into micro-batches that fit, summed exactly."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from tandem.spec.errors import NumericError, OutOfMemoryError
from tandem.spec.i18n import t
from tandem.spec.run import RunSpec
from tandem.train.engines.accelerate import mixing
from tandem.train.engines.accelerate.loss_terms import Term, Totals, weighted_sum
from tandem.train.engines.accelerate.projected_student import outputs, student_of
from tandem.train.engines.checkpoint import Position
from tandem.train.engines.device import DeviceContext, is_out_of_memory
from tandem.train.kinds.base import TableKind
from tandem.train.types import Batch, ProgressReporter, Signals, SignalSource, StepOutput

NOTHING_TAUGHT = Signals()
MOST_MICROS = 2**20  # more than any step is cut into, so that each part draws its own mix


@dataclass
class StepResult:
    """Of one optimizer step, over all processes."""

    loss: float
    terms: dict[str, float]
    rows: int
    labelled: int
    correct: float
    """Rows that are right; of a mask, the share of its pixels."""
    grad_norm: float
    stop: bool
    save: bool
    """Asked for by a person, who goes on."""


class OptimizerStep:
    """Forward, backward and update of one step."""

    def __init__(
        self,
        spec: RunSpec,
        device_context: DeviceContext,
        accelerator: Accelerator,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        terms: list[Term],
        source: SignalSource | None,
        num_classes: int,
        position: Position,
        progress: ProgressReporter,
        kind: TableKind,
    ) -> None:
        self.kind = kind
        self.spec, self.device_context, self.accelerator = spec, device_context, accelerator
        self.model, self.optimizer, self.terms, self.source = model, optimizer, terms, source
        self.num_classes, self.position, self.progress = num_classes, position, progress
        self.mixes = spec.views.mixup > 0 or spec.views.cutmix > 0
        # Three rows never leave a part of one, which such a batch norm cannot take.
        self.fewest = 3 if norms_single_cells(model) else 1

    @property
    def labelled_terms(self) -> frozenset[str]:
        """The terms that are means over the labelled rows, not over all."""
        return frozenset(term.name for term in self.terms if term.only_labelled)

    def step(
        self,
        group: list[Batch],
        totals: Totals,
        stop_asked: bool,
        save_asked: bool = False,
    ) -> StepResult:
        """Update the weights by these batches. A batch that does not fit is cut and tried again."""
        while True:
            try:
                sums = self._accumulate(group, totals)
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._smaller(max(len(batch.labels_B) for batch in group))
        result = self._over_all(sums, totals, [stop_asked, save_asked])
        self._check_finite(result)
        result.grad_norm = self._clip()
        self._check_gradient(result)
        self.optimizer.step()
        return result

    def _accumulate(self, group: list[Batch], totals: Totals) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        size = self.position.micro_batch
        micros = [micro for batch in group for micro in _cut(batch, size)]
        sums = torch.zeros(len(self.terms) + 1, device=self.device_context.device)
        for number, micro in enumerate(micros):
            last = number == len(micros) - 1
            quiet = contextlib.nullcontext() if last else self.accelerator.no_sync(self.model)
            with quiet:
                sums += self._forward_backward(micro, totals, number)
        return sums

    def _forward_backward(self, micro: Batch, totals: Totals, number: int) -> Tensor:
        batch, signals = self._prepare(micro, number)
        taps = outputs(self.model(batch.inputs))
        loss, values = weighted_sum(self.terms, taps, signals, batch, totals)
        # Data-parallel training averages gradients over processes; the parts must be summed.
        self.accelerator.backward(loss * self.device_context.processes)
        return torch.cat([values, self._correct(taps[0], batch)])

    def _prepare(self, micro: Batch, number: int) -> tuple[Batch, Signals]:
        device = self.device_context.device
        labels_B = micro.labels_B.to(device, non_blocking=True)
        mask_BHW = micro.mask_BHW
        if mask_BHW is not None:
            mask_BHW = mask_BHW.to(device, non_blocking=True)
        inputs = as_inputs(micro.inputs, device)
        batch = replace(micro, inputs=inputs, labels_B=labels_B, mask_BHW=mask_BHW)
        signals = NOTHING_TAUGHT
        if self.source is not None:
            signals = self.source.signals(micro.index_B, micro.view_B)
        if not self.mixes:
            return batch, signals
        return self._mixed(batch, signals, number)

    def _mixed(self, batch: Batch, signals: Signals, number: int) -> tuple[Batch, Signals]:
        mix = mixing.draw(
            self.spec.views,
            len(batch.labels_B),
            batch.inputs.shape[-1],
            seed=self.spec.run.seed,
            epoch=self.position.epoch,
            step=self.position.step * MOST_MICROS + number,
        )
        if mix is None:
            return batch, signals
        mixed = mixing.mix_batch(batch, mix, self.num_classes)
        return mixed, mixing.mix_signals(signals, mix)

    def _correct(self, output: StepOutput, batch: Batch) -> Tensor:
        return self.kind.correct(output, batch).sum().float().unsqueeze(0)

    def _over_all(self, sums: Tensor, totals: Totals, asked: list[bool]) -> StepResult:
        everything = torch.cat([sums.detach(), sums.new_tensor([float(one) for one in asked])])
        if self.device_context.processes > 1:
            torch.distributed.all_reduce(everything)
        *values, correct, stop, save = everything.tolist()
        terms = {term.name: value for term, value in zip(self.terms, values, strict=True)}
        loss = sum(term.weight * terms[term.name] for term in self.terms)
        labelled, rows = int(totals.labelled), int(totals.rows)
        return StepResult(loss, terms, rows, labelled, correct, 0.0, stop > 0, save > 0)

    def _check_finite(self, result: StepResult) -> None:
        if math.isfinite(result.loss):
            return
        bad = [name for name, value in result.terms.items() if not math.isfinite(value)]
        raise NumericError(
            "The loss is not finite: {terms} in epoch {epoch}, step {step}. "
            "The weights before this step are kept.",
            terms=", ".join(f"{name} = {result.terms[name]}" for name in bad) or result.loss,
            epoch=self.position.epoch + 1,
            step=self.position.step + 1,
            fix="Lower optim.learning_rate or the weight of that term, or set optim.max_grad_norm.",
        )

    def _check_gradient(self, result: StepResult) -> None:
        """A finite loss may still have a gradient that would spoil every weight."""
        if math.isfinite(result.grad_norm) or self.accelerator.scaler is not None:
            return  # with fp16 the scaler leaves such a step out
        raise NumericError(
            "The gradient is not finite in epoch {epoch}, step {step}, with {terms}. "
            "The weights before this step are kept.",
            epoch=self.position.epoch + 1,
            step=self.position.step + 1,
            terms=", ".join(f"{name} = {value:.4g}" for name, value in result.terms.items()),
            fix="Lower optim.learning_rate, or the weight of the largest term.",
        )

    def _clip(self) -> float:
        limit = self.spec.optim.max_grad_norm
        if limit == 0:
            return 0.0
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), limit)
        return float(norm) if norm is not None else 0.0

    def _smaller(self, largest: int) -> None:
        """Halve the micro-batch, or give up at one; OutOfMemoryError says what would fit."""
        now = self.position.micro_batch or largest
        size = self.spec.data.image_size
        if now <= self.fewest:
            raise OutOfMemoryError(
                "Out of memory with {now} images of {size} px at once, and fewer cannot be.",
                now=now,
                size=size,
                fix="Lower data.image_size below {size}, or choose a smaller student.",
            )
        if self.device_context.processes > 1:
            raise OutOfMemoryError(
                "Out of memory with {now} images a process.",
                now=now,
                next_micro=max(self.fewest, math.ceil(now / 2)),
                fix="Set optim.batch_size to {batch} and optim.grad_accum_steps to {steps}.",
                batch=max(1, self.spec.optim.batch_size // 2),
                steps=self.spec.optim.grad_accum_steps * 2,
            )
        self.optimizer.zero_grad(set_to_none=True)
        if self.device_context.device.type == "cuda":
            torch.cuda.empty_cache()
        self.position.micro_batch = max(self.fewest, math.ceil(now / 2))
        self.progress.notice(
            t(
                "Out of memory with {now} images at once: going on with {half}, "
                "accumulated to the same batch.",
                now=now,
                half=self.position.micro_batch,
            ),
            warning=True,
        )


def as_inputs(inputs: Tensor, device: torch.device) -> Tensor:
    """On the device; pictures as floats of 0 to 1, a text's numbers as they are."""
    moved = inputs.to(device, non_blocking=True)
    return moved.float().div_(255) if moved.dtype == torch.uint8 else moved


def _cut(batch: Batch, size: int) -> list[Batch]:
    """The batch in even parts of at most `size` rows (0: whole)."""
    rows = len(batch.labels_B)
    if size == 0 or rows <= size:
        return [batch]
    parts = math.ceil(rows / size)
    edges = [round(number * rows / parts) for number in range(parts + 1)]
    return [_slice(batch, *pair) for pair in pairwise(edges)]


def norms_single_cells(model: nn.Module) -> bool:
    """Whether a batch norm of it sees one value a row: a variance then takes two rows."""
    student = student_of(model)
    norms = any(isinstance(one, nn.BatchNorm2d) for one in student.modules())
    return norms and student.tokens_grid == 1


def _slice(batch: Batch, start: int, stop: int) -> Batch:
    return replace(
        batch,
        inputs=batch.inputs[start:stop],
        mask_BHW=None if batch.mask_BHW is None else batch.mask_BHW[start:stop],
        labels_B=batch.labels_B[start:stop],
        index_B=batch.index_B[start:stop],
        view_B=batch.view_B[start:stop],
    )
