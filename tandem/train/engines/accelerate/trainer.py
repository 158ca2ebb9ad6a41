"""The training loop: epochs of steps, evaluation, checkpoints, stop and resume."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from tandem.spec.errors import NumericError
from tandem.spec.i18n import t
from tandem.spec.run import RunSpec
from tandem.train.data.loader import BatchLoader, worker_count
from tandem.train.engines.accelerate.context import TrainingContext
from tandem.train.engines.accelerate.epoch_plan import EpochPlan, batches_an_epoch, draw
from tandem.train.engines.accelerate.loss_terms import Totals
from tandem.train.engines.accelerate.model.batch_norm import forget_broken_statistics
from tandem.train.engines.accelerate.model.projected_student import student_of
from tandem.train.engines.accelerate.optimizer_step import (
    OptimizerStep,
    Requests,
    StepResult,
    StepSums,
)
from tandem.train.engines.accelerate.term_weights import MEASURED_STEPS, added
from tandem.train.engines.accelerate.training_state import (
    TrainingState,
    capture,
    place_schedule,
    restore,
)
from tandem.train.engines.checkpoint import Saved, TrainingPosition
from tandem.train.engines.checkpoint_keeper import CheckpointKeeper, plan_key
from tandem.train.engines.run_reporter import EpochReport, RunReporter, StepReport
from tandem.train.engines.stop import EvaluationStoppedError
from tandem.train.kinds.base import EvalResult
from tandem.train.types import UNLABELLED, Batch

MOST_UNREAD = 10
"""Steps on a GPU after which a request to stop is heard at the latest."""


class Trainer:
    """Trains until the last epoch, an early stop, a request to stop or a failure.

    It owns the position of the run: nobody else changes it.
    """

    def __init__(
        self, context: TrainingContext, state: TrainingState, optimizer_step: OptimizerStep
    ) -> None:
        run = context.run
        self.spec, self.device_context, self.stop = run.spec, run.device_context, run.stop
        self.table, self.views = run.splits.train, run.train_views
        self.state, self.optimizer_step, self.evaluator = state, optimizer_step, context.evaluator
        self.reporter = RunReporter(run, run.kind.primary_metric_name)
        self.keeper = CheckpointKeeper(run, self._capture)
        optim = run.spec.optim
        self.samples = run.samples_an_epoch
        any_view = context.teacher is not None and context.teacher.any_view
        self.fresh_views = run.fresh_views or any_view
        self.plan = plan_key(
            self.table, optim.batch_size, optim.grad_accum_steps, run.epoch_samples
        )
        self.position = TrainingPosition(plan=self.plan)
        self.loader = BatchLoader(
            self.table,
            self.views,
            image_size=run.spec.data.image_size,
            max_pixels=run.spec.data.max_image_pixels,
            workers=worker_count(run.spec.data.workers),
            pin=run.device_context.device.type == "cuda",
        )
        self.unread: list[StepSums] = []
        """Steps whose sums are still on the device alone."""

    @property
    def steps_an_epoch(self) -> int:
        """Optimizer steps."""
        return steps_an_epoch(self.samples, self.spec)

    def resume(self) -> bool:
        """Go on from the furthest whole checkpoint, if there is one."""
        saved = self.keeper.furthest()
        if saved is None:
            return False
        restore(self.state, saved, self.device_context)
        self.position = position = saved.position
        if self.keeper.rewound(position, self.plan):
            position.global_step = position.epoch * self.steps_an_epoch
            place_schedule(self.state, position.global_step)
        self.optimizer_step.micro_batch = saved.position.micro_batch
        return True

    def _capture(self) -> Saved:
        micro_batch = self.optimizer_step.micro_batch
        position = replace(self.position, micro_batch=micro_batch)
        return capture(self.state, position, self.device_context)

    def train(self) -> None:
        """All epochs that are left. StoppedError after a request to stop."""
        while self.position.epoch < self.spec.optim.epochs and not self._enough():
            self._epoch()
        if self._enough():
            self.reporter.stopped_early(self.position)
        self.keeper.save_at_end(self.position)

    def _enough(self) -> bool:
        return self.keeper.enough(self.position)

    def _epoch(self) -> None:
        start = time.perf_counter()
        optim = self.spec.optim
        plan = draw(
            self.table.labels_N,
            batch_size=optim.batch_size,
            views=self.views.count,
            seed=self.spec.run.seed,
            epoch=self.position.epoch,
            samples=self.samples,
            fresh=self.fresh_views,
            balanced=self.spec.data.sampling == "balanced",
        )
        rows = 0
        for group, totals in self._groups(plan):
            self._step(group, totals)
            rows += int(totals.rows)
            results = self._read() if self._must_read() else []
            for result in results:
                self._weigh(result)
            self._move_on()
            for result in results:
                self._count(result)
            if results and self.reporter.metric_due(self.position):
                self._report_metric(results[-1])
            if any(result.stop for result in results):
                self.keeper.stop(self.position, time.perf_counter() - start)
            if any(result.save for result in results):
                self.keeper.save(seconds=time.perf_counter() - start)
        self._finish_epoch(rows, time.perf_counter() - start)

    def _step(self, group: list[Batch], totals: Totals) -> None:
        requests = Requests(self.stop.asked, self.keeper.save_request.taken())
        self.unread.append(self.optimizer_step.step(group, totals, self.position, requests))

    def _must_read(self) -> bool:
        """Whether what the steps came to is read now, which waits for a GPU to finish them.

        At each step that is logged or that weighs the next, at an epoch's last, and often enough
        for a stop to be heard; all processes decide alike. On a CPU there is nothing to wait for.
        """
        position = self.position
        if self.device_context.device.type == "cpu" or len(self.unread) >= MOST_UNREAD:
            return True
        if position.step + 1 >= self.steps_an_epoch:
            return True
        due = replace(position, global_step=position.global_step + 1)
        return self.reporter.metric_due(due) or self.optimizer_step.weights.measures(position)

    def _read(self) -> list[StepResult]:
        several, self.unread = self.unread, []
        try:
            return self.optimizer_step.read(several)
        except NumericError:
            # The weights before the step are good: a first checkpoint keeps them to be looked at.
            # The batch statistics are not, where it was the forward pass that was not finite.
            if not self.keeper.last_saved:
                forget_broken_statistics(self.state.model)
                self.keeper.save()
            raise

    def _groups(self, plan: EpochPlan) -> Iterator[tuple[list[Batch], Totals]]:
        accumulate = self.spec.optim.grad_accum_steps
        begin = self.position.step * accumulate
        # Every process draws the whole plan: it knows the global batch, and so what its part of a
        # mean weighs, without asking the others.
        share = plan.share(self.device_context.rank, self.device_context.processes, begin)
        stream = self.loader.batches(share)
        for first in range(begin, len(plan), accumulate):
            group = list(islice(stream, accumulate))
            rows = np.concatenate(plan.rows[first : first + accumulate])
            labelled = int((self.table.labels_N[rows] != UNLABELLED).sum())
            yield group, Totals(len(rows), labelled)

    def _move_on(self) -> None:
        self.state.scheduler.step()
        if self.state.average is not None:
            self.state.average.update_parameters(self.state.model)
        position = self.position
        position.step += 1
        position.global_step += 1
        self.reporter.step(position, self.steps_an_epoch)

    def _count(self, result: StepResult) -> None:
        """Into the means of the epoch."""
        self._add("loss", result.loss * result.rows)
        for name, value in result.terms.items():
            share = result.labelled if name in self.optimizer_step.labelled_terms else result.rows
            self._add(f"term/{name}", value * share)
        self._add("rows", result.rows)
        self._add("labelled", result.labelled)
        self._add("correct", result.correct)

    def _weigh(self, result: StepResult) -> None:
        """Keep what the terms' gradients came to; once enough are known, tell the weights."""
        weights, position = self.optimizer_step.weights, self.position
        if not weights.measures(position):
            return
        position.term_gradients = added(position.term_gradients, result.term_gradients)
        if position.global_step + 1 == MEASURED_STEPS:
            scales = weights.scales(position.term_gradients)
            told = [
                f"{term.name} {term.weight:g} → {term.weight * scales[term.name]:.3g}"
                for term in weights.terms
            ]
            self.optimizer_step.progress.notice(
                t(
                    "The weights of the loss's terms, by their gradients on the student in the "
                    "first {steps} steps: {weights}.",
                    steps=MEASURED_STEPS,
                    weights=", ".join(told),
                )
            )

    def _add(self, key: str, value: float) -> None:
        self.position.sums[key] = self.position.sums.get(key, 0.0) + value

    def _report_metric(self, result: StepResult) -> None:
        limited = self.spec.optim.max_grad_norm > 0
        report = StepReport(
            loss=result.loss,
            terms=result.terms,
            learning_rate=self._learning_rate(),
            grad_norm=result.grad_norm if limited else None,
        )
        self.reporter.metric(self.position, report, self.steps_an_epoch)

    def _learning_rate(self) -> float:
        return float(self.state.scheduler.get_last_lr()[0])

    def _finish_epoch(self, rows: int, seconds: float) -> None:
        position, sums = self.position, self.position.sums
        try:
            found = self.evaluator.evaluate(student_of(self.state.evaluated()), self.stop)
        except EvaluationStoppedError:
            # All its steps are done: a resume evaluates again and goes on.
            self.keeper.stop(position, seconds)
        position.epoch += 1
        position.step = 0
        position.sums = {}  # a new one: the report below still reads those of this epoch
        position.seconds += seconds
        better = found.chosen_by > position.best_accuracy
        if better:
            position.best_accuracy, position.best_epoch = found.chosen_by, position.epoch
            position.epochs_without_better = 0
            self.state.keep_best()
        else:
            position.epochs_without_better += 1
        self._report_epoch(sums, rows, seconds, found)
        if self.keeper.due(position):
            self.keeper.save(best=better)

    def _report_epoch(
        self, sums: dict[str, float], rows: int, seconds: float, found: EvalResult
    ) -> None:
        """`sums` are over rows: each mean is over the rows that its term applies to."""
        labelled, only_labelled = max(sums["labelled"], 1.0), self.optimizer_step.labelled_terms
        roles = {term.name: term.entry.role for term in self.optimizer_step.terms}
        report = EpochReport(
            train_loss=sums["loss"] / sums["rows"],
            terms={
                name: sums[f"term/{name}"] / (labelled if name in only_labelled else sums["rows"])
                for name in roles
            },
            roles=roles,
            train_accuracy=sums["correct"] / labelled,
            val_accuracy=found.primary_metric,
            val_loss=found.loss,
            learning_rate=self._learning_rate(),
            rows=rows,
            seconds=seconds,
        )
        self.reporter.epoch(self.position, report)


def steps_an_epoch(samples: int, spec: RunSpec) -> int:
    """Optimizer steps in an epoch of so many samples."""
    whole = batches_an_epoch(samples, spec.optim.batch_size)
    return -(-whole // spec.optim.grad_accum_steps)
