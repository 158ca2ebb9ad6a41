"""The loop that a detector learns in: epochs of steps, evaluation, checkpoints, stop and resume."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice

from torch import Tensor

from tandem.train.data.boxes import detection_splits
from tandem.train.detection.data.loading import CanvasLoader
from tandem.train.detection.measuring import measure
from tandem.train.detection.step import DetectorStep, StepOutcome
from tandem.train.detection.step_loss import LossPlan
from tandem.train.detection.training_state import DetectorState
from tandem.train.detection.types import DetectionBatch
from tandem.train.engines.base import ResolvedRun
from tandem.train.engines.checkpoint import Saved, TrainingPosition
from tandem.train.engines.checkpoint_keeper import CheckpointKeeper, plan_key
from tandem.train.engines.run_reporter import EpochReport, RunReporter, StepReport
from tandem.train.engines.stop import EvaluationStoppedError
from tandem.train.kinds.base import EvalResult


class DetectorTrainer:
    """Trains until the last epoch, an early stop, a request to stop or a failure."""

    def __init__(self, run: ResolvedRun, state: DetectorState, step: DetectorStep) -> None:
        self.run, self.spec, self.state, self.step = run, run.spec, state, step
        splits, optim = detection_splits(run.splits), run.spec.optim
        self.val = splits.val_boxes
        self.loader = CanvasLoader(
            splits.train_boxes,
            run.spec,
            pin=run.device_context.device.type == "cuda",
            samples=run.samples_an_epoch,
        )
        self.accumulate = optim.grad_accum_steps
        self.reporter = RunReporter(run, run.kind.primary_metric_name)
        self.keeper = CheckpointKeeper(run, self._capture)
        self.plan_key = plan_key(
            run.splits.train, optim.batch_size, optim.grad_accum_steps, run.epoch_samples
        )
        self.position = TrainingPosition(plan=self.plan_key)

    @property
    def plan(self) -> LossPlan:
        """What a step's loss is the sum of."""
        return self.step.plan

    @property
    def steps_an_epoch(self) -> int:
        """Optimizer steps."""
        return -(-len(self.loader) // self.accumulate)

    def learn(self) -> None:
        """From the furthest checkpoint to the end. StoppedError after a request to stop."""
        saved = self.keeper.furthest()
        if saved is not None:
            self._resume(saved)
        while self.position.epoch < self.spec.optim.epochs and not self._enough():
            self._epoch()
        if self._enough():
            self.reporter.stopped_early(self.position)
        self.keeper.save_at_end(self.position)

    def _resume(self, saved: Saved) -> None:
        self.state.restore(saved)
        self.position = position = saved.position
        if self.keeper.rewound(position, self.plan_key):
            position.global_step = position.epoch * self.steps_an_epoch
            self.state.place_schedule(position.global_step)
        if position.epoch < self.spec.optim.epochs:
            self.reporter.resumed(position)

    def _capture(self) -> Saved:
        return self.state.capture(self.position)

    def _enough(self) -> bool:
        return self.keeper.enough(self.position)

    def _epoch(self) -> None:
        start = time.perf_counter()
        rows, epoch = 0, self.position.epoch
        # As in the paper: once mosaics end, boxes are made exact by their distance too.
        last = epoch >= self.spec.optim.epochs - self.spec.yolo.close_mosaic_epochs
        for group in self._groups():
            outcome = self.step(group, self.position, last=last)
            rows += outcome.rows
            self._after_step(outcome)
            if self.run.stop.asked:
                self.keeper.stop(self.position, time.perf_counter() - start)
            if self.keeper.save_request.taken():
                self.keeper.save(seconds=time.perf_counter() - start)
        self._finish_epoch(rows, time.perf_counter() - start, last=last)

    def _groups(self) -> Iterator[list[DetectionBatch]]:
        """The batches of each step that is left of the epoch."""
        begin = self.position.step * self.accumulate
        stream = self.loader.batches(self.position.epoch, begin)
        while group := list(islice(stream, self.accumulate)):
            yield group

    def _after_step(self, outcome: StepOutcome) -> None:
        self.state.scheduler.step()
        self.state.average.update_parameters(self.state.model.student)
        position = self.position
        position.step += 1
        position.global_step += 1
        for name, value in {"loss": outcome.loss, **outcome.terms}.items():
            position.sums[name] = position.sums.get(name, 0.0) + value * outcome.rows
        position.sums["rows"] = position.sums.get("rows", 0.0) + outcome.rows
        self.reporter.step(position, self.steps_an_epoch)
        if self.reporter.metric_due(position):
            report = StepReport(
                loss=outcome.loss,
                terms=outcome.terms,
                learning_rate=self._learning_rate(),
                grad_norm=outcome.grad_norm,
            )
            self.reporter.metric(position, report, self.steps_an_epoch)

    def _learning_rate(self) -> float:
        return float(self.state.scheduler.get_last_lr()[0])

    def _finish_epoch(self, rows: int, seconds: float, *, last: bool) -> None:
        position, sums = self.position, self.position.sums
        try:
            result = self._measured(last=last)
        except EvaluationStoppedError:
            # All its steps are done: a resume evaluates again and goes on.
            self.keeper.stop(position, seconds)
        position.epoch += 1
        position.step, position.sums = 0, {}
        position.seconds += seconds
        better = result.primary_metric > position.best_accuracy
        if better:
            position.best_accuracy, position.best_epoch = result.primary_metric, position.epoch
            position.epochs_without_better = 0
            self.state.keep_best()
        else:
            position.epochs_without_better += 1
        means = {name: value / sums["rows"] for name, value in sums.items() if name != "rows"}
        report = EpochReport(
            train_loss=means.pop("loss"),
            terms=means,
            roles=self.plan.roles,
            val_loss=result.loss,
            val_accuracy=result.primary_metric,
            learning_rate=self._learning_rate(),
            rows=rows,
            seconds=seconds,
        )
        self.reporter.epoch(position, report)
        if self.keeper.due(position):
            self.keeper.save(best=better)

    def _measured(self, *, last: bool) -> EvalResult:
        return measure(
            self.state.evaluated(),
            self.val,
            self.run.device_context.device,
            self.spec.optim.batch_size,
            self.plan,
            last=last,
            stop=self.run.stop,
        )

    @property
    def best(self) -> dict[str, Tensor]:
        """The student's weights at the best epoch."""
        return self.state.best
