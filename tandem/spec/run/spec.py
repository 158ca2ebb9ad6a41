"""RunSpec: the one configuration of a run, whichever entrance it came through."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from tandem.spec.run.base import KindName, Knob, Name, Section
from tandem.spec.run.data import DataSpec, ViewSpec
from tandem.spec.run.execution import CacheSpec, ExecutionSpec, ReportSpec
from tandem.spec.run.loss import LossSpec
from tandem.spec.run.optim import OptimSpec
from tandem.spec.run.student import StudentSpec
from tandem.spec.run.teacher import LoraSpec, TeacherSpec
from tandem.spec.run.yolo import YoloSpec


class RunSpec(Section):
    task_id: Annotated[
        Name,
        Knob(
            "Task id",
            zh="任务编号",
            about_zh="运行的名称；服务端也以此识别任务。",
        ),
    ]
    """Names the run; a service knows it by this too."""
    kind: Annotated[
        KindName | None,
        Knob(
            "Kind",
            zh="任务类型",
            about_zh="不填：从数据中识别。",
            level="basic",
        ),
    ] = None
    """None: found from the data."""
    mode: Annotated[
        Literal["distillation", "direct"],
        Knob(
            "Mode",
            zh="训练方式",
            about_zh="distillation：由教师指导；direct：只用标签。",
            level="basic",
            choices={
                "distillation": ("With a teacher", "由教师模型指导"),
                "direct": ("On labels alone", "仅用标签"),
            },
        ),
    ] = "distillation"
    """distillation: with a teacher; direct: on labels alone."""
    data: DataSpec
    teacher: TeacherSpec | None = None
    lora: LoraSpec = LoraSpec()
    student: StudentSpec = StudentSpec()
    loss: LossSpec = LossSpec()
    optim: OptimSpec = OptimSpec()
    views: ViewSpec = ViewSpec()
    yolo: YoloSpec = YoloSpec()
    cache: CacheSpec = CacheSpec()
    run: ExecutionSpec
    report: ReportSpec = ReportSpec()

    @model_validator(mode="after")
    def _teacher_given(self) -> RunSpec:
        named = self.teacher is not None and (self.teacher.name or self.teacher.path)
        if self.mode == "distillation" and not named:
            raise ValueError("distillation needs teacher.name or teacher.path; or mode: direct")
        return self
