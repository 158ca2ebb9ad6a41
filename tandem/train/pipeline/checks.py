"""Every check of a run, in one order, before a weight is loaded or a teacher asked.

The rules stand with what they are about (the cache, adapters, a kind, an engine); here they are
called. `check_spec` needs the spec alone, `check_data` the data's tables, `check_models` the
student, built and untrained, and the teacher's config.
"""

from __future__ import annotations

import errno
import os

from tandem.spec.errors import DataError, SpecError
from tandem.spec.run import RunSpec
from tandem.train.engines.base import Engine, ResolvedRun
from tandem.train.engines.context import Run
from tandem.train.kinds.base import Kind
from tandem.train.lora import student_adapter
from tandem.train.registry import find
from tandem.train.types import UNLABELLED, Splits, Student


def check_spec(run: Run, engine: Engine, kind: Kind) -> None:
    """SpecError for knobs that cannot be honoured, whatever the data is."""
    check_cache_root(run.spec)
    student_adapter.check(run.spec)
    kind.check(run.spec)
    engine.check_spec(run.spec, run.device_context)


def check_data(run: Run, engine: Engine, kind: Kind, splits: Splits) -> None:
    """DataError or SpecError where the data is for something else, or cannot feed the loss."""
    check_kind(run.spec, kind, splits)
    engine.check_data(run.spec, kind, splits)
    if run.spec.report.baseline and run.spec.mode == "distillation":
        # A baseline learns from labels alone: better said now than after the student's training.
        check_labels(run.spec, splits)


def check_models(run: ResolvedRun, engine: Engine, student: Student) -> None:
    """SpecError or TeacherError where student and teacher do not fit the run or each other."""
    engine.check_student(run, student)
    engine.check_teacher(run)


def check_cache_root(spec: RunSpec) -> None:
    """SpecError for a folder that cannot be written.

    It is made here, where it lacks; what was read of the data is kept there too.
    """
    assert spec.cache.root is not None, "resolve.with_defaults() gives the cache a root"
    try:
        # Tried now: it would else be known when the teacher's first shard is written, hours later.
        spec.cache.root.mkdir(parents=True, exist_ok=True)
        reason = None if os.access(spec.cache.root, os.W_OK) else os.strerror(errno.EACCES)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
    if reason is not None:
        raise SpecError(
            "The cache folder {path} cannot be written: {reason}.",
            path=spec.cache.root,
            reason=reason,
            fix="Set cache.root to a folder you may write to.",
        )


def check_kind(spec: RunSpec, kind: Kind, splits: Splits) -> None:
    """The data's kind against the run's and the student's."""
    if kind.name != splits.kind:
        raise DataError(
            "The data set {dataset} is for {found}, not for {asked}.",
            dataset=spec.data.dataset,
            found=splits.kind,
            asked=kind.name,
            fix="Leave the task type out, or name another data set.",
        )
    kinds = find("students", spec.student.type).kinds
    if splits.kind not in kinds:
        raise SpecError(
            "The student {student} does not learn {kind}.",
            student=spec.student.type,
            kind=splits.kind,
            allowed=sorted(kinds),
        )


def check_labels(spec: RunSpec, splits: Splits) -> None:
    """DataError where nobody has labelled a single sample to learn from."""
    if not (splits.train.labels_N != UNLABELLED).any():
        raise DataError(
            "No sample of {dataset} has a label, and only labels would be learnt from.",
            dataset=spec.data.dataset,
            fix="Label some (train/<class>/), or give soft_label_weight a weight above 0.",
        )
