"""What a student learns with, in our own loop."""

from __future__ import annotations

from dataclasses import dataclass

from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs

from tandem.train.engines.accelerate.evaluate import Evaluator
from tandem.train.engines.accelerate.loss_terms import Term
from tandem.train.engines.base import PreparedTeacher, ResolvedRun
from tandem.train.engines.device import DeviceContext
from tandem.train.types import SignalSource


@dataclass(frozen=True)
class TrainingContext:
    """The run, its loss and its teacher, with what computes and measures."""

    run: ResolvedRun
    terms: list[Term]
    teacher: PreparedTeacher | None
    accelerator: Accelerator
    evaluator: Evaluator

    @property
    def source(self) -> SignalSource | None:
        """Where a step gets the teacher's signals; None without a teacher."""
        return None if self.teacher is None else self.teacher.source


def training_context(
    run: ResolvedRun, terms: list[Term], teacher: PreparedTeacher | None
) -> TrainingContext:
    """A fresh context: each student of a run, and its baseline, has an accelerator of its own."""
    accelerator = make_accelerator(run.device_context, terms, two_heads=run.spec.student.dual_head)
    return TrainingContext(run, terms, teacher, accelerator, make_evaluator(run))


def make_evaluator(run: ResolvedRun) -> Evaluator:
    """What measures this run's students, on its validation rows."""
    val, views = run.splits.val, run.val_views
    return Evaluator(run.spec, run.device_context, val, views, run.table_kind)


def make_accelerator(
    device_context: DeviceContext, terms: list[Term], *, two_heads: bool = False
) -> Accelerator:
    """Accelerate for this process. A run in the same process before this one is forgotten."""
    # The state is a singleton: the precision of the student before would hold for this one too.
    AcceleratorState._reset_state()
    # Without a term on every row's logits, a micro-batch may leave the classifier unused.
    whole = any(not term.only_labelled and "logits" in term.needs for term in terms)
    # Of two heads the labels' is unused in a part without labels.
    whole = whole and not two_heads
    unused = DistributedDataParallelKwargs(find_unused_parameters=not whole)
    precision = {"fp32": "no"}.get(device_context.precision, device_context.precision)
    return Accelerator(
        cpu=device_context.device.type == "cpu", mixed_precision=precision, kwargs_handlers=[unused]
    )
