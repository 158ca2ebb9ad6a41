"""Everything a run needs to go on as if it had never stopped, into a checkpoint and back."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from tandem.train.engines.accelerate.model.ema import averaged
from tandem.train.engines.checkpoint import Saved, TrainingPosition
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
        """The module whose student is measured: the moving average where there is one."""
        return averaged(self.average) if self.average else self.model

    def student_weights(self) -> dict[str, Tensor]:
        """What is evaluated and exported: the moving average where there is one."""
        prefix = "student."
        return {
            # A copy, on the CPU: the next step changes the weights, and GPU memory is for learning.
            key.removeprefix(prefix): value.detach().cpu().clone()
            for key, value in self.evaluated().state_dict().items()
            if key.startswith(prefix)
        }


def capture(
    state: TrainingState, position: TrainingPosition, device_context: DeviceContext
) -> Saved:
    """Collect the state; called by every process, as each has random states of its own."""
    kept: dict[str, object] = {
        "optimizer": state.optimizer.state_dict(),
        "scheduler": state.scheduler.state_dict(),
        "average": state.average.state_dict() if state.average else None,
        "scaler": state.accelerator.scaler.state_dict() if state.accelerator.scaler else None,
        "random": _random_states(device_context),
    }
    return Saved(state.model.state_dict(), state.best, kept, position)


def restore(state: TrainingState, saved: Saved, device_context: DeviceContext) -> None:
    """Undo `capture`, in place."""
    state.model.load_state_dict(saved.model)
    state.best = saved.best
    state.optimizer.load_state_dict(saved.state["optimizer"])
    state.scheduler.load_state_dict(saved.state["scheduler"])
    if state.average is not None:
        state.average.load_state_dict(saved.state["average"])
    if state.accelerator.scaler is not None and saved.state["scaler"] is not None:
        state.accelerator.scaler.load_state_dict(saved.state["scaler"])
    states: list[RandomStates] = saved.state["random"]
    # An attempt may have more processes than the one before it had.
    mine = states[device_context.rank % len(states)]
    # Wherever a checkpoint was loaded to, torch takes random states on the CPU alone.
    torch.set_rng_state(mine["cpu"].cpu())
    if device_context.device.type == "cuda" and "cuda" in mine:
        torch.cuda.set_rng_state(mine["cuda"].cpu(), device_context.device)


def _random_states(device_context: DeviceContext) -> list[RandomStates]:
    mine = {"cpu": torch.get_rng_state()}
    if device_context.device.type == "cuda":
        mine["cuda"] = torch.cuda.get_rng_state(device_context.device)
    # Dropout masks differ between processes, so each of them has a state to go on from.
    if device_context.processes == 1:
        return [mine]
    states = [mine] * device_context.processes  # places that the call below fills
    torch.distributed.all_gather_object(states, mine)
    return states
