"""What a training loop says of its way: the same events and sentences, whichever loop it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tandem.spec.i18n import t
from tandem.train.engines.checkpoint import TrainingPosition
from tandem.train.engines.context import Run
from tandem.train.engines.device import gpu_usage_percent, memory_megabytes

OVERFIT_EPOCHS = 5
"""Evaluations since the lowest validation loss before over-fitting is told."""
OVERFIT_RISE = 1.05
"""By how much the validation loss must have risen: less than that is noise."""


@dataclass(frozen=True)
class StepReport:
    """What one optimizer step came to."""

    loss: float
    terms: dict[str, float]
    learning_rate: float
    grad_norm: float | None
    """None where the gradient is not limited, so its norm is not known."""


@dataclass(frozen=True)
class EpochReport:
    """What one epoch came to. `train_accuracy` is None where a row has no one class."""

    train_loss: float
    terms: dict[str, float]
    roles: Mapping[str, str]
    """What each of the terms is: hard, soft, feature, …"""
    val_loss: float
    val_accuracy: float
    learning_rate: float
    rows: int
    seconds: float
    train_accuracy: float | None = None


class RunReporter:
    """Turns a loop's numbers into events of its run."""

    def __init__(self, run: Run, primary_metric_name: str) -> None:
        self.run, self.primary_metric_name = run, primary_metric_name

    def step(self, position: TrainingPosition, steps_an_epoch: int) -> None:
        """How far the epoch is."""
        doing = t("epoch {epoch}", epoch=position.epoch + 1)
        self.run.reporter.progress(doing, position.step, steps_an_epoch)

    def metric_due(self, position: TrainingPosition) -> bool:
        """Whether this step is one of those that are logged."""
        return position.global_step % self.run.spec.run.log_interval == 0

    def metric(self, position: TrainingPosition, report: StepReport, steps_an_epoch: int) -> None:
        """One point of each curve over the steps."""
        values = {"loss": report.loss} | {f"loss/{k}": v for k, v in report.terms.items()}
        values["learning_rate"] = report.learning_rate
        if report.grad_norm is not None:
            values["grad_norm"] = report.grad_norm
        self.run.reporter.emit(
            "metric",
            epoch=position.epoch + 1,
            step=position.global_step,
            total_steps=steps_an_epoch * self.run.spec.optim.epochs,
            values=values,
        )

    def epoch(self, position: TrainingPosition, report: EpochReport) -> None:
        """One point of each curve over the epochs."""
        device = self.run.device_context.device
        known = {} if report.train_accuracy is None else {"train_accuracy": report.train_accuracy}
        self.run.reporter.emit(
            "epoch",
            epoch=position.epoch,
            total_epochs=self.run.spec.optim.epochs,
            step=position.global_step,
            # Every epoch has as many.
            total_steps=position.global_step // position.epoch * self.run.spec.optim.epochs,
            train_loss=report.train_loss,
            terms=report.terms,
            roles=report.roles,
            **known,
            val_loss=report.val_loss,
            val_accuracy=report.val_accuracy,
            figure=self.primary_metric_name,
            learning_rate=report.learning_rate,
            seconds=report.seconds,
            images_per_second=report.rows / report.seconds,
            gpu_usage_percent=gpu_usage_percent(device),
            memory_megabytes=memory_megabytes(device),
        )

        self._look_for_overfitting(position, report)

    def _look_for_overfitting(self, position: TrainingPosition, report: EpochReport) -> None:
        """Tell, once in a run, that what is learnt by now is of the training samples alone."""
        if position.lowest_val_epoch == 0 or report.val_loss < position.lowest_val_loss:
            position.lowest_val_loss, position.lowest_val_epoch = report.val_loss, position.epoch
            position.lowest_val_train_loss = report.train_loss
            return
        since = position.epoch - position.lowest_val_epoch
        risen = report.val_loss > position.lowest_val_loss * OVERFIT_RISE
        fallen = report.train_loss < position.lowest_val_train_loss
        if position.overfits_from or since < OVERFIT_EPOCHS or not (risen and fallen):
            return
        position.overfits_from = position.lowest_val_epoch
        self.run.reporter.notice(
            t(
                "Over-fitting: since epoch {epoch} the training loss falls ({before:.4g} to "
                "{now:.4g}) and the validation loss rises ({lowest:.4g} to {risen:.4g}). More or "
                "other data helps, so do fewer epochs, weight decay and augmentation.",
                epoch=position.lowest_val_epoch,
                before=position.lowest_val_train_loss,
                now=report.train_loss,
                lowest=position.lowest_val_loss,
                risen=report.val_loss,
            ),
            warning=True,
        )

    def resumed(self, position: TrainingPosition) -> None:
        """Where an attempt goes on that is not the first."""
        self.run.reporter.notice(t("Going on from epoch {epoch}.", epoch=position.epoch + 1))

    def stopped_early(self, position: TrainingPosition) -> None:
        """Why there are fewer epochs than were asked for."""
        self.run.reporter.notice(
            t(
                "Stopped early: no better validation accuracy for {epochs} epochs.",
                epochs=position.epochs_without_better,
            )
        )
