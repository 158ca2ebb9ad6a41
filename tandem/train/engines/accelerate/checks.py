"""What our own loop cannot do: pure rules, called by `pipeline/checks.py` in its order."""

from __future__ import annotations

import numpy as np
from torch import nn

from tandem.spec.errors import DataError, SpecError, TeacherError
from tandem.spec.run import RunSpec
from tandem.train.engines.accelerate import layer_pairs
from tandem.train.engines.accelerate.loss_terms import OF_THE_DATA, Term, chosen, needs
from tandem.train.engines.base import ResolvedRun
from tandem.train.engines.device import DeviceContext
from tandem.train.lora import student_adapter
from tandem.train.registry import find
from tandem.train.teachers.family import family_of
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
    _check_classes(terms, len(table.classes))
    if not (table.labels_N != UNLABELLED).any():
        terms = [term for term in terms if not term.only_labelled]
        if not terms:
            raise DataError(
                "No sample of {dataset} has a label, and only labels would be learnt from.",
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
        missing = term.entry.reads - gives
        if missing:
            raise SpecError(
                "The loss {loss} needs {missing}, which the student {student} does not give.",
                loss=term.name,
                missing=", ".join(sorted(missing)),
                student=spec.student.type,
                allowed=sorted(gives),
            )
    return terms


def check_kinds(terms: list[Term], kind: str) -> None:
    """SpecError for a loss that is not made for what is learnt."""
    for term in terms:
        if term.entry.kinds and kind not in term.entry.kinds:
            raise SpecError(
                "The loss {loss} is for {kinds}, not for {kind}.",
                loss=term.name,
                kinds=", ".join(sorted(term.entry.kinds)),
                kind=kind,
                fix="Choose another loss.soft_loss or loss.feature_loss.",
            )


def _check_classes(terms: list[Term], classes: int) -> None:
    """SpecError for a loss that can tell nothing among so few classes."""
    for term in terms:
        least = term.entry.facts.get("least_classes", 1)
        assert isinstance(least, int)
        if classes < least:
            raise SpecError(
                "The loss {loss} teaches nothing with {classes} classes; it needs {least} or more.",
                loss=term.name,
                classes=classes,
                least=least,
                fix="Set loss.soft_loss to kl_div.",
            )


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
    for term in terms:
        if term.entry.facts.get("spatial") and student.tokens_grid == 1:
            raise SpecError(
                "At {size} px this student has a single cell, and the loss {loss} compares cells.",
                size=spec.data.image_size,
                loss=term.name,
                fix="Set data.image_size to 64 or more, or choose another loss.feature_loss.",
            )


def check_teacher(run: ResolvedRun, terms: list[Term]) -> None:
    """SpecError or TeacherError for a teacher that cannot teach this, by its config alone.

    What only its weights can tell (the classes of its head) is said when it is opened.
    """
    spec = run.spec
    assert spec.teacher is not None
    origin = knowledge_source(spec, run.splits)
    family = family_of(spec.teacher)
    entry = find("teachers", family)
    if (entry.reads == "text") == run.table_kind.shows_images:
        raise TeacherError(
            "The teacher {name} ({family}) cannot be asked about {kind} data.",
            name=spec.teacher.name or spec.teacher.path,
            family=family,
            kind=run.kind.name,
            fix="Name a teacher of texts for texts, and one that sees for pictures and clips.",
        )
    # Label scoring and adapters put class scores over whatever the family gives.
    wrapped = {"logits"} if origin in ("label_scoring", "lora") else set()
    check_gives(entry.gives | wrapped, terms, origin)
    if "layers" in needs(terms) and spec.loss.intermediate_layers and spec.teacher.layers:
        layer_pairs.check(len(spec.loss.intermediate_layers), len(spec.teacher.layers))


def knowledge_source(spec: RunSpec, splits: Splits) -> str:
    """Where class scores come from, in the order of their cost."""
    assert spec.teacher is not None
    asked = spec.teacher.knowledge
    if asked == "lora" and spec.lora.rank == 0:
        raise SpecError(
            "teacher.knowledge is lora, but lora.rank is 0.", fix="Give lora.rank, such as 16."
        )
    if asked != "auto":
        return asked
    if spec.lora.rank > 0 and spec.lora.on != "student":
        return "lora"
    return "probe" if (splits.train.labels_N != UNLABELLED).any() else "label_scoring"


def check_gives(given: frozenset[str], terms: list[Term], origin: str) -> None:
    """SpecError for a loss that needs what the teacher, asked by `origin`, does not give."""
    gives = set(given) | ({"logits"} if origin == "probe" else set())
    if origin == "none":
        gives.discard("logits")
    for term in terms:
        missing = term.needs - gives - OF_THE_DATA
        if missing:
            raise SpecError(
                "The loss {loss} needs {missing} from the teacher, which gives {gives}.",
                loss=term.name,
                missing=", ".join(sorted(missing)),
                gives=", ".join(sorted(gives)),
                fix="Set that loss's weight to 0, or choose another teacher.knowledge.",
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
