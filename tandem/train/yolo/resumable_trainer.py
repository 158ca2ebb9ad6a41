"""One detector learns: events, checkpoints and stops around Ultralytics' loop."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from tandem.spec.errors import DataError, StoppedError
from tandem.spec.i18n import t
from tandem.train.engines import checkpoint
from tandem.train.engines.accelerate.trainer import KEPT_CHECKPOINTS, EventReporter
from tandem.train.engines.checkpoint import Position
from tandem.train.engines.device import gpu_usage_percent, memory_megabytes
from tandem.train.engines.run_folder import RunFolder
from tandem.train.engines.save import SaveRequest
from tandem.train.engines.stop import StopRequest
from tandem.train.yolo import training_state
from tandem.train.yolo.model import OWN
from tandem.train.yolo.trainer import DetectionRun, DetectionStepTrainer
from tandem.train.yolo.types import DetectionBatch

MAP50, MAP50_95 = "metrics/mAP50(B)", "metrics/mAP50-95(B)"


class ResumableDetectionTrainer(DetectionStepTrainer):
    """Trains until the last epoch, an early stop, a request to stop or a failure.

    A step is a batch. After a stop in mid-epoch the loop counts through the batches already
    learnt without touching them, so that rates and means come to where they were.
    """

    def __init__(
        self,
        course: DetectionRun,
        folder: RunFolder,
        reporter: EventReporter,
        stop: StopRequest,
        scratch: Path,
    ) -> None:
        self.run_folder, self.reporter, self.stop_request = folder, reporter, stop
        self.position = Position()
        self.best_weights: dict[str, Tensor] = {}
        self.last_saved = ""
        self.gradients: dict[str, Tensor] = {}
        self.resumed_step = 0
        self.save_request = SaveRequest(Path(course.spec.run.output_dir))
        self.epoch_began, self.seconds = time.perf_counter(), 0.0
        self.rows = 0
        super().__init__(course, str(scratch))
        self.add_callback("on_train_epoch_start", lambda _: self._begin_epoch())
        self.add_callback("on_train_batch_end", lambda _: self._after_batch())
        self.add_callback("on_train_epoch_end", lambda _: self._end_steps())
        self.add_callback("on_val_batch_end", lambda _: self._stop_if_asked())

    def learn(self) -> None:
        """From the furthest checkpoint to the end. StoppedError after a request to stop."""
        saved = self._furthest()
        spec = self.course.spec
        if saved is not None and (
            saved.position.epoch >= spec.optim.epochs or self._enough(saved.position)
        ):
            self.position, self.best_weights = saved.position, saved.best
            return
        self.saved = saved
        try:
            self.train()
        finally:
            for name in ("train_loader", "test_loader"):
                loader = getattr(self, name, None)
                if loader is not None:
                    loader.close()
        if self.position.epoch < spec.optim.epochs:
            self.reporter.notice(
                t(
                    "Stopped early: no better validation accuracy for {epochs} epochs.",
                    epochs=self.position.epochs_without_better,
                )
            )
        wanted = spec.run.save_checkpoints or spec.report.baseline
        if wanted and self.last_saved != checkpoint.name(self.position):
            self.save()

    def _furthest(self) -> checkpoint.Saved | None:
        for path in checkpoint.set_aside(self.run_folder.checkpoints):
            self.reporter.notice(
                t("A checkpoint is damaged and is passed over: {path}.", path=path), warning=True
            )
        found = checkpoint.latest(self.run_folder.checkpoints)
        if found is None:
            return None
        self.last_saved = found.name
        return checkpoint.load(found)

    def _enough(self, position: Position) -> bool:
        patience = self.course.spec.optim.early_stopping_epochs
        return 0 < patience <= position.epochs_without_better

    def resume_training(self, ckpt: Any) -> None:  # noqa: ARG002
        """Ultralytics calls it when all parts are there."""
        if decay := self.course.spec.optim.ema_decay:
            self.ema.decay = lambda count: min(decay, (1 + count) / (10 + count))
        if self.saved is not None:
            training_state.restore(self, self.saved)
            self.reporter.notice(t("Going on from epoch {epoch}.", epoch=self.position.epoch + 1))
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
        self.train_loader.begin(self.epoch, self.position.step)

    def preprocess_batch(self, batch: DetectionBatch | DataError) -> DetectionBatch:
        ready = super().preprocess_batch(batch)
        self.rows += 0 if self.replaying else len(ready["img"])
        if self.replaying:
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
        doing = t("epoch {epoch}", epoch=position.epoch + 1)
        self.reporter.progress(doing, position.step, len(self.train_loader))
        if position.global_step % self.course.spec.run.log_interval == 0:
            self._say_metric()
        if self.save_request.taken():
            self._save_now()
        self._stop_if_asked()

    def _say_metric(self) -> None:
        items = {name: float(value) for name, value in self.loss_items.items()}
        values = {"loss": self._weighted(items)} | {f"loss/{k}": v for k, v in items.items()}
        values |= {"learning_rate": self._rate(), "grad_norm": self.grad_norm}
        self.reporter.emit(
            "metric",
            epoch=self.position.epoch + 1,
            step=self.position.global_step,
            total_steps=len(self.train_loader) * self.epochs,
            values=values,
        )

    def _weighted(self, items: dict[str, float]) -> float:
        weights = self.course.weights
        own = weights.hard * sum(items[name] for name in OWN)
        taught = weights.feature * items.get(weights.feature_loss, 0.0)
        return own + taught + weights.soft * items.get("soft", 0.0)

    def _rate(self) -> float:
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
            self.best_weights = {
                name: one.detach().cpu().clone()
                for name, one in self.ema.ema.student_state().items()
            }
        position.epochs_without_better = position.epoch - int(self.stopper.best_epoch)
        self._say_epoch(self.seconds)
        run = self.course.spec.run
        if run.save_checkpoints and position.epoch % run.checkpoint_interval == 0:
            self.save(best=better)
        return False

    def _say_epoch(self, seconds: float) -> None:
        items = {name: float(value) for name, value in self.tloss.items()}
        val_loss = sum(v for k, v in self.metrics.items() if k.startswith("val/"))
        self.reporter.emit(
            "epoch",
            epoch=self.position.epoch,
            total_epochs=self.epochs,
            train_loss=self._weighted(items),
            terms=items,
            roles=self.model.roles,
            val_loss=val_loss,
            val_accuracy=float(self.metrics[MAP50]),
            figure="map50",
            learning_rate=self._rate(),
            seconds=seconds,
            images_per_second=self.rows / seconds,
            gpu_usage_percent=gpu_usage_percent(self.device),
            memory_megabytes=memory_megabytes(self.device),
        )

    # Checkpoints

    def save(self, best: bool = False) -> None:
        """Save where the run is."""
        if self.position.step:
            self.position.sums = {name: float(value) for name, value in self.tloss.items()}
        name = checkpoint.name(self.position)
        path = checkpoint.save(self.run_folder.checkpoints / name, training_state.capture(self))
        checkpoint.thin(self.run_folder.checkpoints, KEPT_CHECKPOINTS)
        self.reporter.emit(
            "checkpoint",
            path=str(path),
            epoch=self.position.epoch,
            step=self.position.global_step,
            best=best,
        )
        self.last_saved = name

    def _save_now(self) -> None:
        """In the middle of an epoch, whose seconds go on being counted."""
        seconds = time.perf_counter() - self.epoch_began
        self.position.seconds += seconds
        self.save()
        self.position.seconds -= seconds

    def _stop_if_asked(self) -> None:
        if self.stop_request.asked:
            self._stop()

    def _stop(self) -> NoReturn:
        self.position.seconds += time.perf_counter() - self.epoch_began
        self.save()
        raise StoppedError(
            "Stopped on request in epoch {epoch}; the checkpoint {name} was saved.",
            epoch=self.position.epoch + 1,
            name=self.last_saved,
            fix="Start again with the same arguments to go on.",
        )
