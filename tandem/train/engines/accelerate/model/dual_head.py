"""Whether a student has a second head, which learns from the teacher alone (DHO)."""

from __future__ import annotations

from tandem.spec.errors import SpecError
from tandem.spec.run import RunSpec
from tandem.train.engines.accelerate.loss_terms import Term
from tandem.train.registry import entries, find

KINDS = ("classification", "sequence", "text")


def wanted(spec: RunSpec, terms: list[Term]) -> bool:
    """Whether the spec asks for one, by itself or by a loss that is for nothing else."""
    return spec.student.dual_head or any(term.entry.facts.get("dual_head") for term in terms)


def complete(spec: RunSpec, terms: list[Term]) -> RunSpec:
    """The spec with what the terms say of the student's heads."""
    student = spec.student.model_copy(update={"dual_head": wanted(spec, terms)})
    return spec.model_copy(update={"student": student})


def check(spec: RunSpec, kind: str, terms: list[Term]) -> None:
    """SpecError where one of the two heads would answer without having learnt."""
    if not wanted(spec, terms):
        return
    able = [
        one.name for one in entries("students").values() if "dual_head" in one.options.model_fields
    ]
    if (
        kind not in KINDS
        or "dual_head" not in find("students", spec.student.type).options.model_fields
    ):
        raise SpecError(
            "A second head is for class scores; the student {student} has none for {kind}.",
            student=spec.student.type,
            kind=kind,
            allowed=able,
            fix="Set student.dual_head to false, and loss.soft_loss to another loss than dho.",
        )
    if not any(term.only_labelled for term in terms):
        raise SpecError(
            "Of two heads one learns from labels, and nothing here does.",
            fix="Give loss.hard_label_weight a weight, or set student.dual_head to false.",
        )
    if not any(term.compares_classes for term in terms):
        raise SpecError(
            "Of two heads one learns from soft labels, and nothing here does.",
            fix="Give loss.soft_label_weight a weight, or set student.dual_head to false.",
        )
