"""The training loop: epochs of steps, evaluation, checkpoints, stop and resume."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NoReturn, Protocol

import numpy as np
import torch

from tandem.spec.errors import NumericError, StoppedError
from tandem.spec.i18n import t
from tandem.spec.run import RunSpec
from tandem.train.data.augment import Views
from tandem.train.data.loader import batches, worker_count
from tandem.train.engines import checkpoint
from tandem.train.engines.accelerate.batch_norm import forget_broken_statistics
from tandem.train.engines.accelerate.epoch_plan import EpochPlan, batches_an_epoch, draw
from tandem.train.engines.accelerate.loss_terms import Totals
from tandem.train.engines.accelerate.optimizer_step import OptimizerStep, StepResult
from tandem.train.engines.accelerate.training_state import TrainingState, capture, restore
from tandem.train.engines.device import DeviceContext, gpu_usage_percent, memory_megabytes
from tandem.train.engines.run_folder import RunFolder
from tandem.train.engines.save import SaveRequest
from tandem.train.engines.stop import EvaluationStoppedError, StopRequest
from tandem.train.types import UNLABELLED, Batch, ImageTable

KEPT_CHECKPOINTS = 2


class EventReporter(Protocol):
    """What the loop says it to: an Emitter in the first process, nothing in the others."""

    def emit(self, type: str, **fields: object) -> object: ...
    def notice(self, message: str, warning: bool = False) -> None: ...
    def progress(self, doing: str, done: int, total: int) -> None: ...


class Trainer:
    """Trains until the last epoch, an early stop, a request to stop or a failure."""

    def __init__(
        self,
        spec: RunSpec,
        device_context: DeviceContext,
        folder: RunFolder,
        table: ImageTable,
        views: Views,
        trained: TrainingState,
        stepper: OptimizerStep,
        evaluate: Callable[[], tuple[float, float]],
        reporter: EventReporter,
        stop: StopRequest,
    ) -> None:
        self.spec, self.device_context, self.folder = spec, device_context, folder
        self.table, self.views, self.trained, self.stepper = table, views, trained, stepper
        self.evaluate, self.reporter, self.stop = evaluate, reporter, stop
        self.position = stepper.position
        self.workers = worker_count(spec.data.workers)
        self.last_saved = ""
        self.save_request = SaveRequest(Path(spec.run.output_dir), looks=device_context.first)

    @property
    def steps_an_epoch(self) -> int:
        """Optimizer steps."""
        return steps_an_epoch(len(self.table), self.spec)

    def resume(self) -> bool:
        """Go on from the furthest whole checkpoint, if there is one."""
        self._set_damaged_aside()
        found = checkpoint.latest(self.folder.checkpoints)
        if found is None:
            return False
        saved = checkpoint.load(found)
        restore(self.trained, saved, self.device_context)
        self.position.__dict__.update(saved.position.__dict__)
        self.last_saved = found.name
        return True

    def _set_damaged_aside(self) -> None:
        if not self.device_context.first:
            return
        for path in checkpoint.set_aside(self.folder.checkpoints):
            self.reporter.notice(
                t("A checkpoint is damaged and is passed over: {path}.", path=path), warning=True
            )

    def run(self) -> None:
        """All epochs that are left. StoppedError after a request to stop."""
        while self.position.epoch < self.spec.optim.epochs and not self._enough():
            self._epoch()
        if self._enough():
            self.reporter.notice(
                t(
                    "Stopped early: no better validation accuracy for {epochs} epochs.",
                    epochs=self.position.epochs_without_better,
                )
            )
        # A baseline is still to come, and a stop in it must not cost what was learnt so far.
        wanted = self.spec.run.save_checkpoints or self.spec.report.baseline
        if wanted and self.last_saved != checkpoint.name(self.position):
            self.save()

    def _enough(self) -> bool:
        patience = self.spec.optim.early_stopping_epochs
        return 0 < patience <= self.position.epochs_without_better

    def _epoch(self) -> None:
        start = time.perf_counter()
        optim = self.spec.optim
        plan = draw(
            self.table.labels_N,
            batch_size=optim.batch_size,
            views=self.views.count,
            seed=self.spec.run.seed,
            epoch=self.position.epoch,
        )
        rows = 0
        for group, totals in self._groups(plan):
            try:
                result = self.stepper.step(
                    group, totals, self.stop.asked, self.save_request.taken()
                )
            except NumericError:
                if not self.last_saved:
                    forget_broken_statistics(self.trained.model)
                    self.save()
                raise
            self._after_step(result)
            rows += result.rows
            if result.stop:
                self.position.seconds += time.perf_counter() - start
                self._stop()
            if result.save:
                self._save_now(time.perf_counter() - start)
        self._finish_epoch(rows, time.perf_counter() - start)

    def _groups(self, plan: EpochPlan) -> Iterator[tuple[list[Batch], Totals]]:
        accumulate = self.spec.optim.grad_accum_steps
        begin = self.position.step * accumulate
        share = plan.share(self.device_context.rank, self.device_context.processes, begin)
        stream = batches(
            self.table,
            self.views,
            share,
            image_size=self.spec.data.image_size,
            max_pixels=self.spec.data.max_image_pixels,
            workers=self.workers,
        )
        for first in range(begin, len(plan), accumulate):
            group = list(islice(stream, accumulate))
            rows = np.concatenate(plan.rows[first : first + accumulate])
            labelled = int((self.table.labels_N[rows] != UNLABELLED).sum())
            yield group, Totals(len(rows), labelled)

    def _after_step(self, result: StepResult) -> None:
        self.trained.scheduler.step()
        if self.trained.average is not None:
            self.trained.average.update_parameters(self.trained.model)
        position = self.position
        position.step += 1
        position.global_step += 1
        self._add("loss", result.loss * result.rows)
        for name, value in result.terms.items():
            share = result.labelled if name in self.stepper.labelled_terms else result.rows
            self._add(f"term/{name}", value * share)
        self._add("rows", result.rows)
        self._add("labelled", result.labelled)
        self._add("correct", result.correct)
        doing = t("epoch {epoch}", epoch=position.epoch + 1)
        self.reporter.progress(doing, position.step, self.steps_an_epoch)
        if position.global_step % self.spec.run.log_interval == 0:
            self._say_metric(result)

    def _add(self, key: str, value: float) -> None:
        self.position.sums[key] = self.position.sums.get(key, 0.0) + value

    def _say_metric(self, result: StepResult) -> None:
        values = {"loss": result.loss} | {f"loss/{k}": v for k, v in result.terms.items()}
        values["learning_rate"] = float(self.trained.scheduler.get_last_lr()[0])
        if self.spec.optim.max_grad_norm:
            values["grad_norm"] = result.grad_norm
        self.reporter.emit(
            "metric",
            epoch=self.position.epoch + 1,
            step=self.position.global_step,
            total_steps=self.steps_an_epoch * self.spec.optim.epochs,
            values=values,
        )

    def _finish_epoch(self, rows: int, seconds: float) -> None:
        position, sums = self.position, self.position.sums
        try:
            val_accuracy, val_loss = self.evaluate()
        except EvaluationStoppedError:
            # All its steps are done: a resume evaluates again and goes on.
            position.seconds += seconds
            self._stop()
        position.epoch += 1
        position.step = 0
        position.sums = {}
        position.seconds += seconds
        better = val_accuracy > position.best_accuracy
        if better:
            position.best_accuracy, position.best_epoch = val_accuracy, position.epoch
            position.epochs_without_better = 0
            self.trained.best = self.trained.student_weights()
        else:
            position.epochs_without_better += 1
        self._say_epoch(sums, rows, seconds, val_accuracy, val_loss)
        if self._checkpoint_due():
            self.save(best=better)

    def _say_epoch(
        self, sums: dict[str, float], rows: int, seconds: float, accuracy: float, loss: float
    ) -> None:
        labelled = max(sums["labelled"], 1.0)
        self.reporter.emit(
            "epoch",
            epoch=self.position.epoch,
            total_epochs=self.spec.optim.epochs,
            train_loss=sums["loss"] / sums["rows"],
            terms={
                key.removeprefix("term/"): value
                / (
                    labelled
                    if key.removeprefix("term/") in self.stepper.labelled_terms
                    else sums["rows"]
                )
                for key, value in sums.items()
                if key.startswith("term/")
            },
            roles={term.name: term.entry.role for term in self.stepper.terms},
            train_accuracy=sums["correct"] / labelled,
            val_loss=loss,
            val_accuracy=accuracy,
            figure=self.stepper.kind.primary_metric_name,
            learning_rate=float(self.trained.scheduler.get_last_lr()[0]),
            seconds=seconds,
            images_per_second=rows / seconds,
            gpu_usage_percent=gpu_usage_percent(self.device_context.device),
            memory_megabytes=memory_megabytes(self.device_context.device),
        )

    def _checkpoint_due(self) -> bool:
        run, epoch = self.spec.run, self.position.epoch
        return run.save_checkpoints and epoch % run.checkpoint_interval == 0

    def save(self, best: bool = False) -> None:
        """Save where the run is. Every process takes part; the first one writes."""
        saved = capture(self.trained, replace(self.position), self.device_context)
        name = checkpoint.name(self.position)
        if self.device_context.first:
            path = checkpoint.save(self.folder.checkpoints / name, saved)
            checkpoint.thin(self.folder.checkpoints, KEPT_CHECKPOINTS)
            self.reporter.emit(
                "checkpoint",
                path=str(path),
                epoch=self.position.epoch,
                step=self.position.global_step,
                best=best,
            )
        self.last_saved = name
        if self.device_context.processes > 1:
            torch.distributed.barrier()

    def _save_now(self, seconds: float) -> None:
        """In the middle of an epoch that has lasted `seconds`, which go on being counted."""
        self.position.seconds += seconds
        self.save()
        self.position.seconds -= seconds

    def _stop(self) -> NoReturn:
        self.save()
        raise StoppedError(
            "Stopped on request in epoch {epoch}; the checkpoint {name} was saved.",
            epoch=self.position.epoch + 1,
            name=self.last_saved,
            fix="Start again with the same arguments to go on.",
        )


def steps_an_epoch(rows: int, spec: RunSpec) -> int:
    """Optimizer steps in one pass over `rows`."""
    whole = batches_an_epoch(rows, spec.optim.batch_size)
    return -(-whole // spec.optim.grad_accum_steps)
