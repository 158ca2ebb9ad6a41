"""What a teacher is asked about, so that it can be followed in every view a student sees."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tandem.spec.errors import SpecError
from tandem.spec.i18n import t
from tandem.spec.run import RunSpec
from tandem.train.cache.dense import FEWEST_CELLS, DenseSource, whole_views
from tandem.train.cache.request import SourceRequest, SourceSetup, WantedSignals
from tandem.train.cache.sources import CachedSource
from tandem.train.data.augment import Views
from tandem.train.kinds.base import TableKind
from tandem.train.knowledge.label_scoring import LabelScoring
from tandem.train.types import ImageTable, RowIndices, Signals, Teacher, TeacherSource

AUTO = "frozen"
"""What `views.source` auto comes to where both can be: benchmarks/dense_views.py measured it."""


@dataclass(frozen=True)
class TeacherViews:
    """How one run asks its teacher about views."""

    dense: bool
    """By one look at the whole of each image; else at each of the frozen views."""
    why_not: str | None = None
    """Why it cannot be dense, where somebody should know."""

    def wanted(self, wanted: WantedSignals) -> WantedSignals:
        """The signals that are kept of each look."""
        if not self.dense:
            return wanted
        grid = max(wanted.grid or FEWEST_CELLS, FEWEST_CELLS)
        return replace(wanted, tokens=True, grid=grid)

    def said(self, count: int) -> str | None:
        """What a person should know of it, where each image has `count` frozen views."""
        if self.dense:
            return t(
                "The teacher looks once at each whole image; what it says of the fresh views of "
                "every epoch is read from that."
            )
        if self.why_not is None:
            return None
        return t(
            "The teacher is asked about {count} fixed views of each image: {why}",
            count=count,
            why=self.why_not,
        )

    def shown(self, table: ImageTable, views: Views) -> Views:
        """The views that the teacher itself is shown."""
        return whole_views(table) if self.dense else views


def choose(spec: RunSpec, kind: TableKind, teacher: Teacher) -> TeacherViews:
    """By the spec and what kind and teacher allow. SpecError where dense was asked for in vain."""
    if spec.cache.mode == "off" or not kind.shows_images:
        return TeacherViews(dense=False)  # nothing is kept, or there is one view only
    why_not = _why_not(spec, kind, teacher)
    asked = spec.views.source
    if asked == "dense" and why_not is not None:
        raise SpecError(
            "views.source is dense, but {why}",
            why=why_not,
            fix="Set views.source to auto or frozen.",
        )
    # A language model's scores of the whole image stand for every crop: no frozen one has others.
    wanted = AUTO if asked == "auto" else asked
    if wanted == "dense" and why_not is None:
        return TeacherViews(dense=True)
    return TeacherViews(dense=False, why_not=why_not if wanted == "dense" else None)


def _why_not(spec: RunSpec, kind: TableKind, teacher: Teacher) -> str | None:
    if not kind.crops_images:
        return t("a view of {kind} data is no crop of one image.", kind=kind.name)
    if "tokens" not in teacher.gives:
        return t("the teacher gives no features of parts of an image.")
    if teacher.logits_key is not None and not _scores_whole(spec, teacher):
        return t("the teacher scores classes of whole images by itself, so it has no map of them.")
    return None


def _scores_whole(spec: RunSpec, teacher: Teacher) -> bool:
    assert spec.teacher is not None
    return isinstance(teacher, LabelScoring) and spec.teacher.scored_views == "first"


def asked(
    teacher: Teacher, request: SourceRequest, spec: RunSpec, chosen: TeacherViews
) -> list[tuple[Teacher, SourceRequest]]:
    """Who is asked what, so that every view of a request can be answered.

    `request.views` are the student's, of which the first `view_count` are frozen. A second pair is
    a language model's scores of the whole images.
    """
    if chosen.dense:
        whole = replace(request, views=whole_views(request.table), view_count=1)
        return [(teacher, whole)]
    kept = spec.cache.mode == "on" and request.view_count > 1
    if not (kept and isinstance(teacher, LabelScoring) and _scores_whole(spec, teacher)):
        return [(teacher, request)]
    silent = replace(request, wanted=replace(request.wanted, logits_key=None))
    scores = WantedSignals(logits_key=request.wanted.logits_key)
    return [(teacher.teacher, silent), (teacher, replace(request, view_count=1, wanted=scores))]


def open_views(
    teacher: Teacher,
    request: SourceRequest,
    setup: SourceSetup,
    run: tuple[RunSpec, TableKind, TeacherViews],
) -> TeacherSource:
    """The teacher's signals of a table's rows in every view that a student is shown."""
    spec, kind, chosen = run
    pairs = asked(teacher, request, spec, chosen)
    seen, *scored = [kind.open_source(one, wanted, setup, spec) for one, wanted in pairs]
    if chosen.dense:
        assert isinstance(seen, CachedSource), "a kind of cropped images opens the cache itself"
        return DenseSource(seen, request.views)
    return ScoredOnceSource(seen, scored[0]) if scored else seen


class ScoredOnceSource:
    """Features of each view, with the class scores of the whole image."""

    def __init__(self, seen: TeacherSource, scored: TeacherSource) -> None:
        self.seen, self.scored = seen, scored
        self.tokens_width, self.layer_widths = seen.tokens_width, seen.layer_widths
        self.reduction = seen.reduction

    @property
    def teacher_forwards(self) -> int:
        """Inputs that went through the teacher, for either."""
        return self.seen.teacher_forwards + self.scored.teacher_forwards

    def pooled_ND(self, view: int = 0) -> NDArray[np.float32]:
        """(N, D): pooled features of every row in one view."""
        return self.seen.pooled_ND(view)

    def signals(self, index_B: RowIndices, view_B: RowIndices) -> Signals:
        """`TeacherSource.signals`; the class scores are those of view 0."""
        whole = self.scored.signals(index_B, np.zeros_like(view_B))
        return replace(self.seen.signals(index_B, view_B), logits_BK=whole.logits_BK)
