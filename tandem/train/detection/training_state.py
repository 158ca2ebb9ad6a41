"""What of a detector's run changes while it learns, into a checkpoint and back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from tandem.train.detection.step_loss import ProjectedDetector
from tandem.train.detection.student import LearningDetector
from tandem.train.engines.accelerate.model.ema import averaged
from tandem.train.engines.checkpoint import Saved, TrainingPosition
from tandem.train.engines.checkpoint_keeper import copy_weights, load_weights


@dataclass
class DetectorState:
    """The parts of a run that change while it learns."""

    model: ProjectedDetector
    optimizer: torch.optim.Optimizer
    scheduler: LambdaLR
    average: AveragedModel
    """The student alone, without projectors."""
    best: dict[str, Tensor] = field(default_factory=dict)
    """The student's weights at the best epoch, on the CPU."""

    def evaluated(self) -> LearningDetector:
        """The moving average, which is what is measured and kept."""
        student = averaged(self.average)
        assert isinstance(student, LearningDetector)
        return student

    def keep_best(self) -> None:
        """Keep what was just measured."""
        copy_weights(self.evaluated().state_dict(), self.best)

    def capture(self, position: TrainingPosition) -> Saved:
        """Everything that going on from here needs."""
        kept = {
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "average": self.average.state_dict(),
            "random": torch.get_rng_state(),
        }
        return Saved(self.model.state_dict(), self.best, kept, replace(position))

    def restore(self, saved: Saved) -> None:
        """Undo `capture`, in place; rates and decays are those of this attempt's spec."""
        given = [
            {key: one for key, one in group.items() if key != "params"}
            for group in self.optimizer.param_groups
        ]
        load_weights(self.model, saved.model)
        self.best = saved.best
        self.optimizer.load_state_dict(saved.state["optimizer"])
        for group, kept in zip(self.optimizer.param_groups, given, strict=True):
            group.update(kept)
        self.average.load_state_dict(saved.state["average"])
        torch.set_rng_state(saved.state["random"].cpu())
        self.place_schedule(saved.state["scheduler"]["last_epoch"])

    def place_schedule(self, step: int) -> None:
        """Set the rate of optimizer step `step`, counted from 0 over the whole run."""
        scheduler = self.scheduler
        scheduler.last_epoch = step
        rates = [
            base * factor(step)
            for base, factor in zip(scheduler.base_lrs, scheduler.lr_lambdas, strict=True)
        ]
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        scheduler._last_lr = rates
