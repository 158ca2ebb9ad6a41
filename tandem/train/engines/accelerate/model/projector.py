"""From the student's width to the teacher's: trained with the student, dropped at export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor, nn

from tandem.spec.errors import SpecError
from tandem.train.types import StepOutput


class Projector(nn.Module):
    """A 1x1 linear map for the tokens and one for each pair of layers.

    The student is projected to the teacher, never the other way: a projected teacher can follow the
    student to a constant. `align=False` projects nothing and needs equal widths.
    """

    def __init__(
        self,
        *,
        tokens: tuple[int, int] | None = None,
        layers: Sequence[tuple[int, int]] = (),
        align: bool = True,
    ) -> None:
        """`tokens` and each of `layers`: (student width, teacher width). Raises SpecError."""
        super().__init__()
        self.tokens = None if tokens is None else _map(*tokens, align)
        self.layers = nn.ModuleList(_map(*pair, align) for pair in layers)

    def forward(self, output: StepOutput) -> StepOutput:
        """The same output with its tokens and layers in the teacher's width.

        A tap without a map stays as it is.
        """
        tokens_BHWD = output.tokens_BHWD
        if self.tokens is not None and tokens_BHWD is not None:
            tokens_BHWD = self.tokens(tokens_BHWD)
        layers: tuple[Tensor, ...] = output.layers_BHWD
        if len(self.layers) > 0:
            pairs = zip(self.layers, layers, strict=True)
            layers = tuple(project(x_BHWD) for project, x_BHWD in pairs)
        return replace(output, tokens_BHWD=tokens_BHWD, layers_BHWD=layers)


def _map(student_width: int, teacher_width: int, align: bool) -> nn.Module:
    if align:
        return nn.Linear(student_width, teacher_width)
    if student_width != teacher_width:  # a run is told before: `layer_pairs.check_fit`
        raise SpecError(
            "Without a projector the student's features must be as wide as the teacher's: "
            "they are {student} and {teacher} wide.",
            student=student_width,
            teacher=teacher_width,
            fix="Set loss.align_feature (--align_feature) to true.",
        )
    return nn.Identity()
