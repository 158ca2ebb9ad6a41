"""Whether a teacher's class scores would mislead, known before the first step."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest  # type: ignore[attr-defined]

from tandem.spec.errors import TeacherError
from tandem.spec.i18n import t
from tandem.spec.report import TeacherCheck
from tandem.spec.run import RunSpec
from tandem.train.data.augment import Views
from tandem.train.data.loader import BatchPlan, batches, worker_count
from tandem.train.knowledge.probe import stratified_folds
from tandem.train.knowledge.raw_probe import SIDE, held_out_right, raw_features
from tandem.train.types import UNLABELLED, ImageTable, ProgressReporter, RowIndices, SignalSource

MOST_ROWS = 2000
"""More tell the same more slowly."""
LEAST_ROWS = 20
"""Fewer tell nothing."""
BY_CHANCE = 0.05
_CHUNK = 256
IfHarmful = Literal["warn", "scale", "stop"]


def check_teacher_scores(
    spec: RunSpec,
    table: ImageTable,
    views: Views,
    source: SignalSource,
    fold_N: RowIndices | None,
    progress: ProgressReporter,
) -> TeacherCheck | None:
    """How often the teacher's class scores name the label, beside chance and raw pixels or words.

    `source` gives the scores as the student will see them: of a probe, each row's from the fold
    that left it out. None where a row has no one class, or too few have one. TeacherError for a
    harmful teacher where `teacher.if_harmful` is stop.
    """
    assert spec.teacher is not None
    rows = _some_labelled(table, spec.run.seed)
    if len(rows) < LEAST_ROWS or len(np.unique(table.labels_N[rows])) < 2:
        return None
    labels_n = table.labels_N[rows]
    if fold_N is None:
        fold_n = stratified_folds(labels_n, spec.teacher.probe_folds, spec.run.seed)
    else:
        fold_n = fold_N[rows]
    x_nD = _raw(spec, table, views, rows)
    raw_n = held_out_right(x_nD, labels_n, fold_n, len(table.classes))
    right_n = _said(source, rows) == labels_n
    chance = float(np.bincount(labels_n).max() / len(labels_n))
    check = _judged(right_n, raw_n, chance, spec.teacher.if_harmful)
    _tell(check, progress)
    return check


def _some_labelled(table: ImageTable, seed: int) -> RowIndices:
    rows = np.flatnonzero(table.labels_N != UNLABELLED).astype(np.int64)
    if len(rows) <= MOST_ROWS:
        return rows
    return np.sort(np.random.default_rng([seed, 12]).permutation(rows)[:MOST_ROWS])


def _plan(rows: RowIndices) -> BatchPlan:
    parts = [rows[at : at + _CHUNK] for at in range(0, len(rows), _CHUNK)]
    return [(part, np.zeros_like(part)) for part in parts]


def _raw(spec: RunSpec, table: ImageTable, views: Views, rows: RowIndices) -> NDArray[np.float64]:
    shown = batches(
        table,
        views,
        _plan(rows),
        image_size=SIDE,
        max_pixels=spec.data.max_image_pixels,
        workers=worker_count(spec.data.workers),
    )
    return np.concatenate([raw_features(batch.inputs.numpy()) for batch in shown])


def _said(source: SignalSource, rows: RowIndices) -> RowIndices:
    """The class that the teacher names for each row."""
    said = []
    for part, view in _plan(rows):
        logits_BK = source.signals(part, view).logits_BK
        assert logits_BK is not None, "knowledge gives class scores"
        said.append(logits_BK.argmax(1).cpu().numpy())
    return np.concatenate(said)


def _judged(
    right_n: NDArray[np.bool_], raw_n: NDArray[np.bool_], chance: float, then: IfHarmful
) -> TeacherCheck:
    accuracy, raw = float(right_n.mean()), float(raw_n.mean())
    harmful = accuracy <= chance or _clearly_worse(right_n, raw_n)
    reference, factor = max(chance, raw), 1.0
    if harmful and then == "scale":
        # What it knows beyond chance, as a part of what the plainest classifier knows.
        factor = max(0.0, accuracy - chance) / (reference - chance) if reference > chance else 0.0
    return TeacherCheck(
        samples=len(right_n),
        accuracy=accuracy,
        chance=chance,
        raw_accuracy=raw,
        harmful=harmful,
        done=then if harmful else "none",
        soft_label_factor=factor,
    )


def _clearly_worse(one_n: NDArray[np.bool_], other_n: NDArray[np.bool_]) -> bool:
    """Whether `one` is right less often, beyond what chance explains (McNemar 1947, exact)."""
    won, lost = int((one_n & ~other_n).sum()), int((other_n & ~one_n).sum())
    return lost > won and binomtest(won, won + lost).pvalue < BY_CHANCE


def _tell(check: TeacherCheck, progress: ProgressReporter) -> None:
    progress.notice(
        t(
            "Before training: on {count} labelled samples the teacher's class scores are right on "
            "{teacher}, a linear probe on raw pixels or words on {raw}, the commonest class alone "
            "on {chance}.",
            count=check.samples,
            teacher=f"{check.accuracy:.1%}",
            raw=f"{check.raw_accuracy:.1%}",
            chance=f"{check.chance:.1%}",
        )
    )
    if check.done == "stop":
        raise TeacherError(
            "The teacher knows less of these classes than raw pixels or words tell "
            "({teacher} against {raw}): it would mislead the student.",
            teacher=f"{check.accuracy:.1%}",
            raw=f"{max(check.raw_accuracy, check.chance):.1%}",
            fix="Choose another teacher or teacher.knowledge, train without one (mode direct), or "
            "set teacher.if_harmful to warn or scale.",
        )
    if (sentence := check.sentence()) is not None:
        progress.notice(sentence, warning=True)
