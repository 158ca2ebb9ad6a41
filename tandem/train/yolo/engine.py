"""Ultralytics' training loop as an engine: one detector, in one process."""

from __future__ import annotations

import shutil

from tandem.spec.run import RunSpec
from tandem.train.detection.boxes import whole_strides
from tandem.train.detection.shared_engine import DetectorEngine, evaluated
from tandem.train.detection.teacher.prepare import check, open_detection_teacher
from tandem.train.detection.types import DetectionTeacher
from tandem.train.engines.base import PreparedTeacher, ResolvedRun, TrainedStudent
from tandem.train.engines.device import DeviceContext
from tandem.train.kinds.base import Kind
from tandem.train.types import Splits, Student
from tandem.train.yolo import settings
from tandem.train.yolo.offline import prepare
from tandem.train.yolo.resumable_trainer import ResumableDetectionTrainer
from tandem.train.yolo.student import YoloStudent
from tandem.train.yolo.trainer import DetectionRun

SCRATCH = "detection"
"""Ultralytics' own folder within a run's; gone when the run is finished."""


class UltralyticsEngine(DetectorEngine):
    """`engines.base.Engine` for YOLOv8."""

    def check_spec(self, spec: RunSpec, device_context: DeviceContext) -> None:
        prepare()
        settings.check(spec, device_context)
        if spec.mode == "distillation":
            check(spec)

    def complete(self, spec: RunSpec, kind: Kind, splits: Splits) -> tuple[RunSpec, Splits]:  # noqa: ARG002
        """Sides in whole strides, and a warm-up in epochs: as Ultralytics takes them."""
        side = whole_strides(spec.data.image_size)
        update = {"data": spec.data.model_copy(update={"image_size": side})}
        return _warm_up_in_epochs(spec.model_copy(update=update), len(splits.train)), splits

    def check_student(self, run: ResolvedRun, student: Student) -> None:
        """Nothing: what it could lack, it has refused as it was built."""

    def notes(self, spec: RunSpec) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def prepare_teacher(self, run: ResolvedRun, student: Student) -> DetectionTeacher | None:
        assert isinstance(student, YoloStudent)
        return open_detection_teacher(run, student) if run.spec.mode == "distillation" else None

    def steps_an_epoch(self, spec: RunSpec, rows: int) -> int:
        """Batches: a step of the optimizer may wait for the first of the next epoch."""
        return -(-rows // spec.optim.batch_size)

    def learn(
        self, run: ResolvedRun, student: Student, teacher: PreparedTeacher | None
    ) -> TrainedStudent:
        assert isinstance(student, YoloStudent)
        assert teacher is None or isinstance(teacher, DetectionTeacher)
        # Ultralytics builds a network of its own; it is given these weights.
        start = {name: one.clone() for name, one in student.net.state_dict().items()}
        trainer = ResumableDetectionTrainer(
            DetectionRun(run, start, teacher), run.folder.path / SCRATCH
        )
        trainer.learn()
        student.load_net(trainer.best_weights)
        position = trainer.position
        return TrainedStudent(
            student=student,
            evaluation=evaluated(run, student, trainer.keeper.last_saved),
            best_epoch=position.best_epoch,
            epochs=position.epoch,
            seconds=position.seconds,
            overfits_from=position.overfits_from or None,
        )

    def clean_up(self, run: ResolvedRun) -> None:
        """Ultralytics' own folder: what is of use in it, the run has as its own."""
        shutil.rmtree(run.folder.path / SCRATCH, ignore_errors=True)


def _warm_up_in_epochs(spec: RunSpec, rows: int) -> RunSpec:
    if not spec.optim.warmup_steps:
        return spec
    steps_an_epoch = max(1, -(-rows // spec.optim.batch_size))
    update = {"warmup_epochs": spec.optim.warmup_steps / steps_an_epoch}
    return spec.model_copy(update={"optim": spec.optim.model_copy(update=update)})
