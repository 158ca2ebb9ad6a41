"""One detector learns: events, checkpoints and stops around Ultralytics' loop."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch import Tensor

from tandem.spec.errors import DataError
from tandem.train.detection.types import DetectionBatch
from tandem.train.engines.checkpoint import Saved, TrainingPosition
from tandem.train.engines.checkpoint_keeper import CheckpointKeeper, copy_weights, plan_key
from tandem.train.engines.run_reporter import EpochReport, RunReporter, StepReport
from tandem.train.yolo import training_state
from tandem.train.yolo.model import BOXES, OWN
from tandem.train.yolo.trainer import DetectionRun, DetectionTrainer

MAP50 = "metrics/mAP50(B)"


class ResumableDetectionTrainer(DetectionTrainer):
    """Trains until the last epoch, an early stop, a request to stop or a failure.

    A step is a batch. After a stop in mid-epoch the loop counts through the batches already
    learnt without touching them, so that rates and means come to where they were.
    """

    def __init__(self, detection_run: DetectionRun, scratch: Path) -> None:
        run = detection_run.run
        self.stop_request, optim = run.stop, run.spec.optim
        self.plan = plan_key(
            run.splits.train, optim.batch_size, optim.grad_accum_steps, run.epoch_samples
        )
        self.position = TrainingPosition(plan=self.plan)
        self.reporter = RunReporter(run, run.kind.primary_metric_name)
        self.keeper = CheckpointKeeper(run, self._capture)
        self.best_weights: dict[str, Tensor] = {}
        self.gradients: dict[str, Tensor] = {}
        """Those of a stopped attempt's last batches, whose step was not due yet."""
        self.saved: Saved | None = None
        self.resumed_step = 0
        self.epoch_began, self.seconds = time.perf_counter(), 0.0
        self.rows = 0
        super().__init__(detection_run, str(scratch))
        self.add_callback("on_train_epoch_start", lambda _: self._begin_epoch())
        self.add_callback("on_train_batch_end", lambda _: self._after_batch())
        self.add_callback("on_train_epoch_end", lambda _: self._end_steps())
        self.add_callback("on_val_batch_end", lambda _: self._stop_if_asked())

    def learn(self) -> None:
        """From the furthest checkpoint to the end. StoppedError after a request to stop."""
        self.saved = self.keeper.furthest()
        epochs = self.detection_run.spec.optim.epochs
        if self.saved is not None and (
            self.saved.position.epoch >= epochs or self.keeper.enough(self.saved.position)
        ):
            # Nothing is left to learn: Ultralytics would set up its loop and train an epoch more.
            self.position, self.best_weights = self.saved.position, self.saved.best
            return
        try:
            self.train()
        finally:
            self._close_loaders()
        if self.position.epoch < epochs:
            self.reporter.stopped_early(self.position)
        self.keeper.save_at_end(self.position)

    def _close_loaders(self) -> None:
        """End their processes, which a failure would leave behind."""
        for name in ("train_loader", "test_loader"):
            loader = vars(self).get(name)  # made as training begins, which may have failed before
            if loader is not None:
                loader.close()

    def resume_training(self, ckpt: object) -> None:  # noqa: ARG002
        """Ultralytics calls it when all parts are there."""
        # As our own average rises, in place of Ultralytics' exponential one.
        if decay := self.detection_run.spec.optim.ema_decay:
            self.ema.decay = lambda count: min(decay, (1 + count) / (10 + count))
        if self.saved is not None:
            training_state.restore(self, self.saved)
            if self.keeper.rewound(self.position, self.plan):
                # Gradients that waited for their step were of batches that are no more.
                self.pending, self.gradients = 0, {}
                self.position.global_step = self.position.epoch * len(self.train_loader)
            self.reporter.resumed(self.position)
        self.start_epoch, self.resumed_step = self.position.epoch, self.position.step
        self.train_loader.begin(self.start_epoch, self.resumed_step)

    @property
    def steps_done(self) -> int:
        return self.position.step

    # The loop's own moments

    def _begin_epoch(self) -> None:
        self.epoch_began, self.rows = time.perf_counter(), 0
        if self.gradients:
            # The loop has cleared them on its start.
            for name, one in self.model.named_parameters():
                if name in self.gradients:
                    one.grad = self.gradients[name].to(one.device)
            self.gradients = {}

    def _close_dataloader_mosaic(self) -> None:
        super()._close_dataloader_mosaic()
        # Rows that workers have read ahead still have mosaics in them.
        self.train_loader.begin(self.epoch, self.position.step)

    def preprocess_batch(self, batch: DetectionBatch | DataError) -> DetectionBatch:
        ready = super().preprocess_batch(batch)
        self.rows += 0 if self.replaying else len(ready["img"])
        if self.replaying:
            # Ultralytics averages whatever the loss gives. What the means had come to leaves them
            # as they were, however many batches are counted through.
            names, sums = self.model.terms, self.position.sums
            ready["items"] = {
                name: torch.tensor(sums.get(name, 0.0), device=self.device) for name in names
            }
        return ready

    def _after_batch(self) -> None:
        self.stepping = False
        if self.replaying:
            return
        self.pending += 1
        position = self.position
        position.step += 1
        position.global_step += 1
        self.reporter.step(position, len(self.train_loader))
        if self.reporter.metric_due(position):
            self._report_metric()
        if self.keeper.save_request.taken():
            self.keeper.save(seconds=time.perf_counter() - self.epoch_began)
        self._stop_if_asked()

    def _report_metric(self) -> None:
        terms = {name: float(value) for name, value in self.loss_items.items()}
        report = StepReport(
            loss=self._weighted(terms),
            terms=terms,
            learning_rate=self._learning_rate(),
            grad_norm=self.grad_norm,
        )
        self.reporter.metric(self.position, report, len(self.train_loader))

    def _weighted(self, items: dict[str, float]) -> float:
        weights = self.detection_run.weights
        own = weights.hard * sum(items[name] for name in OWN)
        feature = weights.feature * items.get(weights.feature_loss, 0.0)
        boxes = weights.boxes * items.get(BOXES, 0.0)
        return own + feature + weights.soft * items.get("soft", 0.0) + boxes

    def _learning_rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def _end_steps(self) -> None:
        """Validation is no part of an epoch's seconds."""
        self.seconds = time.perf_counter() - self.epoch_began
        self.position.seconds += self.seconds
        self.epoch_began = time.perf_counter()

    def save_model(self) -> bool:
        """Ultralytics calls it after each epoch; our checkpoints take the place of its pickles."""
        position = self.position
        position.epoch, position.step, position.sums = self.epoch + 1, 0, {}
        fitness = float(self.fitness)
        better = not self.best_weights or fitness > position.best_accuracy
        if better:
            position.best_accuracy, position.best_epoch = fitness, position.epoch
            copy_weights(self.ema.ema.student_state(), self.best_weights)
        position.epochs_without_better = position.epoch - int(self.stopper.best_epoch)
        self._report_epoch()
        if self.keeper.due(position):
            self.keeper.save(best=better)
        return False

    def _report_epoch(self) -> None:
        terms = {name: float(value) for name, value in self.tloss.items()}
        report = EpochReport(
            train_loss=self._weighted(terms),
            terms=terms,
            roles=self.model.roles,
            val_loss=sum(v for k, v in self.metrics.items() if k.startswith("val/")),
            val_accuracy=float(self.metrics[MAP50]),
            learning_rate=self._learning_rate(),
            rows=self.rows,
            seconds=self.seconds,
        )
        self.reporter.epoch(self.position, report)

    # Checkpoints

    def _capture(self) -> Saved:
        if self.position.step:
            # Ultralytics keeps the means of the epoch under way; a resume starts from them.
            self.position.sums = {name: float(value) for name, value in self.tloss.items()}
        return training_state.capture(self)

    def _stop_if_asked(self) -> None:
        if self.stop_request.asked:
            self.keeper.stop(self.position, time.perf_counter() - self.epoch_began)
