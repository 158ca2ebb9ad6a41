"""Every cross-check of a spec against its data and the plug-ins, before anything is loaded."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np

from tandem.spec.errors import DataError, SpecError
from tandem.spec.run import RunSpec
from tandem.spec.students import resolve
from tandem.train.engines.accelerate.loss_terms import OF_THE_DATA, Term, chosen
from tandem.train.lora import student_adapter
from tandem.train.registry import find
from tandem.train.types import UNLABELLED, ImageTable, Splits, Student


def completed(spec: RunSpec) -> RunSpec:
    """The spec with what follows from the rest filled in: the student's type, the cache's place."""
    kind, size = resolve(spec.student.type, spec.student.size)
    student = spec.student.model_copy(update={"type": kind, "size": size})
    root = spec.cache.root or Path(spec.run.output_dir) / "cache"
    cache = spec.cache.model_copy(update={"root": root})
    return spec.model_copy(update={"student": student, "cache": cache})


def check_cache_root(spec: RunSpec) -> None:
    """It is made here, where it lacks; what was read of the data is kept there too."""
    assert spec.cache.root is not None, "completed() gives the cache a root"
    try:
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


def check_kind(spec: RunSpec, splits: Splits) -> None:
    """The data's kind against the spec's and the student's."""
    if spec.kind is not None and spec.kind != splits.kind:
        raise DataError(
            "The data set {dataset} is for {found}, not for {asked}.",
            dataset=spec.data.dataset,
            found=splits.kind,
            asked=spec.kind,
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


def check_student(spec: RunSpec, student: Student, terms: list[Term]) -> None:
    """What only the built student can tell."""
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


def learnt_rows(table: ImageTable, terms: list[Term]) -> ImageTable:
    """All rows; the labelled ones only where no term has a use for the others."""
    if any(not term.only_labelled for term in terms):
        return table
    return table.rows(np.flatnonzero(table.labels_N != UNLABELLED).astype(np.int64))


def equal_steps(spec: RunSpec, steps: int, rows: int) -> int:
    """Epochs over `rows` that make at least as many optimizer steps as `steps`."""
    batches = -(-rows // spec.optim.batch_size)
    an_epoch = -(-batches // spec.optim.grad_accum_steps)
    return -(-steps // an_epoch)
