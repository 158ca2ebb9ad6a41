"""Who of several teachers is asked what: it follows from the spec and the terms alone."""

from __future__ import annotations

from dataclasses import dataclass

from tandem.spec.errors import SpecError
from tandem.spec.run import RunSpec, TeacherSpec
from tandem.train.engines.accelerate.loss_terms import Term


@dataclass(frozen=True)
class Part:
    """What one of several teachers is asked for."""

    spec: RunSpec
    """The run's, with this teacher in it."""
    terms: list[Term]
    weight: float
    """The weight of its class scores among all; together they are 1."""


def has_several(spec: RunSpec) -> bool:
    """Whether the run has several teachers."""
    return spec.teacher is not None and bool(spec.teacher.others)


def check(spec: RunSpec) -> None:
    """SpecError for several teachers that do not go together."""
    teacher = spec.teacher
    if teacher is None:
        return
    count = 1 + len(teacher.others)
    if teacher.weights and len(teacher.weights) != count:
        raise SpecError(
            "teacher.weights has {weights} numbers for {count} teachers.",
            weights=len(teacher.weights),
            count=count,
            fix="Give one number a teacher, the first one's first, or none.",
        )
    if teacher.weights and sum(teacher.weights) == 0:
        raise SpecError(
            "All of teacher.weights are 0: no teacher would be asked about the classes.",
            fix="Give one of them a weight, or set loss.distillation_type to feature.",
        )
    if teacher.features_from >= count:
        raise SpecError(
            "teacher.features_from is {number}, and the run has {count} teachers, counted from 0.",
            number=teacher.features_from,
            count=count,
            fix="Lower it, or name more in teacher.others.",
        )
    if teacher.others and spec.lora.rank > 0 and spec.lora.on != "student":
        raise SpecError(
            "Adapters are trained in one teacher, and this run has {count}.",
            count=count,
            fix="Set lora.rank to 0, or leave teacher.others out.",
        )


def parts(spec: RunSpec, terms: list[Term]) -> list[Part]:
    """Each teacher with its terms. SpecError for one that nothing would be asked of."""
    assert spec.teacher is not None
    teacher, given = spec.teacher, spec.teacher.weights
    weights = given or [1.0] * (1 + len(teacher.others))
    asked = []
    for number, (member, weight) in enumerate(zip(members(teacher), weights, strict=True)):
        own = [
            term
            for term in terms
            if not term.asks_teacher
            or (weight > 0 if term.compares_classes else number == teacher.features_from)
        ]
        if not any(term.asks_teacher for term in own):
            raise SpecError(
                "Nothing would be asked of the teacher {name}.",
                name=name_of(member),
                fix="Give it a weight in teacher.weights, its number as teacher.features_from, or "
                "leave it out.",
            )
        if weight == 0:
            member = member.model_copy(update={"knowledge": "none"})
        asked.append(Part(spec.model_copy(update={"teacher": member}), own, weight / sum(weights)))
    return asked


def members(teacher: TeacherSpec) -> list[TeacherSpec]:
    """The spec of each teacher; the others' families are read from their checkpoints."""
    alone = teacher.model_copy(update={"others": [], "weights": [], "features_from": 0})
    others = [
        alone.model_copy(update={"name": None, "path": one, "family": "auto", "layers": []})
        for one in teacher.others
    ]
    return [alone, *others]


def name_of(teacher: TeacherSpec) -> str:
    """What a teacher is called to a person."""
    return teacher.name or str(teacher.path)
