"""The spec of a learning benchmark: everything on the CPU, in a temporary folder."""

from __future__ import annotations

from pathlib import Path

from benchmarks.engine import changed
from tandem.spec.run import (
    CacheSpec,
    DataSpec,
    ExecutionSpec,
    LossSpec,
    OptimSpec,
    ReportSpec,
    RunSpec,
    StudentSpec,
    TeacherSpec,
)


def make_spec(
    folder: Path,
    name: str,
    *,
    data: Path,
    size: int,
    student: StudentSpec,
    teacher: TeacherSpec | None,
    optim: OptimSpec,
    loss: LossSpec | None = None,
) -> RunSpec:
    """A run in `folder/runs/name`; without a teacher it learns from the labels alone."""
    return RunSpec(
        task_id="bench",
        mode="distillation" if teacher else "direct",
        data=DataSpec(dataset=str(data), image_size=size, workers=0),
        teacher=teacher,
        student=student,
        loss=loss or LossSpec(),
        optim=optim,
        cache=CacheSpec(root=folder / "cache"),
        run=ExecutionSpec(
            output_dir=folder / "runs" / name,
            devices="cpu",
            precision="fp32",
            save_checkpoints=False,
        ),
        report=ReportSpec(tensorboard=False),
    )


def frozen_views(spec: RunSpec, name: str, count: int) -> RunSpec:
    """The same run, as `name`, with `count` views of each picture drawn once and replayed."""
    views: dict[str, object] = {"count": count}
    if hasattr(spec.views, "source"):  # where they may also be drawn afresh
        views["source"] = "frozen"
    return changed(spec, views=views, run={"output_dir": spec.run.output_dir.with_name(name)})
