"""A job's row as clients know it."""

from __future__ import annotations

import json

from sqlalchemy import RowMapping

from tandem.server.annotation.schemas import (
    AnnotationOut,
    AnnotationProgress,
    AnnotationShown,
    figures,
)
from tandem.spec.annotation import AnnotationSpec, parse


def _read(row: RowMapping) -> tuple[AnnotationSpec, tuple[int, int, int]]:
    spec = parse(row["spec"])
    assert spec is not None, "every job has one"
    metrics: dict[str, int] = json.loads(row["metrics"]) if row["metrics"] else {}
    return spec, figures(metrics, row["step"])


def compat_annotation(row: RowMapping) -> AnnotationOut:
    """As surface A has it."""
    spec, (processed, succeeded, failed) = _read(row)
    return AnnotationOut(
        inference_id=row["task_id"],
        task_id=spec.trained_by,
        model_type=row["student_model"],
        processed_images=processed,
        success_count=succeeded,
        failure_count=failed,
        output_dir=str(spec.output),
        status=row["status"],
        error_message=row["error_message"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        duration=row["duration"],
    )


def annotation(row: RowMapping) -> AnnotationShown:
    """As /api/v1 has it."""
    spec, (processed, succeeded, failed) = _read(row)
    return AnnotationShown(
        inference_id=row["task_id"],
        task_id=spec.trained_by,
        model=str(spec.model),
        model_name=spec.model_name,
        model_type=row["student_model"],
        input=str(spec.input),
        output=str(spec.output),
        format=spec.writer,
        dataset=None if spec.dataset is None else spec.dataset.name,
        auto_import=spec.auto_import,
        status=row["status"],
        processed=processed,
        succeeded=succeeded,
        failed=failed,
        total=row["total_steps"],
        error_message=row["error_message"],
        advice=row["advice"],
        waiting_reason=row["waiting_reason"],
        started_at=row["start_time"],
        ended_at=row["end_time"],
    )


def progress(row: RowMapping) -> AnnotationProgress:
    """How far it is."""
    _, (processed, succeeded, failed) = _read(row)
    return AnnotationProgress(
        status=row["status"],
        processed=processed,
        succeeded=succeeded,
        failed=failed,
        total=row["total_steps"],
        heartbeat_at=row["heartbeat_at"],
    )
