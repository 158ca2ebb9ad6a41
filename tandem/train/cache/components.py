"""Which principal components a dense part uses: those its folder has, or freshly fitted ones."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from tandem.spec.i18n import t
from tandem.train.cache.fill import Memo, memo_key
from tandem.train.cache.parts import SignalPart
from tandem.train.cache.reduce import FORM, fit, fit_rows, load_reduction
from tandem.train.cache.teacher_calls import TeacherCalls
from tandem.train.types import ImageTable, ProgressReporter, Signals

REDUCTION = "reduction.npy"
ALIKE = 0.5
"""So many of the pictures that components were fitted on must be in a table that uses them: a
data set that grew keeps its cache, another data set has components of its own."""


def find_components(part: SignalPart, folder: Path, table: ImageTable) -> SignalPart | None:
    """The part with the components that its folder has; None where they must be fitted.

    A folder of an earlier version, whose components share one scale, stays of use.
    """
    if not part.dense:
        return part
    former = replace(part, stem=part.stem.removesuffix(f"-{FORM}"))
    return _found(part, folder, table) or _found(former, folder, table)


def _found(part: SignalPart, folder: Path, table: ImageTable) -> SignalPart | None:
    mine = {bytes(one) for one in table.hashes_N}
    own = _key(table)
    best: tuple[float, SignalPart] | None = None
    for file in sorted(folder.glob(f"{part.stem}-*/{REDUCTION}")):
        key = file.parent.name.removeprefix(f"{part.stem}-")
        if "-" in key:  # of a form whose name goes on
            continue
        reduction = load_reduction(file)
        if reduction is None:
            continue
        alike = sum(bytes(one) in mine for one in reduction.hashes_F) / len(reduction.hashes_F)
        # Fitted on these very pictures beats any that merely hold enough of them.
        alike += key == own
        if alike >= ALIKE and (best is None or alike > best[0]):
            best = alike, replace(part, reduction=reduction, reduction_key=key)
    return best[1] if best else None


def fit_components(
    calls: TeacherCalls, parts: list[SignalPart], memo: Memo, progress: ProgressReporter
) -> list[SignalPart]:
    """The parts with components fitted on a sample of the table; its signals go to the memo."""
    if not any(part.dense for part in parts):
        return parts
    rows = fit_rows(len(calls.table))
    batches = calls.cut(rows, np.zeros_like(rows))
    answers: list[Signals] = []
    for batch, signals in calls.stream(batches):
        memo[memo_key(batch)] = signals
        answers.append(signals)
        progress.progress(t("fitting components"), len(answers), len(batches))
    return [_with_components(part, answers, calls) for part in parts]


def _with_components(part: SignalPart, answers: list[Signals], calls: TeacherCalls) -> SignalPart:
    if not part.dense:
        return part
    hashes_F = calls.table.hashes_N[fit_rows(len(calls.table))]
    reduction = fit([part.raw(one) for one in answers], part.dims, hashes_F)
    whole = replace(part, reduction=reduction, reduction_key=_key(calls.table))
    return whole.to(calls.setup.device)


def _key(table: ImageTable) -> str:
    """Names components by the pictures that they are fitted on."""
    hashes_F = table.hashes_N[fit_rows(len(table))]
    return hashlib.blake2b(hashes_F.tobytes(), digest_size=4).hexdigest()
