"""One optimizer step: its batches cut into micro-batches that fit, summed exactly."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tandem.spec.errors import NumericError, OutOfMemoryError
from tandem.spec.i18n import t
from tandem.train.engines.accelerate import mixing
from tandem.train.engines.accelerate.checks import norms_single_cells
from tandem.train.engines.accelerate.context import TrainingContext
from tandem.train.engines.accelerate.loss_terms import Term, Totals, weighted_sum
from tandem.train.engines.accelerate.model.projected_student import (
    StudentOutputs,
    outputs,
    student_of,
)
from tandem.train.engines.accelerate.term_weights import TermWeights, gradient_norm
from tandem.train.engines.checkpoint import TrainingPosition
from tandem.train.engines.device import as_inputs, is_out_of_memory
from tandem.train.types import UNLABELLED, Batch, Signals, StepOutput

NOTHING_TAUGHT = Signals()
MOST_MICROS = 2**20  # more than any step is cut into, so that each part draws its own mix


@dataclass
class StepResult:
    """What one optimizer step came to, over all processes."""

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
    term_gradients: dict[str, float] = field(default_factory=dict)
    """The size of each term's gradient on the student, in the steps that are measured."""


@dataclass(frozen=True)
class StepSums:
    """The same, as it lies on the device: to read it is to wait for the step."""

    values: Tensor
    """Each term, the rows that are right, stop, save, the gradient's norm."""
    totals: Totals
    epoch: int
    step: int
    weighed: list[Term]
    """The terms with the weights that they had."""
    gradients_T: Tensor | None
    """The size of each term's gradient on the student, where it was measured."""


@dataclass(frozen=True)
class Requests:
    """What was asked of this process since the last step."""

    stop: bool
    save: bool


@dataclass(frozen=True)
class MixDraw:
    """Which draw of its epoch a part is mixed by: a resumed run mixes it as it was mixed before."""

    epoch: int
    number: int


class OptimizerStep:
    """Forward, backward and update of one step.

    It keeps how many rows fit at once, and nothing else that outlives a step.
    """

    def __init__(
        self,
        context: TrainingContext,
        model: nn.Module,
        optimizer: Optimizer,
        weights: TermWeights,
    ) -> None:
        run = context.run
        self.spec, self.device_context, self.kind = run.spec, run.device_context, run.table_kind
        self.progress, self.num_classes = run.reporter, len(run.splits.train.classes)
        self.accelerator, self.terms, self.source = (
            context.accelerator,
            context.terms,
            context.source,
        )
        self.model, self.optimizer, self.weights = model, optimizer, weights
        self.weighed = self.terms
        """The terms with the weights of the step under way."""
        self.gradients_T: Tensor | None = None
        """The size of each term's gradient in the step under way, where it is measured."""
        self.micro_batch = 0
        """Rows in one forward pass; 0 until memory ran out."""
        self.mixes = run.spec.views.mixup > 0 or run.spec.views.cutmix > 0
        self.broken = torch.zeros((), device=self.device_context.device)
        """1 since a loss or a gradient was not finite: from then on no update is made."""
        self.looks = all(group.get("fused") for group in optimizer.param_groups)
        """Whether the optimizer looks at `found_inf`."""
        # Three rows never leave a part of one, which such a batch norm cannot take.
        self.fewest = 3 if norms_single_cells(student_of(model)) else 1

    @property
    def labelled_terms(self) -> frozenset[str]:
        """The terms that are means over the labelled rows, not over all."""
        return frozenset(term.name for term in self.terms if term.only_labelled)

    def step(
        self,
        group: list[Batch],
        totals: Totals,
        position: TrainingPosition,
        requests: Requests,
    ) -> StepSums:
        """Update the weights by these batches. A batch that does not fit is cut and tried again.

        Nothing is read from the device, but where it must be known before the update whether it is
        to be made: by optimizers that cannot ask the device themselves.
        """
        self.weighed = self.weights.at(position)
        while True:
            try:
                sums = self._accumulate(group, totals, position)
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._smaller(max(len(batch.labels_B) for batch in group))
        # One reduction for the sums and for what was asked: so every process stops, or saves, at
        # the same step, whichever of them was told.
        everything = self._over_all(sums, requests)
        values = torch.cat([everything, self._clip().reshape(1)])
        found = StepSums(
            values, totals, position.epoch, position.step, self.weighed, self.gradients_T
        )
        if not self._guarded(values):
            self.read([found])
        self.optimizer.step()
        return found

    def read(self, several: Sequence[StepSums]) -> list[StepResult]:
        """What they came to, in one transfer. NumericError for the first that is not finite."""
        if not several:
            return []
        rows = torch.stack([one.values for one in several]).tolist()
        results = [self._result(one, row) for one, row in zip(several, rows, strict=True)]
        for one, result in zip(several, results, strict=True):
            self._check_finite(result, one)
            self._check_gradient(result, one)
        return results

    def _guarded(self, values: Tensor) -> bool:
        """Let the optimizer itself leave out the update where the loss or gradient is not finite.

        A fused one looks at `found_inf` on its device, as a loss scaler (which does the same) sets
        it. False where the optimizer has no such look.
        """
        if self.accelerator.scaler is not None:
            return True
        if not self.looks:
            return False
        bad = 1 - torch.isfinite(values).all().float()
        self.broken = torch.maximum(self.broken, bad)
        bare: Optimizer = getattr(self.optimizer, "optimizer", self.optimizer)
        vars(bare)["found_inf"] = self.broken
        return True

    def _result(self, sums: StepSums, row: list[float]) -> StepResult:
        *values, correct, stop, save, norm = row
        terms = {term.name: value for term, value in zip(self.terms, values, strict=True)}
        loss = sum(term.weight * terms[term.name] for term in sums.weighed)
        labelled, rows = int(sums.totals.labelled), int(sums.totals.rows)
        result = StepResult(loss, terms, rows, labelled, correct, norm, stop > 0, save > 0)
        if sums.gradients_T is not None:
            result.term_gradients = dict(zip(terms, sums.gradients_T.tolist(), strict=True))
        return result

    def _accumulate(self, group: list[Batch], totals: Totals, position: TrainingPosition) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        measured = self.weights.measures(position)
        self.gradients_T = self._zeros(len(self.terms)) if measured else None
        micros = [micro for batch in group for micro in _cut(batch, self.micro_batch)]
        sums = self._zeros(len(self.terms) + 1)
        for number, micro in enumerate(micros):
            # Gradients are exchanged once a step, with the last part's.
            last = number == len(micros) - 1
            quiet = contextlib.nullcontext() if last else self.accelerator.no_sync(self.model)
            draw = MixDraw(position.epoch, position.step * MOST_MICROS + number)
            with quiet:
                sums += self._forward_backward(micro, totals, draw)
        return sums

    def _forward_backward(self, micro: Batch, totals: Totals, draw: MixDraw) -> Tensor:
        batch, signals = self._prepare(micro, draw)
        taps = outputs(self.model(batch.inputs))
        if self.gradients_T is not None:
            self.gradients_T += self._gradients(taps, signals, batch, totals)
        loss, values = weighted_sum(self.weighed, taps, signals, batch, totals)
        # Data-parallel training averages gradients over processes; the parts must be summed.
        self.accelerator.backward(loss * self.device_context.processes)
        return torch.cat([values, self._correct(taps.own, batch)])

    def _zeros(self, count: int) -> Tensor:
        return torch.zeros(count, device=self.device_context.device)

    def _gradients(
        self,
        taps: StudentOutputs,
        signals: Signals,
        batch: Batch,
        totals: Totals,
    ) -> Tensor:
        """(terms,) how large each term's gradient on the student is, before its weight."""
        parameters = [one for one in student_of(self.model).parameters() if one.requires_grad]
        alone = [[replace(term, weight=1.0)] for term in self.terms]
        sums = [weighted_sum(one, taps, signals, batch, totals)[0] for one in alone]
        return torch.stack([gradient_norm(one, parameters) for one in sums])

    def _prepare(self, micro: Batch, draw: MixDraw) -> tuple[Batch, Signals]:
        device = self.device_context.device
        # Known before the labels go to the device, which would have to be waited for.
        labelled_B = micro.labels_B != UNLABELLED
        labels_B = micro.labels_B.to(device, non_blocking=True)
        mask_BHW = micro.mask_BHW
        if mask_BHW is not None:
            mask_BHW = mask_BHW.to(device, non_blocking=True)
        inputs = as_inputs(micro.inputs, device)
        batch = replace(
            micro, inputs=inputs, labels_B=labels_B, mask_BHW=mask_BHW, labelled_B=labelled_B
        )
        signals = NOTHING_TAUGHT
        if self.source is not None:
            signals = self.source.signals(micro.index_B, micro.view_B)
        if not self.mixes:
            return batch, signals
        return self._mixed(batch, signals, draw)

    def _mixed(self, batch: Batch, signals: Signals, draw: MixDraw) -> tuple[Batch, Signals]:
        mix = mixing.draw(
            self.spec.views,
            len(batch.labels_B),
            batch.inputs.shape[-1],
            seed=self.spec.run.seed,
            epoch=draw.epoch,
            step=draw.number,
        )
        if mix is None:
            return batch, signals
        mixed = mixing.mix_batch(batch, mix, self.num_classes)
        return mixed, mixing.mix_signals(signals, mix)

    def _correct(self, output: StepOutput, batch: Batch) -> Tensor:
        return self.kind.correct(output, batch).sum().float().unsqueeze(0)

    def _over_all(self, sums: Tensor, requests: Requests) -> Tensor:
        # Filled on the device: copied there, they would be waited for.
        asked = [sums.new_full((1,), float(one)) for one in (requests.stop, requests.save)]
        everything = torch.cat([sums.detach(), *asked])
        if self.device_context.processes > 1:
            torch.distributed.all_reduce(everything)
            if self.gradients_T is not None:
                torch.distributed.all_reduce(self.gradients_T)
        return everything

    def _check_finite(self, result: StepResult, position: StepSums) -> None:
        if math.isfinite(result.loss):
            return
        bad = [name for name, value in result.terms.items() if not math.isfinite(value)]
        raise NumericError(
            "The loss is not finite: {terms} in epoch {epoch}, step {step}. "
            "The weights before this step are kept.",
            terms=", ".join(f"{name} = {result.terms[name]}" for name in bad) or result.loss,
            epoch=position.epoch + 1,
            step=position.step + 1,
            fix="Lower optim.learning_rate or the weight of that term, or set optim.max_grad_norm.",
        )

    def _check_gradient(self, result: StepResult, position: StepSums) -> None:
        """A finite loss may still have a gradient that would spoil every weight."""
        if math.isfinite(result.grad_norm) or self.accelerator.scaler is not None:
            return  # with fp16 the scaler leaves such a step out
        raise NumericError(
            "The gradient is not finite in epoch {epoch}, step {step}, with {terms}. "
            "The weights before this step are kept.",
            epoch=position.epoch + 1,
            step=position.step + 1,
            terms=", ".join(f"{name} = {value:.4g}" for name, value in result.terms.items()),
            fix="Lower optim.learning_rate, or the weight of the largest term.",
        )

    def _clip(self) -> Tensor:
        """The gradient's norm before it is limited; 0 where it is not."""
        limit, norm = self.spec.optim.max_grad_norm, None
        if limit > 0:
            norm = self.accelerator.clip_grad_norm_(self.model.parameters(), limit)
        return self.broken.new_zeros(()) if norm is None else norm.detach()

    def _smaller(self, largest: int) -> None:
        """Halve the micro-batch, or give up at one; OutOfMemoryError says what would fit."""
        now = self.micro_batch or largest
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
                "Out of memory with {now} samples a process.",
                now=now,
                # The others wait for this process in a reduction, so it cannot try again alone: the
                # launcher starts all of them anew with this many.
                next_micro=max(self.fewest, math.ceil(now / 2)),
                fix="Set optim.batch_size to {batch} and optim.grad_accum_steps to {steps}.",
                batch=max(1, self.spec.optim.batch_size // 2),
                steps=self.spec.optim.grad_accum_steps * 2,
            )
        self.optimizer.zero_grad(set_to_none=True)
        # The gradients of the parts that fitted have gone first: their memory is given back too.
        if self.device_context.device.type == "cuda":
            torch.cuda.empty_cache()
        self.micro_batch = max(self.fewest, math.ceil(now / 2))
        self.progress.notice(
            t(
                "Out of memory with {now} samples at once: going on with {half}, "
                "accumulated to the same batch.",
                now=now,
                half=self.micro_batch,
            ),
            warning=True,
        )


def _cut(batch: Batch, size: int) -> list[Batch]:
    """The batch in even parts of at most `size` rows (0: whole)."""
    rows = len(batch.labels_B)
    if size == 0 or rows <= size:
        return [batch]
    parts = math.ceil(rows / size)
    # Even parts, not full ones and a rest: a rest of one row has no variance for a batch norm.
    edges = [round(number * rows / parts) for number in range(parts + 1)]
    return [_slice(batch, *pair) for pair in pairwise(edges)]


def _slice(batch: Batch, start: int, stop: int) -> Batch:
    return replace(
        batch,
        inputs=batch.inputs[start:stop],
        mask_BHW=None if batch.mask_BHW is None else batch.mask_BHW[start:stop],
        labels_B=batch.labels_B[start:stop],
        index_B=batch.index_B[start:stop],
        view_B=batch.view_B[start:stop],
    )
