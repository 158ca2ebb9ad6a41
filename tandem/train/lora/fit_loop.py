"""The loop that fits a teacher's adapters: steps over the labelled rows, saved as they go."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tandem.spec.errors import NumericError, StoppedError
from tandem.spec.i18n import t
from tandem.train.data.loader import BatchPlan
from tandem.train.lora import fit_checkpoint
from tandem.train.lora.adapter_heads import AdapterTrainer
from tandem.train.lora.adapter_task import AdapterTask
from tandem.train.lora.fit_checkpoint import FitPosition, FitState
from tandem.train.types import Batch, ProgressReporter

WARM_UP = 0.1
MAX_GRAD_NORM = 1.0
SAVE_SECONDS = 300.0
"""In an epoch that takes hours: what a kill costs at most. Every epoch's end is saved too."""


class AdapterFit:
    """One adapter that learns. `run` ends as it would have without the stops in between."""

    def __init__(
        self,
        task: AdapterTask,
        trainer: AdapterTrainer,
        folder: Path,
        key: str,
        progress: ProgressReporter,
    ) -> None:
        """`key`: what the adapter follows from; `folder`: where it is kept and will be."""
        self.task, self.trainer, self.folder, self.key = task, trainer, folder, key
        self.progress, self.lora = progress, task.spec.lora
        groups = trainer.parameters()
        self.optimizer = torch.optim.AdamW(
            [{"params": g["params"], "lr": self.lora.learning_rate * g["times"]} for g in groups],
            weight_decay=0.0,
        )
        self.steps_an_epoch = math.ceil(len(task.learn_n) / self.lora.batch_size)
        self.total = self.steps_an_epoch * self.lora.epochs
        total = self.total
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: _rate(step, total)
        )
        half = trainer.dtype == torch.float16
        self.scaler = torch.amp.GradScaler(trainer.device.type, enabled=half)
        self.position = FitPosition()
        self._saved_at = time.monotonic()

    def restore(self, state: FitState) -> None:
        """Go on from there: weights, optimizer, random states, position."""
        for weight, kept in zip(self._weights(), state["weights"], strict=True):
            with torch.no_grad():
                weight.copy_(kept)
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random"]["cpu"])
        if self.trainer.device.type == "cuda" and "cuda" in state["random"]:
            torch.cuda.set_rng_state(state["random"]["cuda"], self.trainer.device)
        self.position = fit_checkpoint.position_of(state)

    def run(self) -> list[float]:
        """The mean loss of each epoch. NumericError for one that is not finite; StoppedError on
        request, with all steps so far saved."""
        self.trainer.train(True)
        while self.position.epoch < self.lora.epochs:
            self._epoch()
        if not self.task.spec.run.save_checkpoints:
            self._save()  # once: another adapter may still be to come
        self.trainer.train(False)
        return self.position.loss_of_each_epoch

    def _epoch(self) -> None:
        position = self.position
        for batch in self.task.batches(self._shuffled()[position.step :]):
            done = position.epoch * self.steps_an_epoch + position.step
            loss = self._step(batch, done)
            if not math.isfinite(loss):
                raise _not_finite(position.epoch, done)
            self.schedule.step()
            position.step += 1
            position.summed += loss * len(batch.labels_B)
            self._tell(done + 1)
        position.loss_of_each_epoch.append(position.summed / len(self.task.learn_n))
        position.epoch, position.step, position.summed = position.epoch + 1, 0, 0.0
        if self.task.spec.run.save_checkpoints:
            self._save()

    def _step(self, batch: Batch, step: int) -> float:
        logits_BK = self.trainer.logits(batch.inputs, step)
        loss = cross_entropy(logits_BK, batch.labels_B.to(logits_BK.device))
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        for group in self.optimizer.param_groups:
            nn.utils.clip_grad_norm_(group["params"], MAX_GRAD_NORM)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return float(loss.detach())

    def _tell(self, done: int) -> None:
        try:
            self.progress.progress(t("The teacher learns from the labels"), done, self.total)
        except StoppedError:
            self._save()
            raise
        late = time.monotonic() - self._saved_at > SAVE_SECONDS
        if late and self.task.spec.run.save_checkpoints:
            self._save()

    def _save(self) -> None:
        random = {"cpu": torch.get_rng_state()}
        if self.trainer.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self.trainer.device)
        state = FitState(
            key=self.key,
            position=fit_checkpoint.as_values(self.position),
            weights=[one.detach().cpu() for one in self._weights()],
            optimizer=self.optimizer.state_dict(),
            schedule=self.schedule.state_dict(),
            scaler=self.scaler.state_dict(),
            random=random,
        )
        fit_checkpoint.save(self.folder, state)
        self._saved_at = time.monotonic()

    def _weights(self) -> list[nn.Parameter]:
        return [one for group in self.optimizer.param_groups for one in group["params"]]

    def _shuffled(self) -> BatchPlan:
        """Each row once, in a view drawn anew each epoch."""
        random = np.random.default_rng(
            [self.task.spec.run.seed, 11, self.task.half, self.position.epoch]
        )
        rows = random.permutation(self.task.learn_n)
        views = random.integers(0, self.task.views.count, len(rows))
        size = self.lora.batch_size
        return [(rows[i : i + size], views[i : i + size]) for i in range(0, len(rows), size)]


def _rate(step: int, total: int) -> float:
    """Up over the first tenth, then down to nothing: a part of the learning rate."""
    up = max(1, round(WARM_UP * total))
    return min((step + 1) / up, (total - step) / max(1, total - up))


def _not_finite(epoch: int, step: int) -> NumericError:
    return NumericError(
        "The loss of the teacher's adapter is not finite at step {step} of epoch {epoch}.",
        step=step,
        epoch=epoch + 1,
        fix="Lower lora.learning_rate, or use teacher.precision bf16 or fp32.",
    )
