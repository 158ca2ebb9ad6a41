"""One student learns: from a teacher, or (direct, baseline) from labels alone."""

from __future__ import annotations

import os
from dataclasses import dataclass

from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from torch import nn

from tandem.spec.errors import SpecError
from tandem.spec.i18n import t
from tandem.spec.run import RunSpec
from tandem.train.data.augment import Views
from tandem.train.engines import quantize_aware
from tandem.train.engines.accelerate.batch_norm import synchronise
from tandem.train.engines.accelerate.ema import make_average
from tandem.train.engines.accelerate.evaluate import Evaluator
from tandem.train.engines.accelerate.loss_terms import Term, needs
from tandem.train.engines.accelerate.optim import make_optimizer, make_scheduler
from tandem.train.engines.accelerate.optimizer_step import OptimizerStep, norms_single_cells
from tandem.train.engines.accelerate.prepare_teacher import PreparedTeacher, student_layers
from tandem.train.engines.accelerate.projected_student import ProjectedStudent, student_of
from tandem.train.engines.accelerate.projector import Projector
from tandem.train.engines.accelerate.trainer import EventReporter, Trainer, steps_an_epoch
from tandem.train.engines.accelerate.training_state import TrainingState, seed_everything
from tandem.train.engines.checkpoint import Position
from tandem.train.engines.device import DeviceContext
from tandem.train.engines.run_folder import RunFolder
from tandem.train.engines.stop import StopRequest
from tandem.train.kinds.base import EvalResult
from tandem.train.lora import student_adapter
from tandem.train.registry import find
from tandem.train.types import ImageTable, Student


@dataclass(frozen=True)
class TrainedStudent:
    """The outcome: the student with its best weights, and what it is worth."""

    student: Student
    judged: EvalResult
    best_epoch: int
    epochs: int
    seconds: float
    resumed_from_epoch: int | None
    adapter: student_adapter.Adapter | None = None
    """Of a student that learnt by LoRA; it is merged into `student`."""


@dataclass(frozen=True)
class TrainingContext:
    """What a student learns with."""

    spec: RunSpec
    device_context: DeviceContext
    accelerator: Accelerator
    folder: RunFolder
    table: ImageTable
    views: Views
    evaluator: Evaluator
    reporter: EventReporter
    stop: StopRequest
    keeps_answers: bool = True
    """Whether each validation sample's answer is kept: the student's are, the baseline's not."""


def build_student(spec: RunSpec, num_classes: int) -> Student:
    """The untrained student, its initial weights drawn from the run's seed."""
    seed_everything(spec.run.seed, 0)
    entry = find("students", spec.student.type)
    student: Student = entry.make(spec.student, num_classes, spec.data.image_size)
    if student_adapter.wanted(spec):
        student_adapter.attach(student, spec.lora)
    if spec.student.quantise == "int8":
        quantize_aware.attach(student)
    return student


def learn(
    context: TrainingContext,
    student: Student,
    terms: list[Term],
    prepared: PreparedTeacher | None,
) -> TrainedStudent:
    """Train to the end (or from where an earlier attempt was), and load the best weights."""
    spec, place = context.spec, context.device_context
    layers: tuple[int, ...] = ()
    if prepared is not None and "layers" in needs(terms):
        layers = student_layers(spec, student, prepared)
    learner = ProjectedStudent(student, _projector(spec, student, terms, prepared, layers), layers)
    learner = learner.to(place.device)
    synchronise(learner, place.processes)
    seed_everything(spec.run.seed, place.rank)
    trained, model = _prepare(context, learner)
    position = Position()
    stepper = OptimizerStep(
        spec,
        place,
        context.accelerator,
        model,
        trained.optimizer,
        terms,
        prepared.source if prepared else None,
        len(context.table.classes),
        position,
        context.reporter,
        context.evaluator.kind,
    )
    loop = Trainer(
        spec,
        place,
        context.folder,
        context.table,
        context.views,
        trained,
        stepper,
        lambda: context.evaluator.score(student_of(trained.evaluated()), context.stop),
        context.reporter,
        context.stop,
    )
    resumed = position.epoch if loop.resume() else None
    _lower_micro_batch(position, context.reporter)
    if resumed is not None and position.epoch < spec.optim.epochs:
        context.reporter.notice(t("Going on from epoch {epoch}.", epoch=position.epoch + 1))
    loop.run()
    student.load_state_dict(trained.best)
    if spec.student.quantise == "int8":
        quantize_aware.bake(student)
    adapter = student_adapter.merge(student, spec.lora) if student_adapter.wanted(spec) else None
    student.eval()
    return TrainedStudent(
        student,
        context.evaluator.evaluate(student, keep=context.keeps_answers),
        position.best_epoch,
        position.epoch,
        position.seconds,
        resumed,
        adapter,
    )


def _lower_micro_batch(position: Position, reporter: EventReporter) -> None:
    """To what the launcher says may fit, after processes of this run were out of memory."""
    given = int(os.environ.get("TANDEM_MICRO_BATCH") or 0)
    if given and (position.micro_batch == 0 or given < position.micro_batch):
        position.micro_batch = given
        reporter.notice(
            t(
                "A process was out of memory: going on with {given} images at once in each, "
                "accumulated to the same batch.",
                given=given,
            ),
            warning=True,
        )


def make_accelerator(device_context: DeviceContext, terms: list[Term]) -> Accelerator:
    """Accelerate for this process. A run in the same process before this one is forgotten."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()
    # Without a term on every row's logits, a micro-batch may leave the classifier unused.
    whole = any(not term.only_labelled and "logits" in term.needs for term in terms)
    unused = DistributedDataParallelKwargs(find_unused_parameters=not whole)
    precision = {"fp32": "no"}.get(device_context.precision, device_context.precision)
    return Accelerator(
        cpu=device_context.device.type == "cpu", mixed_precision=precision, kwargs_handlers=[unused]
    )


def _prepare(
    context: TrainingContext, projected: ProjectedStudent
) -> tuple[TrainingState, nn.Module]:
    spec = context.spec
    optimizer = make_optimizer([projected], spec.optim)
    model: nn.Module
    model, prepared = context.accelerator.prepare(projected, optimizer)
    scheduler = make_scheduler(optimizer, spec.optim, steps_an_epoch(len(context.table), spec))
    decay = spec.optim.ema_decay
    average = make_average(projected, decay) if decay else None
    return TrainingState(projected, prepared, scheduler, average, context.accelerator), model


def _projector(
    spec: RunSpec,
    student: Student,
    terms: list[Term],
    prepared: PreparedTeacher | None,
    layers: tuple[int, ...],
) -> Projector | None:
    asked = frozenset().union(*(term.needs for term in terms if term.projects))
    if prepared is None or not asked & {"tokens", "layers"}:
        return None
    if "layers" in asked and len(layers) != len(prepared.layer_widths):
        raise SpecError(
            "loss.intermediate_layers names {student} student layers, "
            "teacher.layers {teacher} of the teacher.",
            student=len(layers),
            teacher=len(prepared.layer_widths),
            fix="Name as many of one as of the other.",
        )
    tokens = None
    if "tokens" in asked and prepared.tokens_width is not None:
        tokens = (student.tokens_width, prepared.tokens_width)
    widths = [student.layer_widths[one] for one in layers] if "layers" in asked else []
    pairs = list(zip(widths, prepared.layer_widths, strict=False))
    return Projector(tokens=tokens, layers=pairs, align=spec.loss.align_feature)


def check_batch(spec: RunSpec, device_context: DeviceContext, student: Student) -> None:
    """A batch norm over a single value has no variance: every process needs two rows then."""
    fewest = 2 if norms_single_cells(ProjectedStudent(student, None, ())) else 1
    if spec.optim.batch_size < fewest * device_context.processes:
        raise SpecError(
            "optim.batch_size {size} is too small for {processes} processes of this student.",
            size=spec.optim.batch_size,
            processes=device_context.processes,
            fix="Set it to {least} or more.",
            least=fewest * device_context.processes,
        )


def parameters(module: nn.Module) -> int:
    """How many numbers it learns."""
    return sum(one.numel() for one in module.parameters())
