"""Everything a run needs to go on as if it had never stopped, into a checkpoint and back."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from tandem.train.engines.accelerate.ema import averaged
from tandem.train.engines.checkpoint import Position, Saved
from tandem.train.engines.device import DeviceContext

RandomStates = dict[str, Tensor]


@dataclass
class TrainingState:
    """The parts of a run that change while it learns."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    average: AveragedModel | None
    accelerator: Accelerator
    best: dict[str, Tensor] = field(default_factory=dict)
    """The student's weights at the best epoch, on the CPU."""

    def evaluated(self) -> nn.Module:
        """The learner whose student is judged: the moving average where there is one."""
        return averaged(self.average) if self.average else self.model

    def student_weights(self) -> dict[str, Tensor]:
        """What is evaluated and exported: the moving average where there is one."""
        prefix = "student."
        return {
            key.removeprefix(prefix): value.detach().cpu().clone()
            for key, value in self.evaluated().state_dict().items()
            if key.startswith(prefix)
        }


def seed_everything(seed: int, rank: int) -> None:
    """Python, NumPy and torch. Processes differ, so that their dropout masks do."""
    random.seed(seed + rank)
    np.random.seed(seed + rank)  # noqa: NPY002  a library may still draw from it
    torch.manual_seed(seed + rank)


def capture(trained: TrainingState, position: Position, device_context: DeviceContext) -> Saved:
    """Collect the state; called by every process, as each has random states of its own."""
    state: dict[str, Any] = {
        "optimizer": trained.optimizer.state_dict(),
        "scheduler": trained.scheduler.state_dict(),
        "average": trained.average.state_dict() if trained.average else None,
        "scaler": trained.accelerator.scaler.state_dict() if trained.accelerator.scaler else None,
        "random": _random_states(device_context),
    }
    return Saved(trained.model.state_dict(), trained.best, state, position)


def restore(trained: TrainingState, saved: Saved, device_context: DeviceContext) -> None:
    """Undo `take`, in place."""
    trained.model.load_state_dict(saved.model)
    trained.best = saved.best
    trained.optimizer.load_state_dict(saved.state["optimizer"])
    trained.scheduler.load_state_dict(saved.state["scheduler"])
    if trained.average is not None:
        trained.average.load_state_dict(saved.state["average"])
    if trained.accelerator.scaler is not None and saved.state["scaler"] is not None:
        trained.accelerator.scaler.load_state_dict(saved.state["scaler"])
    states: list[RandomStates] = saved.state["random"]
    mine = states[device_context.rank % len(states)]
    torch.set_rng_state(mine["cpu"].cpu())
    if device_context.device.type == "cuda" and "cuda" in mine:
        torch.cuda.set_rng_state(mine["cuda"].cpu(), device_context.device)


def _random_states(device_context: DeviceContext) -> list[RandomStates]:
    mine = {"cpu": torch.get_rng_state()}
    if device_context.device.type == "cuda":
        mine["cuda"] = torch.cuda.get_rng_state(device_context.device)
    if device_context.processes == 1:
        return [mine]
    everyone: list[Any] = [None] * device_context.processes
    torch.distributed.all_gather_object(everyone, mine)
    return everyone
