"""Our own loop for boxes as an engine: one detector, in one process."""

from __future__ import annotations

from functools import partial

import torch
from torch.optim.lr_scheduler import LambdaLR

from tandem.spec.errors import SpecError
from tandem.spec.run import RunSpec
from tandem.train.detection import settings
from tandem.train.detection.boxes import whole_strides
from tandem.train.detection.shared_engine import DetectorEngine, evaluated
from tandem.train.detection.step import DetectorStep
from tandem.train.detection.step_loss import LossPlan, ProjectedDetector
from tandem.train.detection.student import LearningDetector
from tandem.train.detection.teacher.prepare import check, open_detection_teacher
from tandem.train.detection.trainer import DetectorTrainer
from tandem.train.detection.training_state import DetectorState
from tandem.train.detection.types import DetectionLossWeights, DetectionTeacher
from tandem.train.engines import quantize_aware
from tandem.train.engines.accelerate import optim
from tandem.train.engines.accelerate.model.ema import make_average
from tandem.train.engines.base import PreparedTeacher, ResolvedRun, TrainedStudent
from tandem.train.engines.build_student import seed_everything
from tandem.train.engines.device import DeviceContext
from tandem.train.kinds.base import Kind
from tandem.train.types import Splits, Student

EMA_DECAY = 0.9998
"""The moving average of the weights, where the run names none: YOLOX's own."""


class DetectionEngine(DetectorEngine):
    """`engines.base.Engine` for detectors whose loss is ours (`LearningDetector`)."""

    def check_spec(self, spec: RunSpec, device_context: DeviceContext) -> None:
        settings.check(spec, device_context)
        if spec.mode == "distillation":
            check(spec)

    def complete(self, spec: RunSpec, kind: Kind, splits: Splits) -> tuple[RunSpec, Splits]:  # noqa: ARG002
        """Sides in whole strides."""
        side = whole_strides(spec.data.image_size)
        data = spec.data.model_copy(update={"image_size": side})
        return spec.model_copy(update={"data": data}), splits

    def check_student(self, run: ResolvedRun, student: Student) -> None:
        """SpecError for weights of classes that its loss does not take."""
        assert isinstance(student, LearningDetector)
        if isinstance(run.spec.loss.class_weights, list) and not student.weighs_classes:
            raise SpecError(
                "The loss of {student} has no weights of classes.",
                student=run.spec.student.size,
                fix="Set loss.class_weights to none.",
            )

    def notes(self, spec: RunSpec) -> tuple[str, ...]:
        return optim.notes(spec.optim)

    def prepare_teacher(self, run: ResolvedRun, student: Student) -> DetectionTeacher | None:
        assert isinstance(student, LearningDetector)
        return open_detection_teacher(run, student) if run.spec.mode == "distillation" else None

    def steps_an_epoch(self, spec: RunSpec, rows: int) -> int:
        batches = -(-rows // spec.optim.batch_size)
        return -(-batches // spec.optim.grad_accum_steps)

    def learn(
        self, run: ResolvedRun, student: Student, teacher: PreparedTeacher | None
    ) -> TrainedStudent:
        assert isinstance(student, LearningDetector)
        assert teacher is None or isinstance(teacher, DetectionTeacher)
        trainer = self._trainer(run, student, teacher)
        trainer.learn()
        student.load_state_dict(trainer.best)
        if run.spec.student.quantise == "int8":
            quantize_aware.bake(student)
        position = trainer.position
        return TrainedStudent(
            student=student.eval(),
            evaluation=evaluated(run, student, trainer.keeper.last_saved),
            best_epoch=position.best_epoch,
            epochs=position.epoch,
            seconds=position.seconds,
            overfits_from=position.overfits_from or None,
        )

    def _trainer(
        self, run: ResolvedRun, student: LearningDetector, teacher: DetectionTeacher | None
    ) -> DetectorTrainer:
        spec, device = run.spec, run.device_context.device
        class_weights = spec.loss.class_weights
        if isinstance(class_weights, list):
            student.class_weight_K = torch.tensor(class_weights, device=device)
        weights = teacher.weights if teacher else DetectionLossWeights()
        projections = teacher.projections if teacher else ()
        seed_everything(spec.run.seed, 0)  # the projectors', whatever was drawn before
        model = ProjectedDetector(student, projections).to(device)
        # Channels last in memory: a step of YOLOX-s takes a seventh less on a CPU.
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = optim.make_optimizer([model], spec.optim)
        steps = self.steps_an_epoch(spec, run.samples_an_epoch)
        plan = LossPlan.of(spec, weights, student)
        state = DetectorState(
            model,
            optimizer,
            make_schedule(optimizer, spec, steps),
            make_average(student, spec.optim.ema_decay or EMA_DECAY),
        )
        ask = teacher.targets if teacher else None
        step = DetectorStep(spec, run.device_context, model, optimizer, plan, ask)
        return DetectorTrainer(run, state, step)

    def clean_up(self, run: ResolvedRun) -> None:
        """Nothing: all that this loop writes is the run's own."""


def make_schedule(optimizer: torch.optim.Optimizer, spec: RunSpec, steps_an_epoch: int) -> LambdaLR:
    """The rate of each step: a warm-up, then a fall to `yolo.final_rate` of the full one.

    SpecError where the warm-up takes the whole run.
    """
    total = spec.optim.epochs * steps_an_epoch
    warmup = spec.optim.warmup_steps or round(spec.optim.warmup_epochs * steps_an_epoch)
    if warmup and warmup >= total:
        raise SpecError(
            "A warm-up of {warmup_epochs} epochs leaves nothing of a run of {epochs}.",
            warmup_epochs=warmup / steps_an_epoch,
            epochs=spec.optim.epochs,
            fix="Set optim.warmup_epochs below optim.epochs.",
        )
    return LambdaLR(
        optimizer, partial(_rate_factor, spec.optim.scheduler, warmup, total, spec.yolo.final_rate)
    )


def _rate_factor(scheduler: str, warmup: int, total: int, final: float, step: int) -> float:
    factor = optim.rate_factor(scheduler, warmup, total, step)
    return factor if step < warmup else final + (1 - final) * factor
