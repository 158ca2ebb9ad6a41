"""Measures a model of any origin: the tables and figures of a run, asked through `predict`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tandem.predict.evaluation.labelled import LabelledSplit, SplitQuery, read_labelled
from tandem.predict.images import MAX_PIXELS
from tandem.predict.onnx_model import open_onnx
from tandem.predict.pipeline import ForwardPass
from tandem.predict.torch_model import open_torch
from tandem.spec.errors import StudentError
from tandem.spec.i18n import t
from tandem.spec.model import ModelConfig
from tandem.spec.report import ModelEvaluation, ReportedMetrics, SplitName
from tandem.spec.run import ViewSpec
from tandem.train import kinds
from tandem.train.data.augment import Views
from tandem.train.data.boxes import DetectionTable
from tandem.train.data.loader import batches, worker_count
from tandem.train.data.texts import TextTable
from tandem.train.detection.boxes import whole_strides
from tandem.train.detection.evaluation.evaluate import evaluate as evaluate_boxes
from tandem.train.kinds.base import EvalResult, as_table_kind
from tandem.train.kinds.calibrated import as_served
from tandem.train.types import ImageTable, ProgressReporter, StepOutput, Student

BATCH_SIZE = 32
LEAST_PROBABILITY = 1e-12
"""Below it a foreign model's probability is no number that a logarithm can be taken of."""


@dataclass(frozen=True)
class EvaluationQuery:
    """What is asked: a model's folder or .onnx file, and a split of a data set."""

    model: Path
    dataset: Path
    split: SplitName | None = None
    layout: str | None = None
    device: str = "auto"
    batch_size: int = BATCH_SIZE


class AskedModel(Student):
    """A model's forward pass where a student would be, whatever runs it."""

    def __init__(self, run: ForwardPass, config: ModelConfig) -> None:
        super().__init__()
        self.run, self.num_classes = run, len(config.classes)
        self.image_size = config.image_size
        if config.kind == "detection":
            self.image_size = whole_strides(config.image_size)

    def forward(self, images_BCHW: Tensor, layers: Sequence[int] = ()) -> StepOutput:  # noqa: ARG002
        said = self.run(images_BCHW.numpy())
        nothing = torch.zeros(len(images_BCHW), 0)
        boxes, class_map = said.get("boxes_BCA"), said.get("class_map_BHWK")
        if boxes is not None:
            return StepOutput(nothing, nothing, boxes_BCA=boxes.float().cpu())
        if class_map is not None:
            class_map = class_map.float().cpu()
            return StepOutput(class_map.mean((1, 2)), nothing, class_map_BHWK=class_map)
        if "probabilities_BK" in said:  # of a foreign model, which has applied its own softmax
            probabilities_BK = said["probabilities_BK"].float().cpu()
            return StepOutput(probabilities_BK.clamp_min(LEAST_PROBABILITY).log(), nothing)
        return StepOutput(said["logits_BK"].float().cpu(), nothing)


def evaluate(query: EvaluationQuery, progress: ProgressReporter) -> ModelEvaluation:
    """Its figures, as a run's report has them. DataError, StudentError or DeviceError."""
    began = time.perf_counter()
    run, config, folder = _opened(query)
    with tempfile.TemporaryDirectory() as scratch:
        asked = SplitQuery(query.dataset, query.split, query.layout, Path(scratch))
        labelled = read_labelled(asked, config, folder, progress)
        evaluation = _measured(AskedModel(run, config), config, labelled, query, progress)
    if isinstance(labelled.table, ImageTable):
        evaluation = as_served(
            evaluation, labelled.table.labels_N, config.temperature, fitted_here=False
        )
    return ModelEvaluation(
        kind=config.kind,
        model=str(query.model),
        dataset=str(query.dataset),
        split=labelled.split,
        samples=len(labelled.table),
        left_out=labelled.left_out,
        classes=config.classes,
        measured=ReportedMetrics(
            metrics=evaluation.metrics,
            intervals=evaluation.intervals(),
            details=evaluation.details,
        ),
        notes=list(labelled.notes),
        seconds=time.perf_counter() - began,
    )


def _opened(query: EvaluationQuery) -> tuple[ForwardPass, ModelConfig, Path]:
    model = query.model
    if model.suffix.lower() == ".onnx":
        return *open_onnx(model), model.parent
    for folder in (model, model / "final_model"):
        if (folder / "config.json").is_file():
            return *open_torch(folder, query.device), folder
    raise StudentError(
        "There is no model in {path}.",
        path=model,
        fix="Name a final_model folder, the folder of a finished run, or an .onnx file.",
    )


def _measured(
    student: AskedModel,
    config: ModelConfig,
    labelled: LabelledSplit,
    query: EvaluationQuery,
    progress: ProgressReporter,
) -> EvalResult:
    table = labelled.table
    if isinstance(table, DetectionTable):
        cpu = torch.device("cpu")  # the forward pass itself takes its inputs to its device
        return evaluate_boxes(student, table, cpu, query.batch_size, None, config.thresholds)
    kind = as_table_kind(kinds.find(config.kind))
    accumulator = kind.evaluator(table)
    blocks = np.split(np.arange(len(table)), range(query.batch_size, len(table), query.batch_size))
    plan = [(rows, np.zeros_like(rows)) for rows in blocks]
    stream = batches(
        table,
        _views(table),
        plan,
        image_size=config.image_size,
        max_pixels=MAX_PIXELS,
        workers=worker_count(None),
    )
    done = 0
    with torch.no_grad():
        for batch in stream:
            accumulator.add(batch.index_B, student(batch.inputs), batch)
            done += len(batch.index_B)
            progress.progress(t("measuring"), done, len(table))
    return accumulator.result([accumulator.part()])


def _views(table: ImageTable) -> Views:
    """Each row whole and untouched."""
    if isinstance(table, TextTable):
        return table.one_view()
    return Views.draw(table, ViewSpec(count=1))
