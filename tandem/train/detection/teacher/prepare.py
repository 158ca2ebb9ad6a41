"""A teacher for a detector: one that sees (dense tokens, a class map), or a larger detector."""

from __future__ import annotations

from dataclasses import replace

from tandem.spec.errors import SpecError
from tandem.spec.i18n import t
from tandem.spec.run import LossSpec, RunSpec, ViewSpec
from tandem.train.cache import (
    CachedSource,
    OnlineSource,
    SourceRequest,
    SourceSetup,
    WantedSignals,
    open_source,
)
from tandem.train.data.augment import Views
from tandem.train.data.boxes import DetectionSplits, detection_splits
from tandem.train.detection.student import DetectorStudent
from tandem.train.detection.teacher import box_probe, detector
from tandem.train.detection.teacher.box_probe import BoxProbe
from tandem.train.detection.teacher.targets import CachedTargets, OnlineTargets
from tandem.train.detection.types import (
    DetectionLossWeights,
    DetectionTeacher,
)
from tandem.train.engines.base import ResolvedRun
from tandem.train.engines.stoppable_progress import StoppableProgress
from tandem.train.registry import find
from tandem.train.teachers.family import family_of

KNOWLEDGE = ("auto", "probe", "none")


def check(spec: RunSpec) -> None:
    """SpecError for what no teacher of a detector can say, before any is opened."""
    assert spec.teacher is not None
    if spec.teacher.others:
        raise SpecError(
            "A detector learns from one teacher; {count} are named.",
            count=1 + len(spec.teacher.others),
            fix="Leave teacher.others out.",
        )
    loss_weights(spec)
    if not detector.is_detector(spec.teacher) and spec.teacher.knowledge not in KNOWLEDGE:
        raise SpecError(
            "A detector's classes come from a probe on the teacher's tokens, not from {asked}.",
            asked=spec.teacher.knowledge,
            allowed=KNOWLEDGE,
            fix="Set teacher.knowledge to auto.",
        )


def open_detection_teacher(run: ResolvedRun, student: DetectorStudent) -> DetectionTeacher:
    """Open the teacher, fill what is missing of its cache, and fit its probe."""
    assert run.spec.teacher is not None
    splits, weights = detection_splits(run.splits), loss_weights(run.spec)
    if detector.is_detector(run.spec.teacher):
        return detector.open_detector_teacher(run, splits, student, weights)
    return _open_seeing(run, splits, student, weights)


def _check_own_loop(loss: LossSpec) -> None:
    """SpecError for weights that change from step to step."""
    asked = {
        "soft_warmup_epochs": loss.soft_warmup_epochs > 0,
        "weighting": loss.weighting != "fixed",
    }
    for name in (name for name, wanted in asked.items() if wanted):
        raise SpecError(
            "loss.{name} is not for detectors: their weights stay as they are given.",
            name=name,
            fix="Leave loss.{name} out.",
        )


def loss_weights(spec: RunSpec) -> DetectionLossWeights:
    """SpecError where nothing would be asked of the teacher, or something that it cannot say."""
    loss = spec.loss
    for name in ("attention_weight", "relation_weight", "intermediate_weight"):
        if getattr(loss, name) > 0:
            raise SpecError(
                "loss.{name} is for students of whole pictures; a detector learns boxes, features "
                "and classes.",
                name=name,
                fix="Set loss.{name} to 0.",
            )
    _check_own_loop(loss)
    feature = loss.feature_weight if loss.distillation_type in ("feature", "hybrid") else 0.0
    soft = loss.soft_label_weight if loss.distillation_type in ("logit", "hybrid") else 0.0
    assert spec.teacher is not None
    if spec.teacher.knowledge == "none":
        soft = 0.0
    if not feature and not soft:
        raise SpecError(
            "No loss term with a weight above 0 asks the teacher.",
            fix="Give soft_label_weight or feature_weight a weight, or set mode to direct.",
        )
    if soft and loss.soft_loss != "kl_div":
        raise SpecError(
            "A detector's classes are compared by kl_div, not by {asked}.",
            asked=loss.soft_loss,
            fix="Set loss.soft_loss to kl_div.",
        )
    if feature and not loss.align_feature:
        raise SpecError(
            "The neck's three maps differ in width, so a detector needs loss.align_feature.",
            fix="Set loss.align_feature to true.",
        )
    name = f"feature_{loss.feature_loss}"
    if astray := loss.options.keys() - {name}:
        raise SpecError(
            "loss.options names {astray}, which this run does not use.",
            astray=", ".join(sorted(astray)),
            allowed=[name],
        )
    kinds = find("losses", name).kinds
    if feature and kinds and "detection" not in kinds:
        raise SpecError(
            "The loss {loss} is for {kinds}, not for {kind}.",
            loss=name,
            kinds=", ".join(sorted(kinds)),
            kind="detection",
            fix="Choose another loss.soft_loss or loss.feature_loss.",
        )
    options = find("losses", name).options(**loss.options.get(name, {}))
    return DetectionLossWeights(
        loss.hard_label_weight, feature, name, options, soft, loss.known_temperature
    )


def _open_seeing(
    run: ResolvedRun,
    splits: DetectionSplits,
    student: DetectorStudent,
    weights: DetectionLossWeights,
) -> DetectionTeacher:
    spec, device = run.spec, run.device_context.device
    assert spec.teacher is not None
    teacher = find("teachers", family_of(spec.teacher)).make(spec.teacher, device)
    if "tokens" not in teacher.gives:
        raise SpecError(
            "A detector needs a teacher's dense tokens, and {name} gives {gives}.",
            name=spec.teacher.name or spec.teacher.path,
            gives=", ".join(sorted(teacher.gives)),
            fix="Choose another teacher.",
        )
    # Only the whole picture is asked for: augmentation's own geometry does the rest.
    views = Views.draw(splits.train, ViewSpec(count=1))
    wanted = WantedSignals(tokens=True, grid=spec.cache.grid)
    source = open_source(
        teacher,
        SourceRequest(splits.train, views, 1, wanted),
        SourceSetup(
            spec.cache,
            device,
            batch_size=spec.teacher.batch_size,
            max_pixels=spec.data.max_image_pixels,
            progress=StoppableProgress(run.reporter, run.stop),
        ),
    )
    probe = _probe(run, splits, source, weights)
    if probe is None:
        weights = _without_classes(weights)
    targets: CachedTargets | OnlineTargets
    if isinstance(source, OnlineSource):
        targets = OnlineTargets(source, probe, weights, student.strides)
    else:
        # Everything it will be asked lies on the disk: its memory is the student's from here on.
        teacher.unload()
        targets = CachedTargets(source, probe, weights, student.strides)
    assert source.tokens_width is not None
    widths = tuple((one, source.tokens_width) for one in student.layer_widths)
    return DetectionTeacher(
        source=source,
        tokens_width=source.tokens_width,
        layer_widths=(),
        knowledge="probe" if probe else "none",
        temperature=probe.probe.temperature if probe else None,
        evaluation=None,
        name=spec.teacher.name or str(spec.teacher.path),
        parameters=teacher.parameters,
        fingerprint=teacher.fingerprint,
        forwards=source.teacher_forwards,
        weights=weights,
        projections=widths if weights.feature else (),
        targets=targets,
    )


def _probe(
    run: ResolvedRun,
    splits: DetectionSplits,
    source: CachedSource | OnlineSource,
    weights: DetectionLossWeights,
) -> BoxProbe | None:
    spec, split = run.spec, splits.train_boxes
    assert spec.teacher is not None
    if not weights.soft:
        return None
    if len(split.classes) == 1:
        run.reporter.notice(
            t("There is one class only, so the teacher's class map has nothing to tell apart.")
        )
        return None
    # Every token would be background, and nothing be told from it.
    if not any(split.shapes(row) for row in range(len(split))):
        run.reporter.notice(t("No box is there to fit a probe on, so no classes are taught."))
        return None
    run.reporter.notice(t("Fitting a probe on the teacher's features."))
    return box_probe.fit(
        source,
        split,
        folds=spec.teacher.probe_folds,
        seed=spec.run.seed,
        calibrate=spec.teacher.calibrate,
    )


def _without_classes(weights: DetectionLossWeights) -> DetectionLossWeights:
    if not weights.feature:
        raise SpecError(
            "No loss term with a weight above 0 asks the teacher.",
            fix="Give soft_label_weight or feature_weight a weight, or set mode to direct.",
        )
    return replace(weights, soft=0.0)
