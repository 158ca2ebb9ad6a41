"""Everything a run needs to go on as if it had never stopped, into a checkpoint and back."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from tandem.train.engines.accelerate.model.ema import averaged
from tandem.train.engines.checkpoint import Saved, TrainingPosition
from tandem.train.engines.checkpoint_keeper import copy_weights, load_weights
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

    def keep_best(self) -> None:
        """Keep what is evaluated and exported as the best so far."""
        prefix = "student."
        weights = {
            key.removeprefix(prefix): value
            for key, value in self.evaluated().state_dict().items()
            if key.startswith(prefix)
        }
        copy_weights(weights, self.best)


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
    """Undo `capture`, in place; rates and decays are those of this attempt's spec."""
    groups, base_rates = _hyperparameters(state.optimizer), list(state.scheduler.base_lrs)
    load_weights(state.model, saved.model)
    state.best = saved.best
    state.optimizer.load_state_dict(saved.state["optimizer"])
    _lay_out(state.optimizer)
    for group, given in zip(state.optimizer.param_groups, groups, strict=True):
        group.update(given)
    state.scheduler.load_state_dict(saved.state["scheduler"])
    state.scheduler.base_lrs = base_rates
    # Where nothing has changed, the rate that it had.
    place_schedule(state, state.scheduler.last_epoch)
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


def _lay_out(optimizer: torch.optim.Optimizer) -> None:
    """Each weight's averages in memory as the weight itself, which one kernel for all expects.

    An earlier attempt may have had another `run.memory_format`.
    """
    for weight, averages in optimizer.state.items():
        for name, value in averages.items():
            if torch.is_tensor(value) and value.shape == weight.shape and value.ndim > 1:
                averages[name] = torch.empty_like(weight, dtype=value.dtype).copy_(value)


def place_schedule(state: TrainingState, step: int) -> None:
    """Set the rate of optimizer step `step`, counted from 0 over the whole run."""
    scheduler = state.scheduler
    assert isinstance(scheduler, LambdaLR)
    scheduler.last_epoch = step
    rates = [
        base * factor(step)
        for base, factor in zip(scheduler.base_lrs, scheduler.lr_lambdas, strict=True)
    ]
    for group, rate in zip(scheduler.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    scheduler._last_lr = rates


def _hyperparameters(optimizer: torch.optim.Optimizer) -> list[dict[str, object]]:
    """What each group is given by the spec; its weights are not."""
    return [{k: v for k, v in one.items() if k != "params"} for one in optimizer.param_groups]


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
