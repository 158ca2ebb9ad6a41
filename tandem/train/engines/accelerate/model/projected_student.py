"""The student with its projectors, as one module: what is trained, wrapped and checkpointed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tandem.train.engines.accelerate.model.projector import Projector
from tandem.train.types import StepOutput, Student

Taps = tuple[
    Tensor,
    Tensor,
    Tensor | None,
    tuple[Tensor, ...],
    Tensor | None,
    tuple[Tensor, ...],
    Tensor | None,
    Tensor | None,
    dict[str, tuple[Tensor | None, tuple[Tensor, ...]]],
]
"""logits, pooled, tokens, layers, projected tokens and layers, class map, the second head's logits,
and the tokens and layers that come out of each loss's own module."""


@dataclass(frozen=True)
class StudentOutputs:
    """The student's own taps, the projected ones, and those that only one loss is to see."""

    own: StepOutput
    projected: StepOutput
    by_loss: Mapping[str, StepOutput]

    def of(self, loss: str, *, projects: bool) -> StepOutput:
        """What a loss by that name looks at."""
        return self.by_loss.get(loss, self.projected if projects else self.own)


class ProjectedStudent(nn.Module):
    """One forward gives the student's taps and their projections to the teacher's widths.

    The projectors are inside, so that data-parallel training reduces their gradients too; they
    are left behind at export. So are `heads`, the modules of single losses by their names.
    """

    def __init__(
        self,
        student: Student,
        projector: Projector | None,
        layers: Sequence[int],
        heads: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.student = student
        self.projector = projector
        self.heads = nn.ModuleDict(heads or {})
        # Only these are kept from a forward pass: each is as large as the tokens.
        self.layers = tuple(layers)

    def forward(self, inputs: Tensor) -> Taps:
        """Tuples, not a StepOutput: Accelerate turns their tensors back into float32."""
        out: StepOutput = self.student(inputs, layers=self.layers)
        projected = out if self.projector is None else self.projector(out)
        # Layers as they are: a loss that projects them has no module of its own.
        seen = replace(out, tokens_BHWD=projected.tokens_BHWD)
        by_loss = {name: head(seen) for name, head in self.heads.items()}
        return (
            out.logits_BK,
            out.pooled_BD,
            out.tokens_BHWD,
            out.layers_BHWD,
            projected.tokens_BHWD,
            projected.layers_BHWD,
            out.class_map_BHWK,
            out.taught_BK,
            {name: (one.tokens_BHWD, one.layers_BHWD) for name, one in by_loss.items()},
        )


def outputs(taps: Taps) -> StudentOutputs:
    """The taps by who looks at them."""
    logits_BK, pooled_BD, tokens, layers, projected_tokens, projected_layers, dense, taught = taps[
        :8
    ]
    own = StepOutput(logits_BK, pooled_BD, tokens, layers, dense, taught)
    by_loss = {
        name: replace(own, tokens_BHWD=tokens, layers_BHWD=layers)
        for name, (tokens, layers) in taps[8].items()
    }
    projected = replace(own, tokens_BHWD=projected_tokens, layers_BHWD=projected_layers)
    return StudentOutputs(own, projected, by_loss)


def student_of(module: nn.Module) -> Student:
    """The student within what is trained, wrapped for data-parallel training or not."""
    inner = module.module if isinstance(module, DistributedDataParallel) else module
    assert isinstance(inner, ProjectedStudent)
    return inner.student
