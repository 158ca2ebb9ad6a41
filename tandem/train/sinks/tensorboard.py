"""Curves for TensorBoard in the run folder's `tensorboard/`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tandem.spec.event import Epoch, Evaluation, Event, Metric
from tandem.spec.i18n import t
from tandem.spec.os_errors import is_disk_full
from tandem.train.sinks.base import Sink
from tandem.train.types import ProgressReporter, SilentProgress

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoard(Sink):
    """`step/…` over optimizer steps, everything else over epochs; accuracies 0 to 1."""

    def __init__(self) -> None:
        self._writer: SummaryWriter | None = None
        self._progress: ProgressReporter = SilentProgress()
        self._epoch = 0

    def open(self, run_dir: Path, progress: ProgressReporter) -> None:
        self._progress = progress
        # Imported here: it takes seconds, and a run may do without.
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(run_dir / "tensorboard"))

    def receive(self, event: Event) -> None:
        if isinstance(event, Metric):
            self._add({f"step/{name}": value for name, value in event.values.items()}, event.step)
        elif isinstance(event, Epoch):
            self._epoch = event.epoch
            self._add(_epoch_curves(event), event.epoch)
        elif isinstance(event, Evaluation):
            at = event.epoch if event.epoch is not None else self._epoch
            self._add({f"{event.who}/{name}": v for name, v in event.metrics.items()}, at)

    def _add(self, values: dict[str, float], step: int) -> None:
        writer = self._writer
        if writer is None:
            return
        try:
            for name, value in values.items():
                writer.add_scalar(name, value, step)
        except OSError as error:
            # Its own thread has met the full disk; the journal has every number of these curves.
            self._give_up(error)

    def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._writer = None
        if not is_disk_full(error):
            raise error
        self._progress.notice(
            t("TensorBoard's curves end here: {reason}.", reason=t("the disk is full")),
            warning=True,
        )


def _epoch_curves(event: Epoch) -> dict[str, float]:
    curves: dict[str, float | None] = {
        "loss/train": event.train_loss,
        "loss/val": event.val_loss,
        "accuracy/train": event.train_accuracy,
        "accuracy/val": event.val_accuracy,
        "learning_rate": event.learning_rate,
        "images_per_second": event.images_per_second,
        "gpu_usage_percent": event.gpu_usage_percent,
        "memory_megabytes": event.memory_megabytes,
    }
    curves |= {f"loss/{name}": value for name, value in event.terms.items()}
    return {name: value for name, value in curves.items() if value is not None}
