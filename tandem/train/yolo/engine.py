"""A detection run with YOLOv8: from the data to the report, through Ultralytics' trainer."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

from tandem.spec.errors import DataError, SpecError
from tandem.spec.i18n import t
from tandem.spec.run import RunSpec
from tandem.train.data.annotated import read_content
from tandem.train.engines.accelerate.learn import TrainedStudent, build_student
from tandem.train.engines.run_folder import RunFolder
from tandem.train.engines.stop import EvaluationStoppedError, StoppedEarlyError
from tandem.train.engines.stoppable_progress import StoppableProgress
from tandem.train.lora.student_adapter import attach
from tandem.train.pipeline.checks import completed
from tandem.train.pipeline.conclude import Outcome, conclude
from tandem.train.pipeline.run import BaselineReporter, Run
from tandem.train.types import ProgressReporter
from tandem.train.yolo import settings
from tandem.train.yolo.boxes import whole_strides
from tandem.train.yolo.data.images import check_boxes, read_table
from tandem.train.yolo.evaluation.evaluate import evaluate
from tandem.train.yolo.offline import prepare
from tandem.train.yolo.student import YoloStudent
from tandem.train.yolo.types import DetectionLossWeights, DetectionSplits, DetectionTeacher

SCRATCH = "detection"
"""Ultralytics' own folder within a run's; gone when the run is finished."""


def execute(run: Run) -> None:
    """Everything after `started`, from reading the data to the report. Raises TandemError."""
    began = time.perf_counter()
    run = replace(run, spec=whole_spec(run.spec))
    spec = run.spec
    patient = StoppableProgress(run.reporter, run.stop)
    if spec.kind != "detection":
        raise SpecError(
            "The student {student} does not learn {kind}.",
            student=spec.student.type,
            kind=spec.kind,
            allowed=["detection"],
        )
    prepare()
    settings.check(spec, run.device_context)
    both = read(spec, patient)
    spec = in_epochs(spec, len(both.train))
    run = replace(run, spec=spec)
    spec = _leave_lora(run)
    run = replace(run, spec=spec)
    student = build_student(spec, len(both.train.classes))
    assert isinstance(student, YoloStudent)
    if spec.lora.rank > 0:
        attach(student, spec.lora)  # says that convolutions have nothing to adapt
    for note in (*both.notes, *student.notes):
        run.reporter.notice(note)
    taughtness, prepared = None, None
    if spec.mode == "distillation":
        from tandem.train.yolo.teacher.prepare import open_detection_teacher

        taughtness = open_detection_teacher(run, both, student, patient)
        prepared = taughtness.prepared
    learned = learn(run, both, student, taughtness)
    baseline = _learn_baseline(run, both, learned) if spec.report.baseline and prepared else None
    conclude(
        Outcome(spec, run.device_context, run.folder, both.splits(), prepared, learned, baseline),
        run.reporter,
        began,
    )
    shutil.rmtree(run.folder.path / SCRATCH, ignore_errors=True)


def in_epochs(spec: RunSpec, pictures: int) -> RunSpec:
    """A warm-up in steps as Ultralytics takes it: in epochs."""
    if not spec.optim.warmup_steps:
        return spec
    steps_an_epoch = max(1, -(-pictures // spec.optim.batch_size))
    update = {"warmup_epochs": spec.optim.warmup_steps / steps_an_epoch}
    return spec.model_copy(update={"optim": spec.optim.model_copy(update=update)})


def _leave_lora(run: Run) -> RunSpec:
    """A teacher's: it is for whole pictures' classes, and installed systems send it always."""
    spec = run.spec
    if spec.lora.rank == 0 or spec.mode == "direct" or spec.lora.on == "student":
        return spec
    run.reporter.notice(
        t(
            "LoRA is not applied: it adapts a teacher by classes of whole pictures, and {kind} "
            "asks for more. A probe on the teacher's features gives the classes.",
            kind="detection",
        ),
        warning=True,
    )
    return spec.model_copy(update={"lora": spec.lora.model_copy(update={"rank": 0})})


def read(spec: RunSpec, progress: ProgressReporter) -> DetectionSplits:
    """Both splits. Without a teacher, pictures that nobody looked at are left out."""
    content, items = read_content(
        spec.data, kind="detection", seed=spec.run.seed, progress=progress
    )
    if content.kind != "detection":
        raise DataError(
            "The data set {dataset} is for {found}, not for {asked}.",
            dataset=spec.data.dataset,
            found=content.kind,
            asked="detection",
            fix="Leave the task type out, or name another data set.",
        )
    assert spec.cache.root is not None
    index, most = Path(spec.cache.root) / "index", spec.data.max_image_pixels
    learnt = content.train
    if spec.mode == "direct":
        learnt = [item for item in learnt if item.shapes is not None]
    train = read_table(content, learnt, most, index, progress)
    seen = [item for item in items if item.shapes is not None]
    val = read_table(content, seen, most, index, progress)
    if spec.mode == "direct" or spec.loss.hard_label_weight > 0:
        check_boxes(train, "train")
    check_boxes(val, "val")
    return DetectionSplits(train, val, content.notes)


def learn(
    run: Run, splits: DetectionSplits, student: YoloStudent, taughtness: DetectionTeacher | None
) -> TrainedStudent:
    """Train to the end (or from where an earlier attempt was), and load the best weights."""
    from tandem.train.yolo.resumable_trainer import ResumableDetectionTrainer
    from tandem.train.yolo.trainer import DetectionRun

    start = {name: one.clone() for name, one in student.net.state_dict().items()}
    weights = taughtness.weights if taughtness else DetectionLossWeights()
    course = DetectionRun(run.spec, run.device_context, splits.train, splits.val, weights, start)
    if taughtness is not None:
        course = replace(course, projections=taughtness.projections, targets=taughtness.targets)
    training = ResumableDetectionTrainer(
        course, run.folder, run.reporter, run.stop, run.folder.path / SCRATCH
    )
    training.learn()
    student.load_net(training.best_weights)
    position = training.position
    try:
        worth = evaluate(
            student.to(run.device_context.device),
            splits.val,
            run.device_context.device,
            run.spec.optim.batch_size,
            run.stop,
        )
    except EvaluationStoppedError:
        # All steps are done and saved: starting again only measures.
        raise StoppedEarlyError(
            "Stopped on request while measuring; the checkpoint {name} is kept.",
            name=training.last_saved or "-",
            fix="Start again with the same arguments to go on.",
        ) from None
    return TrainedStudent(
        student, worth, position.best_epoch, position.epoch, position.seconds, training.start_epoch
    )


def _learn_baseline(run: Run, splits: DetectionSplits, learned: TrainedStudent) -> TrainedStudent:
    """The same student without the teacher: the same first weights, as many steps."""
    run.reporter.notice(t("Training the same student without the teacher, to compare."))
    direct = run.spec.model_copy(update={"mode": "direct", "teacher": None})
    labelled = [row for row in range(len(splits.train)) if splits.train.labelled(row)]
    batch = direct.optim.batch_size
    steps = learned.epochs * -(-len(splits.train) // batch)
    epochs = -(-steps // -(-len(labelled) // batch))
    changes = {"epochs": epochs, "early_stopping_epochs": 0}
    direct = direct.model_copy(update={"optim": direct.optim.model_copy(update=changes)})
    alone = replace(
        run,
        spec=direct,
        folder=RunFolder(run.folder.path / "baseline"),
        reporter=BaselineReporter(run.reporter),
    )
    student = build_student(direct, len(splits.train.classes))
    assert isinstance(student, YoloStudent)
    return learn(alone, replace(splits, train=splits.train.rows(labelled)), student, None)


def whole_spec(spec: RunSpec) -> RunSpec:
    """The spec with what follows from the rest filled in, for a detector."""
    spec = completed(spec)
    data = spec.data
    if data.image_size >= settings.LEAST_SIZE:
        data = data.model_copy(update={"image_size": whole_strides(data.image_size)})
    return spec.model_copy(update={"kind": spec.kind or "detection", "data": data})
