"""What a run will take, measured before it is started: `tandem train --dry-run`, preview, page."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class RunCosts(BaseModel):
    """Seconds and bytes of one run on one machine, by a few of its real batches."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    device: str = Field(examples=["cpu"])
    """`cpu` or `cuda`: where it was measured."""
    cache_bytes: int
    """What the teacher's answers take on disk; 0 where none are kept."""
    teacher_looks: int
    """Inputs that the teacher is asked about: of a cache, what is not in it yet."""
    teacher_seconds: float
    """For all of them, decoding included."""
    training_seconds: float
    """All epochs' steps of the student, loading included; an early stop makes it less."""
    evaluation_seconds: float
    """The student on the validation samples, after every epoch."""
    baseline_seconds: float
    """The same student without the teacher, its evaluations too; 0 where it is not asked for."""
    memory_megabytes: float
    """The most that was taken while these batches were learnt: weights, gradients, activations."""
    basis: str
    """What the figures are from, and what is not in them."""

    @property
    def seconds(self) -> float:
        """All of it."""
        return (
            self.teacher_seconds
            + self.training_seconds
            + self.evaluation_seconds
            + self.baseline_seconds
        )
