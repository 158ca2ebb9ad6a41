"""Exports of a run's student, each measured on the validation set as the student was."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from onnxruntime.capi.onnxruntime_inference_collection import InferenceSession
from torch import Tensor

from tandem.spec.errors import DataError, OutputFolderError, SpecError
from tandem.spec.exports import OWN
from tandem.spec.model import ModelConfig
from tandem.spec.os_errors import writing
from tandem.spec.report import ExportReport, ReportedMetrics
from tandem.spec.run import RunSpec
from tandem.train.engines.base import Engine, ResolvedRun
from tandem.train.engines.context import NullReporter
from tandem.train.engines.device import DeviceContext
from tandem.train.engines.registry import find_engine
from tandem.train.engines.run_folder import RunFolder
from tandem.train.engines.stop import StopRequest
from tandem.train.export import final_model, onnx_model
from tandem.train.export.int8 import SAMPLES, ModelInputs, as_array, quantize_file
from tandem.train.kinds.base import EvalResult
from tandem.train.pipeline import report
from tandem.train.pipeline.resolve import with_defaults
from tandem.train.types import SilentProgress, StepOutput, Student

TIMED, WARM = 20, 3


@dataclass(frozen=True)
class Subject:
    """A trained model, and the run it is from where there is one."""

    folder: Path
    run: Path | None

    @property
    def spec(self) -> RunSpec | None:
        """What the run was told; None for a model folder alone."""
        file = self.run / "spec.json" if self.run else None
        if file is None or not file.is_file():
            return None
        return RunSpec.model_validate_json(file.read_bytes())


def subject(folder: Path) -> Subject:
    """The model in a final_model folder, and its run where that lies around it."""
    run = folder.parent if (folder.parent / "report.json").is_file() else None
    return Subject(folder, run)


def write(
    what: Subject, format: str, target: Path, calibration: Sequence[Path] | None = None
) -> ExportReport:
    """Write the file, measure it, and put it into the run's report.

    Without a run, or where its data is gone, only size and latency are known. Raises what
    `export.to_onnx` does, SpecError for an unknown format, DataError without calibration pictures.
    """
    if format not in OWN:
        raise SpecError("A model cannot be written as {format}.", format=format, allowed=OWN)
    if not target.parent.is_dir():
        raise OutputFolderError("There is no folder {path}.", path=target.parent)
    _, config = final_model.load(what.folder)
    data = _run_if_there(what)
    if format == "onnx":
        onnx_model.to_onnx(what.folder, target)
    else:
        _to_int8(what, config, target, _batches(data, config, calibration))
    measured = None if data is None else _evaluated(data, target, config)
    metrics = {} if measured is None else dict(measured.metrics)
    metrics["latency_milliseconds"] = 1000 * _latency_seconds(target, config)
    made = ExportReport(
        format=format,
        file=target.name,
        size_bytes=target.stat().st_size,
        measured=ReportedMetrics(metrics=metrics),
    )
    if what.run is not None:
        report.add_export(what.run, made)
    return made


def _to_int8(
    what: Subject, config: ModelConfig, target: Path, batches: Iterable[ModelInputs]
) -> None:
    # Beside the target, so that the rename stays on one disk; by pid, so that two exports of a
    # model do not meet.
    whole = target.with_name(f".{target.name}.{os.getpid()}.whole")
    small = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        onnx_model.to_onnx(what.folder, whole)
        with writing(target):
            ranges = final_model.read_ranges(what.folder)
            quantize_file(whole, small, config.kind, batches, ranges)
            small.replace(target)
    finally:
        whole.unlink(missing_ok=True)
        small.unlink(missing_ok=True)


class OnnxStudent(Student):
    """An exported file where a student would be: an evaluator asks it as it asks the other."""

    def __init__(self, file: Path, config: ModelConfig) -> None:
        super().__init__()
        self.session = InferenceSession(str(file), providers=["CPUExecutionProvider"])
        self.config, self.image_size = config, config.image_size

    def forward(self, images_BCHW: Tensor, layers: Sequence[int] = ()) -> StepOutput:  # noqa: ARG002
        (answer,) = self.session.run(
            None, {onnx_model.input_name(self.config.kind): images_BCHW.numpy()}
        )
        out = torch.from_numpy(answer)
        nothing = out.new_zeros(len(out), 0)
        if self.config.kind == "segmentation":
            return StepOutput(out.mean((1, 2)), nothing, class_map_BHWK=out)
        if self.config.kind == "detection":
            return StepOutput(nothing, nothing, boxes_BCA=out)
        return StepOutput(out, nothing)


def _latency_seconds(file: Path, config: ModelConfig) -> float:
    """Median of one input alone, in ONNX Runtime on the CPU."""
    session = InferenceSession(str(file), providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    shape = [1, *given.shape[1:]]
    inputs: ModelInputs = (
        np.ones(shape, np.int64) if config.kind == "text" else np.full(shape, 0.5, np.float32)
    )
    taken = []
    for _ in range(WARM + TIMED):
        began = time.perf_counter()
        session.run(None, {given.name: inputs})
        taken.append(time.perf_counter() - began)
    # The first calls plan memory too. A median: one pause of the machine would move a mean.
    return float(np.median(taken[WARM:]))


@dataclass(frozen=True)
class _MeasuredRun:
    """The run whose student was exported, its data read again, and its engine."""

    engine: Engine
    run: ResolvedRun


def _run_if_there(what: Subject) -> _MeasuredRun | None:
    """None where the run's data has been taken away since."""
    try:
        return None if what.spec is None else _open_run(what.spec, what.folder)
    except DataError:
        return None


def _open_run(asked: RunSpec, folder: Path) -> _MeasuredRun:
    spec = with_defaults(asked)
    engine = find_engine(spec.student.type)
    kind = engine.choose_kind(spec)
    assert spec.cache.root is not None
    run = ResolvedRun(
        spec=spec,
        # An exported file is run by ONNX Runtime, wherever the student has learnt.
        device_context=DeviceContext(torch.device("cpu"), 0, 1, "fp32"),
        folder=RunFolder(folder.parent),
        reporter=NullReporter(),
        stop=StopRequest(),
        kind=kind,
        splits=kind.read(spec, Path(spec.cache.root) / "index", SilentProgress()),
    )
    return _MeasuredRun(engine, run)


def _evaluated(data: _MeasuredRun, file: Path, config: ModelConfig) -> EvalResult:
    return data.engine.evaluate(data.run, OnnxStudent(file, config).eval())


def _batches(
    data: _MeasuredRun | None, config: ModelConfig, calibration: Sequence[Path] | None
) -> Iterator[ModelInputs]:
    """Inputs to calibrate on: the pictures given, else of the run's own training split."""
    if calibration:
        yield from _image_batches(calibration, config)
    elif data is not None:
        # Spread over the table, which often lies class by class: its first rows are one class's.
        rows = _spread_rows(len(data.run.splits.train))
        yield from as_array(data.engine.inputs(data.run, rows, config.image_size))


def _spread_rows(count: int) -> list[int]:
    return sorted({int(one) for one in np.linspace(0, count - 1, min(count, SAMPLES))})


def _image_batches(paths: Sequence[Path], config: ModelConfig) -> Iterator[ModelInputs]:
    from tandem.data.images import is_image, open_rgb
    from tandem.train.data.augment import whole

    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in [one for one in files if one.is_file() and is_image(one.name)]:
            image_HWC = whole(open_rgb(file, 120_000_000), config.image_size)
            # Divided in float32, as the loader does: equal bytes give equal floats.
            image_CHW = image_HWC.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
            frames = [config.student.frames] if config.kind == "sequence" else []
            # A clip of one picture again and again: its colours are a clip's, and ranges are all
            # that is asked of it.
            shape = (1, *frames, *image_CHW.shape)
            yield np.ascontiguousarray(np.broadcast_to(image_CHW, shape))
