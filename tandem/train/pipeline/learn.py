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
from tandem.train.engines.batch_norm import synchronise
from tandem.train.engines.checkpoint import Position
from tandem.train.engines.device import Place
from tandem.train.engines.ema import make_average
from tandem.train.engines.evaluate import Evaluator
from tandem.train.engines.loss_terms import Term, needs
from tandem.train.engines.optim import make_optimizer, make_scheduler
from tandem.train.engines.optimizer_step import Stepper, norms_single_cells
from tandem.train.engines.projected_student import Learner, student_of
from tandem.train.engines.projector import Projector
from tandem.train.engines.run_folder import RunFolder
from tandem.train.engines.stop import StopRequest
from tandem.train.engines.trainer import Loop, Voice, steps_an_epoch
from tandem.train.engines.training_state import Trained, seed_everything
from tandem.train.kinds.base import Judged
from tandem.train.lora import student_adapter
from tandem.train.pipeline.prepare_teacher import Lesson, student_layers
from tandem.train.registry import find
from tandem.train.types import ImageTable, Student


@dataclass(frozen=True)
class Learned:
    """The outcome: the student with its best weights, and what it is worth."""

    student: Student
    judged: Judged
    best_epoch: int
    epochs: int
    seconds: float
    resumed_from_epoch: int | None
    adapter: student_adapter.Adapter | None = None
    """Of a student that learnt by LoRA; it is merged into `student`."""


@dataclass(frozen=True)
class Bench:
    """What a student learns with."""

    spec: RunSpec
    place: Place
    accelerator: Accelerator
    folder: RunFolder
    table: ImageTable
    views: Views
    evaluator: Evaluator
    voice: Voice
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
    bench: Bench,
    student: Student,
    terms: list[Term],
    lesson: Lesson | None,
) -> Learned:
    """Train to the end (or from where an earlier attempt was), and load the best weights."""
    spec, place = bench.spec, bench.place
    layers: tuple[int, ...] = ()
    if lesson is not None and "layers" in needs(terms):
        layers = student_layers(spec, student, lesson)
    learner = Learner(student, _projector(spec, student, terms, lesson, layers), layers)
    learner = learner.to(place.device)
    synchronise(learner, place.processes)
    seed_everything(spec.run.seed, place.rank)
    trained, model = _prepare(bench, learner)
    position = Position()
    stepper = Stepper(
        spec,
        place,
        bench.accelerator,
        model,
        trained.optimizer,
        terms,
        lesson.source if lesson else None,
        len(bench.table.classes),
        position,
        bench.voice,
        bench.evaluator.kind,
    )
    loop = Loop(
        spec,
        place,
        bench.folder,
        bench.table,
        bench.views,
        trained,
        stepper,
        lambda: bench.evaluator.score(student_of(trained.evaluated()), bench.stop),
        bench.voice,
        bench.stop,
    )
    resumed = position.epoch if loop.resume() else None
    _lower_micro_batch(position, bench.voice)
    if resumed is not None and position.epoch < spec.optim.epochs:
        bench.voice.notice(t("Going on from epoch {epoch}.", epoch=position.epoch + 1))
    loop.run()
    student.load_state_dict(trained.best)
    if spec.student.quantise == "int8":
        quantize_aware.bake(student)
    adapter = student_adapter.merge(student, spec.lora) if student_adapter.wanted(spec) else None
    student.eval()
    return Learned(
        student,
        bench.evaluator.judged(student, keep=bench.keeps_answers),
        position.best_epoch,
        position.epoch,
        position.seconds,
        resumed,
        adapter,
    )


def _lower_micro_batch(position: Position, voice: Voice) -> None:
    """To what the launcher says may fit, after processes of this run were out of memory."""
    given = int(os.environ.get("TANDEM_MICRO_BATCH") or 0)
    if given and (position.micro_batch == 0 or given < position.micro_batch):
        position.micro_batch = given
        voice.notice(
            t(
                "A process was out of memory: going on with {given} images at once in each, "
                "accumulated to the same batch.",
                given=given,
            ),
            warning=True,
        )


def make_accelerator(place: Place, terms: list[Term]) -> Accelerator:
    """Accelerate for this process. A run in the same process before this one is forgotten."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()
    # Without a term on every row's logits, a micro-batch may leave the classifier unused.
    whole = any(not term.only_labelled and "logits" in term.needs for term in terms)
    unused = DistributedDataParallelKwargs(find_unused_parameters=not whole)
    precision = {"fp32": "no"}.get(place.precision, place.precision)
    return Accelerator(
        cpu=place.device.type == "cpu", mixed_precision=precision, kwargs_handlers=[unused]
    )


def _prepare(bench: Bench, learner: Learner) -> tuple[Trained, nn.Module]:
    spec = bench.spec
    optimizer = make_optimizer([learner], spec.optim)
    model: nn.Module
    model, prepared = bench.accelerator.prepare(learner, optimizer)
    scheduler = make_scheduler(optimizer, spec.optim, steps_an_epoch(len(bench.table), spec))
    decay = spec.optim.ema_decay
    average = make_average(learner, decay) if decay else None
    return Trained(learner, prepared, scheduler, average, bench.accelerator), model


def _projector(
    spec: RunSpec,
    student: Student,
    terms: list[Term],
    lesson: Lesson | None,
    layers: tuple[int, ...],
) -> Projector | None:
    asked = frozenset().union(*(term.needs for term in terms if term.projects))
    if lesson is None or not asked & {"tokens", "layers"}:
        return None
    if "layers" in asked and len(layers) != len(lesson.layer_widths):
        raise SpecError(
            "loss.intermediate_layers names {student} student layers, "
            "teacher.layers {teacher} of the teacher.",
            student=len(layers),
            teacher=len(lesson.layer_widths),
            fix="Name as many of one as of the other.",
        )
    tokens = None
    if "tokens" in asked and lesson.tokens_width is not None:
        tokens = (student.tokens_width, lesson.tokens_width)
    widths = [student.layer_widths[one] for one in layers] if "layers" in asked else []
    pairs = list(zip(widths, lesson.layer_widths, strict=False))
    return Projector(tokens=tokens, layers=pairs, align=spec.loss.align_feature)


def check_batch(spec: RunSpec, place: Place, student: Student) -> None:
    """A batch norm over a single value has no variance: every process needs two rows then."""
    fewest = 2 if norms_single_cells(Learner(student, None, ())) else 1
    if spec.optim.batch_size < fewest * place.processes:
        raise SpecError(
            "optim.batch_size {size} is too small for {processes} processes of this student.",
            size=spec.optim.batch_size,
            processes=place.processes,
            fix="Set it to {least} or more.",
            least=fewest * place.processes,
        )


def parameters(module: nn.Module) -> int:
    """How many numbers it learns."""
    return sum(one.numel() for one in module.parameters())
