"""A detector shown a split, as a predictor would show it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from tandem.train.data.boxes import DetectionTable
from tandem.train.detection.boxes import Letterbox, letterbox, suppress, unletterbox
from tandem.train.detection.evaluation.average_precision import score
from tandem.train.detection.evaluation.confusion import confusion
from tandem.train.engines.stop import EvaluationStoppedError, StopRequest
from tandem.train.kinds.base import EvalResult
from tandem.train.kinds.metrics import class_details
from tandem.train.predictions.boxes import BoxPredictions, DetectionArray, above_threshold
from tandem.train.types import Student


def detect(
    student: Student,
    split: DetectionTable,
    device: torch.device,
    batch_size: int,
    stop: StopRequest | None = None,
) -> list[DetectionArray]:
    """What it finds in every picture, down to the least score: (n, 6) in the picture's pixels."""
    detections: list[DetectionArray] = []
    # The canvases are square, as an exported file's are: its figures and the report's agree.
    was_training = student.training
    student.eval()
    with torch.no_grad():
        for at in range(0, len(split), batch_size):
            if stop is not None and stop.asked:
                raise EvaluationStoppedError
            canvases = [
                letterboxed(split, row, student.image_size)
                for row in range(len(split))[at:][:batch_size]
            ]
            # Letterboxed as uint8 and divided after: the bytes that a predictor's canvas has.
            images_BCHW = torch.stack([canvas for canvas, _ in canvases]).to(device).float() / 255
            boxes_BCA = student(images_BCHW).boxes_BCA.float()
            for one_N6, (_, placed) in zip(suppress(boxes_BCA), canvases, strict=True):
                detections.append(unletterbox(one_N6, placed).cpu().numpy())
    student.train(was_training)
    return detections


def letterboxed(split: DetectionTable, row: int, image_size: int) -> tuple[torch.Tensor, Letterbox]:
    """One picture on its square canvas, and where it lies there."""
    image_CHW = torch.from_numpy(np.ascontiguousarray(split.rgb_HWC(row))).permute(2, 0, 1)
    item = split.items[row]
    if not item.width or not item.height:
        item.height, item.width = image_CHW.shape[1:]
    return letterbox(image_CHW, image_size, image_size)


def evaluate(
    student: Student,
    split: DetectionTable,
    device: torch.device,
    batch_size: int,
    stop: StopRequest | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> EvalResult:
    """Its worth on the split; the best epoch is another's choice.

    `thresholds`: by class, what was fitted before; empty or None: fitted on this split.
    """
    detections = detect(student, split, device, batch_size, stop)
    precision = score(split, detections, thresholds)
    kept = above_threshold(detections, split.classes, precision.thresholds)
    taken = confusion(split, kept)
    return EvalResult(
        primary_metric=precision.metrics["map50"],
        loss=0.0,
        metrics=precision.metrics,
        details=class_details(precision.per_class) | {"confusion_matrix": taken.count_KK.tolist()},
        scores_N=precision.scores_N,
        thresholds=precision.thresholds,
        intervals=precision.intervals,
        predictions=BoxPredictions(split, kept, precision.scores_N, taken.pairs_N),
    )
