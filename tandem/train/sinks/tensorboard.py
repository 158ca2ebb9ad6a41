"""Curves for TensorBoard in the run folder's `tensorboard/`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tandem.spec.event import Epoch, Evaluation, Event, Metric
from tandem.train.sinks.base import Sink
from tandem.train.types import ProgressReporter

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoard(Sink):
    """`step/…` over optimizer steps, everything else over epochs; accuracies 0 to 1."""

    def __init__(self) -> None:
        self._writer: SummaryWriter | None = None
        self._epoch = 0

    def open(self, run_dir: Path, progress: ProgressReporter) -> None:  # noqa: ARG002
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
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


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
