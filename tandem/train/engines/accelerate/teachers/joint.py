"""Several teachers of one student as one: their signals joined, and how good they are together.

Class scores are a weighted mean of the teachers' probabilities (Hinton et al. 2015, section 5, take
such a mean of an ensemble); dense features, whose widths differ, come from one of them. Each is
cached by its own fingerprint, as if it taught alone.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tandem.spec.i18n import t
from tandem.spec.report import TeacherCheck
from tandem.train.engines.accelerate.loss_terms import Term
from tandem.train.engines.accelerate.prepare_teacher import AskedTeacher, TeacherSetup, ask
from tandem.train.engines.accelerate.teachers.members import Part, name_of, parts
from tandem.train.engines.base import PreparedTeacher, TeacherMember
from tandem.train.kinds.base import EvalResult, evaluate_teacher
from tandem.train.types import Batch, RowIndices, Signals, SignalSource, Student


def prepare_all(setup: TeacherSetup, student: Student, terms: list[Term]) -> PreparedTeacher:
    """Prepare each teacher as if it were alone, one after the other, and join what they say."""
    assert setup.spec.teacher is not None
    asked = parts(setup.spec, terms)
    ready = []
    for number, part in enumerate(asked):
        assert part.spec.teacher is not None
        name = name_of(part.spec.teacher)
        setup.progress.notice(
            t(
                "Teacher {number} of {count}: {name}.",
                number=number + 1,
                count=len(asked),
                name=name,
            )
        )
        ready.append(ask(replace(setup, spec=part.spec), student, part.terms))
    weights = _weights(asked, ready)
    features = setup.spec.teacher.features_from
    joint = _evaluated(setup, ready, weights, features)
    return _joined(ready, weights, features, joint)


def _weights(asked: list[Part], ready: list[AskedTeacher]) -> list[float]:
    """Each one's share of the class scores; a harmful one's is smaller where the run scales it."""
    checks = [one.prepared.check for one in ready]
    scaled = [
        part.weight * (1.0 if check is None else check.soft_label_factor)
        for part, check in zip(asked, checks, strict=True)
    ]
    if sum(scaled) == 0:  # none of them knows anything: `_joined` hands that on
        return [part.weight for part in asked]
    return [one / sum(scaled) for one in scaled]


def _shared_check(each: list[PreparedTeacher], weights: list[float]) -> TeacherCheck | None:
    """The first one's check where all that are heard were scaled to nothing, so that the run's
    soft labels are; None where their shares say it already."""
    heard = [one.check for one, weight in zip(each, weights, strict=True) if weight > 0]
    nothing = all(check is not None and check.soft_label_factor == 0 for check in heard)
    return heard[0] if nothing else None


class JointSource:
    """The signals of one teacher, with the class scores of all that have a weight."""

    def __init__(
        self, sources: Sequence[SignalSource | None], weights: Sequence[float], features: int
    ) -> None:
        self.sources, self.weights, self.features = sources, weights, features

    def signals(self, index_B: RowIndices, view_B: RowIndices) -> Signals:
        """`SignalSource.signals`, of all teachers."""
        said: dict[int, Signals] = {}
        for number, (source, weight) in enumerate(zip(self.sources, self.weights, strict=True)):
            if source is not None and (weight > 0 or number == self.features):
                said[number] = source.signals(index_B, view_B)
        base = said.get(self.features) or next(iter(said.values()))
        voices = [(one, self.weights[number]) for number, one in said.items()]
        maps = [(one.class_map_BHWK, w) for one, w in voices if one.class_map_BHWK is not None]
        scores = [(one.logits_BK, w) for one, w in voices if one.logits_BK is not None]
        return replace(base, logits_BK=_mixed(scores), class_map_BHWK=_mixed(_on_one_grid(maps)))


def _mixed(scores: list[tuple[Tensor, float]]) -> Tensor | None:
    """The logarithm of the weighted mean of the probabilities; None where nobody gives any."""
    heard = [(logits, weight) for logits, weight in scores if weight > 0]
    if not heard:
        return None
    parts = [F.log_softmax(logits.float(), -1) + math.log(weight) for logits, weight in heard]
    return torch.logsumexp(torch.stack(parts), 0)


def _on_one_grid(maps: list[tuple[Tensor, float]]) -> list[tuple[Tensor, float]]:
    """Each map on the finest of their grids."""
    if not maps:
        return []
    size = max((one.shape[1:3] for one, _ in maps), key=lambda shape: shape.numel())
    finer = []
    for one_BHWK, weight in maps:
        map_BKHW = one_BHWK.permute(0, 3, 1, 2).float()
        if map_BKHW.shape[2:] != size:
            map_BKHW = F.interpolate(map_BKHW, size, mode="bilinear", align_corners=False)
        finer.append((map_BKHW.permute(0, 2, 3, 1), weight))
    return finer


def _evaluated(
    setup: TeacherSetup, ready: list[AskedTeacher], weights: list[float], features: int
) -> EvalResult | None:
    """How good they are together; None where none of them gives class scores."""
    if all(one.prepared.evaluation is None for one in ready):
        return None
    heard = [one.val if one.prepared.evaluation is not None else None for one in ready]
    source = JointSource(heard, weights, features)
    table = setup.splits.val

    def signals_of(rows: RowIndices) -> Signals:
        return source.signals(rows, np.zeros_like(rows))

    def batch_of(rows: RowIndices) -> Batch:
        return setup.kind.targets(table, rows, setup.spec)

    return evaluate_teacher(setup.kind, table, batch_of, signals_of)


def _joined(
    ready: list[AskedTeacher],
    weights: list[float],
    features: int,
    evaluation: EvalResult | None,
) -> PreparedTeacher:
    each = [one.prepared for one in ready]
    prints = "\n".join(f"{one.fingerprint} {w}" for one, w in zip(each, weights, strict=True))
    shown = each[features]
    return PreparedTeacher(
        source=JointSource([one.source for one in each], weights, features),
        tokens_width=shown.tokens_width,
        layer_widths=shown.layer_widths,
        knowledge=" + ".join(
            dict.fromkeys(one.knowledge for one in each if one.knowledge != "none")
        )
        or "none",
        temperature=None,
        evaluation=evaluation,
        name=" + ".join(one.name for one in each),
        parameters=sum(one.parameters for one in each),
        fingerprint=hashlib.blake2b(prints.encode(), digest_size=16).hexdigest(),
        forwards=sum(one.forwards for one in each),
        check=_shared_check(each, weights),
        members=tuple(
            TeacherMember(
                one.name,
                weight,
                number == features,
                one.knowledge,
                one.evaluation,
                one.fingerprint,
                one.check,
            )
            for number, (one, weight) in enumerate(zip(each, weights, strict=True))
        ),
    )
