"""What our own loop cannot do: pure rules, called by `pipeline/checks.py` in its order."""

from __future__ import annotations

import numpy as np
from torch import nn

from tandem.spec.errors import DataError, SpecError
from tandem.spec.run import RunSpec
from tandem.train.engines.accelerate.loss_terms import OF_THE_DATA, Term, chosen
from tandem.train.engines.device import DeviceContext
from tandem.train.lora import student_adapter
from tandem.train.registry import find
from tandem.train.types import UNLABELLED, ImageTable, Splits, Student


def check_weights(spec: RunSpec) -> None:
    """SpecError for weights that no `init` would read, and for two ways of learning at once."""
    if spec.student.path and spec.student.init != "pretrained":
        raise SpecError(
            "student.path names weights, but student.init is {init}.",
            init=spec.student.init,
            fix="Set student.init to pretrained, or leave student.path out.",
        )
    if spec.student.quantise != "none" and student_adapter.wanted(spec):
        raise SpecError(
            "A student learns by LoRA or with int8's rounding, not both at once.",
            fix="Set lora.rank to 0 or student.quantise to none.",
        )


def check_terms(spec: RunSpec, table: ImageTable, hard: str = "cross_entropy") -> list[Term]:
    """The loss terms that this data can feed, matched with what the student gives."""
    terms = chosen(spec, hard)
    if not (table.labels_N != UNLABELLED).any():
        terms = [term for term in terms if not term.only_labelled]
        if not terms:
            raise DataError(
                "No picture of {dataset} has a label, and only labels would be learnt from.",
                dataset=spec.data.dataset,
                fix="Label some (train/<class>/), or give soft_label_weight a weight above 0.",
            )
    if spec.mode == "distillation" and not any(term.asks_teacher for term in terms):
        raise SpecError(
            "No loss term with a weight above 0 asks the teacher.",
            fix="Give soft_label_weight or feature_weight a weight, or set mode to direct.",
        )
    gives = find("students", spec.student.type).gives | OF_THE_DATA
    for term in terms:
        missing = term.needs - gives
        if missing:
            raise SpecError(
                "The loss {loss} needs {missing}, which the student {student} does not give.",
                loss=term.name,
                missing=", ".join(sorted(missing)),
                student=spec.student.type,
                allowed=sorted(gives),
            )
    return terms


def check_layers(spec: RunSpec, student: Student, terms: list[Term]) -> None:
    """SpecError for layers that the student lacks, and for attention within a single cell."""
    count = len(student.layer_widths)
    beyond = [one for one in spec.loss.intermediate_layers if not 0 <= one < count]
    if beyond:
        raise SpecError(
            "loss.intermediate_layers names {beyond}, which this student does not have.",
            beyond=", ".join(map(str, beyond)),
            allowed=range(count),
            fix="Name layers from 0 on, or leave them out.",
        )
    if any(term.name == "attention" for term in terms) and student.tokens_grid == 1:
        raise SpecError(
            "At {size} px this student has a single cell, so there is no attention to transfer.",
            size=spec.data.image_size,
            fix="Set loss.attention_weight to 0, or data.image_size to 64 or more.",
        )


def check_layer_pairs(student_layers: int, teacher_layers: int) -> None:
    """SpecError where layers of student and teacher are compared that do not pair off."""
    if student_layers != teacher_layers:
        raise SpecError(
            "loss.intermediate_layers names {student} student layers, "
            "teacher.layers {teacher} of the teacher.",
            student=student_layers,
            teacher=teacher_layers,
            fix="Name as many of one as of the other.",
        )


def check_batch(spec: RunSpec, device_context: DeviceContext, student: Student) -> None:
    """SpecError for a batch that leaves a process fewer rows than a batch norm needs."""
    fewest = 2 if norms_single_cells(student) else 1
    if spec.optim.batch_size < fewest * device_context.processes:
        raise SpecError(
            "optim.batch_size {size} is too small for {processes} processes of this student.",
            size=spec.optim.batch_size,
            processes=device_context.processes,
            fix="Set it to {least} or more.",
            least=fewest * device_context.processes,
        )


def norms_single_cells(student: Student) -> bool:
    """Whether a batch norm of it sees one value a row: a variance then takes two rows."""
    norms = any(isinstance(one, nn.BatchNorm2d) for one in student.modules())
    return norms and student.tokens_grid == 1


def learnt_rows(splits: Splits, terms: list[Term]) -> Splits:
    """All rows of train; the labelled ones only where no term has a use for the others."""
    if any(not term.only_labelled for term in terms):
        return splits
    labels_N = splits.train.labels_N
    return splits.train_rows(np.flatnonzero(labels_N != UNLABELLED).astype(np.int64))
