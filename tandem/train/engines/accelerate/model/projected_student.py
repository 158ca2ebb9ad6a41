"""The student with its projectors, as one module: what is trained, wrapped and checkpointed."""

from __future__ import annotations

from collections.abc import Sequence

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
]


class ProjectedStudent(nn.Module):
    """One forward gives the student's taps and their projections to the teacher's widths.

    The projectors are inside, so that data-parallel training reduces their gradients too; they
    are left behind at export.
    """

    def __init__(
        self, student: Student, projector: Projector | None, layers: Sequence[int]
    ) -> None:
        super().__init__()
        self.student = student
        self.projector = projector
        # Only these are kept from a forward pass: each is as large as the tokens.
        self.layers = tuple(layers)

    def forward(self, inputs: Tensor) -> Taps:
        """Tuples, not a StepOutput: Accelerate turns their tensors back into float32."""
        out: StepOutput = self.student(inputs, layers=self.layers)
        tokens_BHWD, layers_BHWD = out.tokens_BHWD, out.layers_BHWD
        if self.projector is not None:
            projected = self.projector(out)
            tokens_BHWD, layers_BHWD = projected.tokens_BHWD, projected.layers_BHWD
        return (
            out.logits_BK,
            out.pooled_BD,
            out.tokens_BHWD,
            out.layers_BHWD,
            tokens_BHWD,
            layers_BHWD,
            out.class_map_BHWK,
        )


def outputs(taps: Taps) -> tuple[StepOutput, StepOutput]:
    """The student's own taps, and the same with the projected ones in their place."""
    logits_BK, pooled_BD, tokens, layers, projected_tokens, projected_layers, dense = taps
    return (
        StepOutput(logits_BK, pooled_BD, tokens, layers, dense),
        StepOutput(logits_BK, pooled_BD, projected_tokens, projected_layers, dense),
    )


def student_of(module: nn.Module) -> Student:
    """The student within what is trained, wrapped for data-parallel training or not."""
    inner = module.module if isinstance(module, DistributedDataParallel) else module
    assert isinstance(inner, ProjectedStudent)
    return inner.student
