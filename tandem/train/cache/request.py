"""What is asked of a teacher, and with what it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from tandem.spec.run import CacheSpec
from tandem.train.data.augment import Views
from tandem.train.types import ImageTable, ProgressReporter, SilentProgress


@dataclass(frozen=True)
class WantedSignals:
    """Which signals a run needs of its teacher; pooled features always."""

    tokens: bool = False
    layers: tuple[int, ...] = ()
    logits_key: str | None = None
    """Fingerprint of the question that the teacher's own logits answer."""
    grid: int | None = None
    """Rows and columns of the dense signals kept; never more than the teacher has."""


@dataclass(frozen=True)
class SourceRequest:
    """The rows of one table, each in its first `view_count` views, and what is wanted of them."""

    table: ImageTable
    views: Views
    view_count: int
    wanted: WantedSignals


def no_barrier() -> None:
    """What a run of one process waits for."""


@dataclass(frozen=True)
class SourceSetup:
    """What a teacher is asked with: equal for every table of a run."""

    cache: CacheSpec
    device: torch.device
    batch_size: int
    """Inputs that go through the teacher together."""
    max_pixels: int
    """A larger picture is refused."""
    progress: ProgressReporter = field(default_factory=SilentProgress)
    rank: int = 0
    processes: int = 1
    barrier: Callable[[], None] = no_barrier
    """Waits until every process of the run has come as far."""
