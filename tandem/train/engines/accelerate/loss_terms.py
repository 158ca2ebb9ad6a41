"""The terms of the loss: which ones a spec asks for, and their sum over a batch.

A term is a mean over the rows it applies to. Its rows lie spread over micro-batches, accumulated
batches and processes, so each part is weighted by its share of all rows: the sum is then the same
however the batch is cut (but for `relation`, which compares rows within a part).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tandem.data.content import IGNORED, UNLABELLED
from tandem.spec.errors import SpecError
from tandem.spec.plugins.losses import LossRole
from tandem.spec.run import LossSpec, RunSpec
from tandem.train.engines.accelerate.mixing import labelled_rows
from tandem.train.engines.accelerate.model.projected_student import StudentOutputs
from tandem.train.grids import matched
from tandem.train.registry import LossEntry, entries, find
from tandem.train.types import Batch, Options, Signals, StepOutput

OF_THE_DATA = frozenset({"labels", "masks"})
"""What a loss needs that no teacher gives."""


@dataclass(frozen=True)
class Term:
    """One loss with its weight and options."""

    name: str
    entry: LossEntry
    weight: float
    options: Options

    @property
    def role(self) -> LossRole:
        return self.entry.role

    @property
    def needs(self) -> frozenset[str]:
        return self.entry.needs

    @property
    def only_labelled(self) -> bool:
        return "labels" in self.entry.needs

    @property
    def projects(self) -> bool:
        """Whether it compares features after the projector."""
        return bool(self.entry.facts.get("projects"))

    @property
    def learns_layers(self) -> bool:
        """Whether its own module takes the student's layers, whatever the teacher gives."""
        return self.entry.head is not None and "layers" in self.entry.reads

    @property
    def asks_teacher(self) -> bool:
        return bool(self.entry.needs - OF_THE_DATA)

    @property
    def compares_classes(self) -> bool:
        """Whether it sets class scores against the teacher's."""
        return "logits" in self.entry.needs

    @property
    def by_cell(self) -> bool:
        """Whether a class map's cells are its rows; else it is given the map as it is."""
        return self.compares_classes and not self.entry.facts.get("dense")


@dataclass(frozen=True)
class Totals:
    """Rows of one optimizer step, over all its batches and processes."""

    rows: float
    labelled: float

    def of(self, term: Term) -> float:
        return self.labelled if term.only_labelled else self.rows


def chosen(spec: RunSpec, hard: str = "cross_entropy") -> list[Term]:
    """The terms whose weight is not zero; `hard` is the kind's loss on labels.

    SpecError when none is left or an option is astray.
    """
    weights = _weights(spec, hard)
    wanted = {name: weight for name, weight in weights.items() if weight > 0}
    if not wanted:
        raise SpecError(
            "Every loss weight is zero, so nothing would be learnt.",
            allowed=sorted(weights),
            fix="Give one of them a weight above 0.",
        )
    astray = spec.loss.options.keys() - wanted.keys()
    if astray:
        raise SpecError(
            "loss.options names {astray}, which this run does not use.",
            astray=", ".join(sorted(astray)),
            allowed=sorted(wanted),
        )
    return [_term(name, weight, spec.loss) for name, weight in wanted.items()]


def _weights(spec: RunSpec, hard: str) -> dict[str, float]:
    loss = spec.loss
    if spec.mode == "direct":
        return {hard: 1.0}
    weights = {hard: loss.hard_label_weight}
    if loss.distillation_type in ("logit", "hybrid"):
        weights[_of_role(loss.soft_loss, "soft", "loss.soft_loss")] = loss.soft_label_weight
    if loss.distillation_type in ("feature", "hybrid"):
        feature = _of_role(f"feature_{loss.feature_loss}", "feature", "loss.feature_loss")
        weights[feature] = loss.feature_weight
    weights["attention"] = loss.attention_weight
    weights["relation"] = loss.relation_weight
    weights["intermediate"] = loss.intermediate_weight
    return weights


def _of_role(name: str, role: LossRole, field: str) -> str:
    """The name itself; SpecError where that loss is of another role.

    A spec's own check knows the catalog and the plug-ins that are announced by name; a package's
    other plug-ins are known here first.
    """
    if find("losses", name).role != role:
        raise SpecError(
            "{field} names {name}, which is no loss of that sort.",
            field=field,
            name=name,
            allowed=[one.name for one in entries("losses").values() if one.role == role],
        )
    return name


def _term(name: str, weight: float, loss: LossSpec) -> Term:
    entry = find("losses", name)
    shared = {
        "temperature": loss.known_temperature,
        "label_smoothing": loss.label_smoothing,
        # Numbers by now, where they were asked for: `pipeline.part.weighted`.
        "class_weights": loss.class_weights if isinstance(loss.class_weights, list) else [],
    }
    own = loss.options.get(name, {})
    unknown = own.keys() - entry.options.model_fields.keys()
    if unknown:
        raise SpecError(
            "The loss {name} has no option {unknown}.",
            name=name,
            unknown=", ".join(sorted(unknown)),
            allowed=sorted(entry.options.model_fields),
        )
    given = {key: value for key, value in shared.items() if key in entry.options.model_fields}
    return Term(name, entry, weight, entry.options(**given | own))


def needs(terms: list[Term]) -> frozenset[str]:
    """Everything the terms ask of the teacher."""
    return frozenset().union(*(term.needs for term in terms)) - OF_THE_DATA


def weighted_sum(
    terms: list[Term],
    outputs: StudentOutputs,
    signals: Signals,
    batch: Batch,
    totals: Totals,
) -> tuple[Tensor, Tensor]:
    """The part of the loss these rows add, and each term's part before its weight, (terms,).

    A second head answers the terms on soft labels, where the student has one.
    """
    own = outputs.own
    labelled_B = labelled_rows(batch)
    parts: list[Tensor] = []
    for term in terms:
        output = outputs.of(term.name, projects=term.projects)
        if output.taught_BK is not None and term.compares_classes:
            output = replace(output, logits_BK=output.taught_BK)
        count = int(labelled_B.sum()) if term.only_labelled else len(labelled_B)
        if count == 0:
            # Zero, and still there: every process must send as many numbers in the reduction.
            parts.append(own.logits_BK.new_zeros(()))
            continue
        what = (output, signals, batch)
        if output.class_map_BHWK is not None and term.by_cell:
            what, count = by_cell(*what), len(labelled_B)
        elif count < len(labelled_B):
            what = pick(*what, labelled_B)
        # A mean over these rows; its share of all rows of the step makes it part of their mean.
        value = term.entry.make(*what, term.options)
        parts.append(value * (count / totals.of(term)))
    # What is logged is each term before its weight: a weight can then be chosen by looking.
    # Weights stay numbers: a tensor of them, copied to a GPU, would wait for it in each step.
    weighted = [value * term.weight for value, term in zip(parts, terms, strict=True)]
    return torch.stack(weighted).sum(), torch.stack(parts).detach()


def pick(
    output: StepOutput, signals: Signals, batch: Batch, rows_B: Tensor
) -> tuple[StepOutput, Signals, Batch]:
    """The same three, of the rows that `rows_B` marks, on the CPU."""
    keep = rows_B.numpy()
    # By number: how many rows a mask on a GPU marks is known only when the GPU has got there.
    chosen = rows_B.nonzero().squeeze(1).to(output.logits_BK.device, non_blocking=True)

    def some(x: Tensor | None) -> Tensor | None:
        return None if x is None else x.index_select(0, chosen)

    picked = StepOutput(
        output.logits_BK.index_select(0, chosen),
        output.pooled_BD.index_select(0, chosen),
        some(output.tokens_BHWD),
        tuple(x.index_select(0, chosen) for x in output.layers_BHWD),
        some(output.class_map_BHWK),
    )
    teacher = Signals(
        some(signals.pooled_BD),
        some(signals.tokens_BHWD),
        some(signals.logits_BK),
        some(signals.class_map_BHWK),
        tuple(x.index_select(0, chosen) for x in signals.layers_BHWD),
    )
    part = replace(
        batch,
        inputs=batch.inputs.index_select(0, chosen),
        labels_B=batch.labels_B.index_select(0, chosen),
        index_B=batch.index_B[keep],
        view_B=batch.view_B[keep],
        label_BK=some(batch.label_BK),
        mask_BHW=some(batch.mask_BHW),
        labelled_B=rows_B[rows_B],
    )
    return picked, teacher, part


def by_cell(
    output: StepOutput, signals: Signals, batch: Batch
) -> tuple[StepOutput, Signals, Batch]:
    """The same three with a row for each cell of a class map, so that any loss on class scores
    fits masks.

    The student's scores are pooled to the teacher's cells: a teacher that sees 16 x 16 of them
    knows of no edge between two pixels, and spread over the pixels it would teach soft ones. The
    label of a cell is that of the pixel at its centre.
    """
    assert output.class_map_BHWK is not None
    assert signals.class_map_BHWK is not None
    student_BHWK, teacher_BHWK = matched(output.class_map_BHWK, signals.class_map_BHWK)
    rows, columns = student_BHWK.shape[1:3]
    labels_B = batch.labels_B.repeat_interleave(rows * columns)
    if batch.mask_BHW is not None:
        centres_BHW = _centres(batch.mask_BHW, rows, columns).long()
        known_BHW = (centres_BHW != IGNORED) & (batch.labels_B != UNLABELLED)[:, None, None]
        labels_B = torch.where(known_BHW, centres_BHW, UNLABELLED).flatten()
    cells = replace(output, logits_BK=student_BHWK.flatten(0, 2), class_map_BHWK=None)
    teacher = replace(signals, logits_BK=teacher_BHWK.flatten(0, 2))
    return cells, teacher, replace(batch, labels_B=labels_B, mask_BHW=None)


def _centres(mask_BHW: Tensor, rows: int, columns: int) -> Tensor:
    """The pixels in the middle of the cells of a coarser grid."""
    high, wide = mask_BHW.shape[1:]
    y_H = ((torch.arange(rows, device=mask_BHW.device) + 0.5) * high / rows).long()
    x_W = ((torch.arange(columns, device=mask_BHW.device) + 0.5) * wide / columns).long()
    return mask_BHW[:, y_H[:, None], x_W]
