"""The spec with what follows from the rest filled in: pure functions, nothing is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tandem.spec.plugins.students import resolve as resolve_student
from tandem.spec.run import RunSpec
from tandem.train.engines.base import Engine, ResolvedRun
from tandem.train.engines.context import BaselineReporter, Run
from tandem.train.engines.run_folder import RunFolder
from tandem.train.kinds.base import Kind
from tandem.train.pipeline.part import weighted
from tandem.train.pipeline.temperature import softened
from tandem.train.types import UNLABELLED, Splits


def with_defaults(spec: RunSpec) -> RunSpec:
    """The spec with the student's type and size, and the cache's place."""
    family, size = resolve_student(spec.student.type, spec.student.size)
    student = spec.student.model_copy(update={"type": family, "size": size})
    root = spec.cache.root or Path(spec.run.output_dir) / "cache"
    cache = spec.cache.model_copy(update={"root": root})
    return spec.model_copy(update={"student": student, "cache": cache})


def resolve(run: Run, engine: Engine, kind: Kind, splits: Splits) -> ResolvedRun:
    """The run with what only its kind, its engine and its data can tell."""
    named = run.spec.model_copy(update={"kind": kind.name})
    # LoRA teaches whole pictures' classes; installed systems send it with every task.
    bare = kind.without_adapter(named) or named
    completed = softened(weighted(kind.complete(bare, splits), splits), splits)
    spec, learnt = engine.complete(completed, kind, splits)
    return ResolvedRun(
        spec=_sized(spec, kind),
        device_context=run.device_context,
        folder=run.folder,
        reporter=run.reporter,
        stop=run.stop,
        kind=kind,
        splits=learnt,
    )


def _sized(spec: RunSpec, kind: Kind) -> RunSpec:
    """What the teacher is shown, where the run does not say and the kind does."""
    if spec.teacher is None or spec.teacher.image_size is not None:
        return spec
    side = kind.teacher_image_size(spec)
    return spec.model_copy(update={"teacher": spec.teacher.model_copy(update={"image_size": side})})


def baseline_of(run: ResolvedRun, epochs: int) -> ResolvedRun:
    """The same run without its teacher: same initial weights, as many steps as `epochs` took.

    Its epochs are as long as the student's, though it learns from the labelled rows alone: it
    passes over them more often. So it is evaluated as often and at the same steps, and is not
    the best of more draws than the student is.
    """
    labelled = np.flatnonzero(run.splits.train.labels_N != UNLABELLED).astype(np.int64)
    # It is to get as many steps as the student had, not to be stopped at fewer.
    changes = {"epochs": epochs, "early_stopping_epochs": 0}
    optim = run.spec.optim.model_copy(update=changes)
    # A second head learns from the teacher alone: here it would answer untaught.
    student = run.spec.student.model_copy(update={"dual_head": False})
    direct = {"mode": "direct", "teacher": None, "optim": optim, "student": student}
    return replace(
        run,
        spec=run.spec.model_copy(update=direct),
        splits=run.splits.train_rows(labelled),
        epoch_samples=len(run.splits.train),
        folder=RunFolder(run.folder.path / "baseline"),
        reporter=BaselineReporter(run.reporter),
        keeps_predictions=False,
    )
