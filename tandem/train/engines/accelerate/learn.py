"""One student learns: from a teacher, or (direct, baseline) from labels alone."""

from __future__ import annotations

import os
from dataclasses import replace

import torch
from torch import nn

from tandem.spec.i18n import t
from tandem.spec.run import RunSpec
from tandem.train.engines import checkpoint, quantize_aware
from tandem.train.engines.accelerate import layer_pairs
from tandem.train.engines.accelerate.checks import check_terms
from tandem.train.engines.accelerate.context import TrainingContext, training_context
from tandem.train.engines.accelerate.loss_terms import Term, needs
from tandem.train.engines.accelerate.model.batch_norm import synchronise
from tandem.train.engines.accelerate.model.ema import make_average
from tandem.train.engines.accelerate.model.projected_student import ProjectedStudent
from tandem.train.engines.accelerate.model.projector import Projector
from tandem.train.engines.accelerate.optim import make_optimizer, make_scheduler
from tandem.train.engines.accelerate.optimizer_step import OptimizerStep
from tandem.train.engines.accelerate.term_weights import TermWeights
from tandem.train.engines.accelerate.trainer import Trainer, steps_an_epoch
from tandem.train.engines.accelerate.training_state import TrainingState
from tandem.train.engines.base import PreparedTeacher, ResolvedRun, TrainedStudent
from tandem.train.engines.build_student import seed_everything
from tandem.train.engines.context import EventReporter
from tandem.train.engines.stop import EvaluationStoppedError, StoppedEarlyError
from tandem.train.kinds.base import EvalResult
from tandem.train.lora import student_adapter
from tandem.train.types import HeadShape, Student

COMPILER = "inductor"
"""The backend of torch.compile."""


def learn(run: ResolvedRun, student: Student, teacher: PreparedTeacher | None) -> TrainedStudent:
    """Train to the end (or from where an earlier attempt was), and load the best weights."""
    terms = _scaled(check_terms(run.spec, run.splits.train, run.table_kind.hard_loss), teacher)
    context = training_context(run, terms, teacher)
    projected = _projected(run.spec, student, terms, teacher).to(run.device_context.device)
    if lies_channels_last(run.spec, run.device_context.device):
        projected = projected.to(memory_format=torch.channels_last)
    synchronise(projected, run.device_context.processes)
    # From here on processes differ: each has dropout masks of its own.
    seed_everything(run.spec.run.seed, run.device_context.rank)
    state, model = _training_state(context, projected)
    weights = TermWeights(run.spec.loss, terms, steps_an_epoch(len(run.splits.train), run.spec))
    optimizer_step = OptimizerStep(context, model, state.optimizer, weights)
    trainer = Trainer(context, state, optimizer_step)
    resumed = trainer.resume()
    _lower_micro_batch(trainer.optimizer_step, run.reporter)
    if resumed and trainer.position.epoch < run.spec.optim.epochs:
        trainer.reporter.resumed(trainer.position)
    trainer.train()
    # The report, the verdict and the exports are about the epoch that was best, not the last one.
    student.load_state_dict(state.best)
    return _trained(context, trainer, student)


def _scaled(terms: list[Term], teacher: PreparedTeacher | None) -> list[Term]:
    """The terms with the soft labels' weight as the check of the teacher's scores leaves it."""
    factor = 1.0 if teacher is None or teacher.check is None else teacher.check.soft_label_factor
    return [
        replace(one, weight=one.weight * factor) if one.compares_classes else one for one in terms
    ]


def _trained(context: TrainingContext, trainer: Trainer, student: Student) -> TrainedStudent:
    """The student as it is used from now on: rounding and adapters are folded into its weights."""
    run, position = context.run, trainer.position
    rounded = run.spec.student.quantise == "int8"
    ranges = quantize_aware.bake(student) if rounded else {}
    adapter = None
    if student_adapter.wanted(run.spec):
        adapter = student_adapter.merge(student, run.spec.lora)
    student.eval()
    return TrainedStudent(
        student=student,
        evaluation=_measured(context, trainer, student),
        best_epoch=position.best_epoch,
        epochs=position.epoch,
        seconds=position.seconds,
        overfits_from=position.overfits_from or None,
        adapter=adapter,
        input_ranges=ranges,
    )


def _measured(context: TrainingContext, trainer: Trainer, student: Student) -> EvalResult:
    """The last evaluation. A stop ends it where all steps are saved; else it is let finish."""
    run, last = context.run, trainer.keeper.last_saved
    stop = run.stop if last == checkpoint.name(trainer.position) else None
    try:
        return context.evaluator.evaluate(student, stop, keep=run.keeps_predictions, as_served=True)
    except EvaluationStoppedError:
        raise StoppedEarlyError(
            "Stopped on request while measuring; the checkpoint {name} is kept.",
            name=last,
            fix="Start again with the same arguments to go on.",
        ) from None


def _training_state(
    context: TrainingContext, projected: ProjectedStudent
) -> tuple[TrainingState, nn.Module]:
    """What changes while the student learns, and the module that a step calls."""
    spec = context.run.spec
    optimizer = make_optimizer([projected], spec.optim)
    model: nn.Module
    model, prepared = context.accelerator.prepare(projected, optimizer)
    if spec.run.compile:
        # In place: no wrapper puts a prefix before the names of the weights.
        projected.compile(backend=COMPILER)
    # Of the bare optimizer: Accelerate's would step the rate once for every process.
    steps = steps_an_epoch(context.run.samples_an_epoch, spec)
    scheduler = make_scheduler(optimizer, spec.optim, steps)
    decay = spec.optim.ema_decay
    average = make_average(projected, decay) if decay else None
    return TrainingState(projected, prepared, scheduler, average, context.accelerator), model


def lies_channels_last(spec: RunSpec, device: torch.device) -> bool:
    """Whether the student's convolutions are laid out with the channels last."""
    asked = spec.run.memory_format
    return asked == "channels_last" or (asked == "auto" and device.type == "cuda")


def _projected(
    spec: RunSpec, student: Student, terms: list[Term], teacher: PreparedTeacher | None
) -> ProjectedStudent:
    layers: tuple[int, ...] = ()
    if teacher is not None and "layers" in needs(terms):
        layers = layer_pairs.student_layers(spec, student, len(teacher.layer_widths))
    elif any(term.learns_layers for term in terms):
        most = min(layer_pairs.MOST_LAYERS, len(student.layer_widths))
        layers = layer_pairs.student_layers(spec, student, most)
    projector = _projector(spec, student, terms, teacher, layers)
    return ProjectedStudent(student, projector, layers, _heads(student, terms, teacher, layers))


def _heads(
    student: Student,
    terms: list[Term],
    teacher: PreparedTeacher | None,
    layers: tuple[int, ...],
) -> dict[str, nn.Module]:
    """The modules that single losses learn beside the student, by the loss's name."""
    heads: dict[str, nn.Module] = {}
    for term in terms:
        if term.entry.head is None:
            continue
        width = student.tokens_width
        if term.projects and teacher is not None and teacher.tokens_width is not None:
            width = teacher.tokens_width
        widths = tuple(student.layer_widths[one] for one in layers)
        shape = HeadShape(student.num_classes, width, widths)
        heads[term.name] = term.entry.head(shape, term.options)
    return heads


def _projector(
    spec: RunSpec,
    student: Student,
    terms: list[Term],
    teacher: PreparedTeacher | None,
    layers: tuple[int, ...],
) -> Projector | None:
    """Maps for what the terms compare; None where nothing of a teacher's width is compared."""
    asked = frozenset().union(*(term.needs for term in terms if term.projects))
    if teacher is None or not asked & {"tokens", "layers"}:
        return None
    tokens = None
    if "tokens" in asked and teacher.tokens_width is not None:
        tokens = (student.tokens_width, teacher.tokens_width)
    pairs: list[tuple[int, int]] = []
    if "layers" in asked:
        layer_pairs.check(len(layers), len(teacher.layer_widths))
        widths = [student.layer_widths[one] for one in layers]
        pairs = list(zip(widths, teacher.layer_widths, strict=True))
    return Projector(tokens=tokens, layers=pairs, align=spec.loss.align_feature)


def _lower_micro_batch(optimizer_step: OptimizerStep, reporter: EventReporter) -> None:
    """To what the launcher says may fit, after processes of this run were out of memory."""
    given = int(os.environ.get("TANDEM_MICRO_BATCH") or 0)
    if given and (optimizer_step.micro_batch == 0 or given < optimizer_step.micro_batch):
        optimizer_step.micro_batch = given
        reporter.notice(
            t(
                "A process was out of memory: going on with {given} samples at once in each, "
                "accumulated to the same batch.",
                given=given,
            ),
            warning=True,
        )
