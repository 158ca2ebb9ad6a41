"""Which layers and widths of student and teacher are compared, and whether they can be.

All of it follows from the spec and from the two models unopened, so that it is said before a
teacher learns or is asked.
"""

from __future__ import annotations

from tandem.spec.errors import SpecError
from tandem.spec.run import RunSpec
from tandem.train.engines.accelerate.loss_terms import Term, needs
from tandem.train.types import Student, Teacher

MOST_LAYERS = 4
"""Pairs of layers compared unless more are named."""


def check(student_layers: int, teacher_layers: int) -> None:
    """SpecError where layers of student and teacher are compared that do not pair off."""
    if student_layers != teacher_layers:
        raise SpecError(
            "loss.intermediate_layers names {student} student layers, "
            "teacher.layers {teacher} of the teacher.",
            student=student_layers,
            teacher=teacher_layers,
            fix="Name as many of one as of the other.",
        )


def teacher_layers(spec: RunSpec, student: Student, teacher: Teacher) -> tuple[int, ...]:
    """The teacher's layers that the intermediate loss compares; SpecError where it has too few."""
    assert spec.teacher is not None
    if spec.teacher.layers:
        return tuple(spec.teacher.layers)
    named = len(spec.loss.intermediate_layers)
    if named > teacher.layer_count:
        raise SpecError(
            "loss.intermediate_layers names {student} student layers, and the teacher has {teacher}"
            " layers.",
            student=named,
            teacher=teacher.layer_count,
            fix="Name fewer of them.",
        )
    most = min(MOST_LAYERS, len(student.layer_widths), teacher.layer_count)
    return evenly_spaced(teacher.layer_count, named or most)


def student_layers(spec: RunSpec, student: Student, pairs: int) -> tuple[int, ...]:
    """The student's layers that the intermediate loss compares with `pairs` of the teacher's."""
    if spec.loss.intermediate_layers:
        return tuple(spec.loss.intermediate_layers)
    return evenly_spaced(len(student.layer_widths), pairs)


def evenly_spaced(layers: int, count: int) -> tuple[int, ...]:
    """`count` of `layers` layers, evenly, the last one among them."""
    return tuple(round((i + 1) * layers / count) - 1 for i in range(count))


def must_fit(spec: RunSpec, terms: list[Term]) -> bool:
    """Whether the run compares something that may not fit: layers, or features as they are."""
    compares = any(term.projects for term in terms) and not spec.loss.align_feature
    return compares or "layers" in needs(terms)


def check_fit(spec: RunSpec, student: Student, terms: list[Term], teacher: Teacher) -> None:
    """SpecError or TeacherError for layers that do not pair off or that the teacher lacks, and for
    widths that differ where no projector is between them."""
    asked = frozenset[str]().union(*(term.needs for term in terms))
    pairs: list[tuple[int, int]] = []
    if "layers" in asked:
        layers = teacher_layers(spec, student, teacher)
        own = student_layers(spec, student, len(layers))
        check(len(own), len(layers))
        teacher.layers = layers  # it refuses those that it does not have
        pairs = [(student.layer_widths[one], teacher.width) for one in own]
    if spec.loss.align_feature:
        return
    if any(term.projects and "tokens" in term.needs for term in terms):
        pairs.insert(0, (student.tokens_width, teacher.width))
    _check_widths(spec, pairs)


def _check_widths(spec: RunSpec, pairs: list[tuple[int, int]]) -> None:
    """Signals are kept in `cache.dims` components at most."""
    kept = [(own, min(spec.cache.dims or width, width)) for own, width in pairs]
    astray = next(((own, width) for own, width in kept if own != width), None)
    if astray is None:
        return
    own = {one for one, _ in pairs}
    # Components can be fewer than the teacher's numbers, never more.
    dims_help = len(own) == 1 and all(one <= width for one, width in pairs)
    raise SpecError(
        "Without a projector the student's features must be as wide as the teacher's: "
        "they are {student} and {teacher} wide.",
        student=astray[0],
        teacher=astray[1],
        fix="Set loss.align_feature (--align_feature) to true, or cache.dims to {student}."
        if dims_help
        else "Set loss.align_feature (--align_feature) to true.",
    )
