"""What each term weighs in a step: as the spec says, risen so far, and balanced by gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from tandem.spec.run import LossSpec
from tandem.train.engines.accelerate.loss_terms import Term
from tandem.train.engines.checkpoint import TrainingPosition

MEASURED_STEPS = 20
"""Optimizer steps whose gradients decide the balance. `loss.weighting` names the number."""
MOST_SCALED = 1000.0
"""A weight is multiplied by no more than this and no less than one over it: a term that has nearly
no gradient would else be all noise."""


class TermWeights:
    """The terms with the weights of a step; a function of the position alone, so that a resumed
    run weighs as it would have.

    Terms of the same weight come to pull alike on the student: each weight is multiplied by the
    gradient of the labels' term over that of its own, means over the first steps (as GradNorm
    begins, Chen et al. 2018; here the ratio is measured once and then stays).
    """

    def __init__(self, loss: LossSpec, terms: Sequence[Term], steps_an_epoch: int) -> None:
        self.terms, self.steps_an_epoch = list(terms), steps_an_epoch
        self.warmup_epochs = loss.soft_warmup_epochs
        self.balances = loss.weighting == "balanced" and len(terms) > 1

    def at(self, position: TrainingPosition) -> list[Term]:
        """The terms of the step after `position`, in the same order."""
        scales = self.scales(position.term_gradients)
        risen = self._risen(position)
        return [
            replace(
                term,
                weight=term.weight * scales[term.name] * (risen if term.role == "soft" else 1.0),
            )
            for term in self.terms
        ]

    def _risen(self, position: TrainingPosition) -> float:
        """The share of its weight that a soft term has by now; above 0, as every term of a step
        must have a gradient."""
        if self.warmup_epochs == 0:
            return 1.0
        passed = position.epoch + (position.step + 1) / self.steps_an_epoch
        return min(1.0, passed / self.warmup_epochs)

    def measures(self, position: TrainingPosition) -> bool:
        """Whether this step's gradients count for the balance."""
        return self.balances and position.global_step < MEASURED_STEPS

    def scales(self, sums: Mapping[str, float]) -> dict[str, float]:
        """By what each term's weight is multiplied, from the sums of `TrainingPosition`."""
        means = {term.name: _mean(sums, term.name) for term in self.terms}
        # The labels' term has no other scale than its own: the teacher's are brought to it.
        ahead = sorted(self.terms, key=lambda term: term.role != "hard")
        unit = next((means[term.name] for term in ahead if means[term.name] > 0), 0.0)
        if not self.balances or unit == 0:
            return dict.fromkeys(means, 1.0)
        return {
            name: min(MOST_SCALED, max(1 / MOST_SCALED, unit / mean)) if mean > 0 else 1.0
            for name, mean in means.items()
        }


def added(sums: Mapping[str, float], norms: Mapping[str, float]) -> dict[str, float]:
    """`TrainingPosition.term_gradients` after one more step; a term without a gradient in this
    step, such as the labels' where no row has one, is not counted."""
    more = dict(sums)
    for name, norm in norms.items():
        if norm > 0:
            more[name] = more.get(name, 0.0) + norm
            more[_count(name)] = more.get(_count(name), 0.0) + 1
    return more


def gradient_norm(value: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """Euclidean norm of the gradient of a term over the student's parameters, (); the graph is
    kept for the step's own backward pass."""
    if not value.requires_grad:
        return value.new_zeros(())
    gradients = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
    norms = [one.float().norm() for one in gradients if one is not None]
    return torch.stack(norms).norm() if norms else value.new_zeros(())


def _mean(sums: Mapping[str, float], name: str) -> float:
    count = sums.get(_count(name), 0.0)
    return sums[name] / count if count else 0.0


def _count(name: str) -> str:
    return f"{name}/steps"
