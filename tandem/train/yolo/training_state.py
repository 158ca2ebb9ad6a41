"""A trainer's state into a checkpoint and back: tensors and plain values, no pickled classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, SupportsFloat

import torch
from torch import Tensor
from ultralytics.utils.torch_utils import EarlyStopping, ModelEMA

from tandem.train.engines.checkpoint import Saved, TrainingPosition
from tandem.train.engines.checkpoint_keeper import load_weights
from tandem.train.yolo.model import TaughtModel


class Resumable(Protocol):
    """The parts of a trainer that change while it learns."""

    model: TaughtModel
    optimizer: torch.optim.Optimizer
    ema: ModelEMA
    stopper: EarlyStopping
    best_fitness: SupportsFloat | None
    best_weights: dict[str, Tensor]
    pending: int
    gradients: dict[str, Tensor]
    position: TrainingPosition


def capture(trainer: Resumable) -> Saved:
    """Everything that going on from here needs."""
    pending = {
        name: one.grad.detach().cpu().clone()
        for name, one in trainer.model.named_parameters()
        if trainer.pending and one.grad is not None
    }
    state = {
        "optimizer": trainer.optimizer.state_dict(),
        "average": _on_cpu(trainer.ema.ema.state_dict()),
        "updates": trainer.ema.updates,
        "best_fitness": _plain(trainer.best_fitness),
        # Its patience counts from the best epoch, which may lie before this attempt.
        "stopper": {
            "best_fitness": float(trainer.stopper.best_fitness),
            "best_epoch": int(trainer.stopper.best_epoch),
        },
        "pending": trainer.pending,
        # A step of the optimizer may wait for batches that come after the stop.
        "gradients": pending,
        "random": torch.get_rng_state(),
    }
    return Saved(
        _on_cpu(trainer.model.state_dict()), trainer.best_weights, state, replace(trainer.position)
    )


def restore(trainer: Resumable, saved: Saved) -> None:
    """Undo `capture`, in place; the average and the optimizer are those of this trainer."""
    state = saved.state
    load_weights(trainer.model, saved.model)
    trainer.ema.ema.load_state_dict(state["average"])
    trainer.ema.updates = state["updates"]
    for kept, group in zip(
        state["optimizer"]["param_groups"], trainer.optimizer.param_groups, strict=True
    ):
        # The device and the spec of this attempt decide, not those of the last.
        for key in ("fused", "initial_lr", "weight_decay"):
            kept[key] = group.get(key)
    trainer.optimizer.load_state_dict(state["optimizer"])
    trainer.best_fitness = state["best_fitness"]
    trainer.stopper.best_fitness = state["stopper"]["best_fitness"]
    trainer.stopper.best_epoch = state["stopper"]["best_epoch"]
    trainer.pending = state["pending"]
    trainer.gradients = state["gradients"]
    trainer.best_weights = saved.best
    trainer.position = saved.position
    torch.set_rng_state(state["random"])


def _on_cpu(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: one.detach().cpu().clone() for name, one in weights.items()}


def _plain(value: SupportsFloat | None) -> float | None:
    return None if value is None else float(value)
