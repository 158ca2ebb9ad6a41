"""What our own loop for boxes cannot honour is refused, never passed over."""

from __future__ import annotations

from tandem.spec.errors import SpecError
from tandem.spec.run import RunSpec
from tandem.train.engines.device import DeviceContext

LEAST_SIZE = 64
"""At 32 pixels the coarsest map has one cell: a batch of one has no variance there."""


def check(spec: RunSpec, device_context: DeviceContext) -> None:
    """SpecError for what a detector cannot do here, before anything is read."""
    if device_context.processes > 1:
        raise SpecError(
            "A detector learns in one process, on one GPU or the CPU; {processes} were asked for.",
            processes=device_context.processes,
            fix="Set run.devices to one GPU, such as [0].",
        )
    # Of `auto` on a GPU without bf16 the loop makes fp32.
    if spec.run.precision == "fp16":
        raise SpecError(
            "A detector does not learn in {precision}.",
            precision=spec.run.precision,
            allowed=["auto", "fp32", "bf16"],
            fix="Set run.precision to auto.",
        )
    if spec.run.compile or spec.run.memory_format != "auto":
        raise SpecError(
            "run.compile and run.memory_format are not for detectors.", fix="Leave both out."
        )
    if spec.views.cutmix > 0:
        raise SpecError(
            "views.cutmix is for classes; a detector mixes pictures by yolo.mosaic.",
            fix="Set it to 0.",
        )
    if spec.views.mixup > 0 and spec.mode == "distillation":
        raise SpecError(
            "A teacher's tokens are of one picture: views.mixup is for a detector without one.",
            fix="Set views.mixup to 0.",
        )
    if spec.student.dropout > 0:
        raise SpecError("{student} has no dropout.", student=spec.student.size,
                        fix="Set student.dropout to 0.")  # fmt: skip
    if spec.loss.label_smoothing > 0 and spec.mode == "distillation":
        raise SpecError(
            "The detection loss has no label smoothing.", fix="Set loss.label_smoothing to 0."
        )
    if spec.data.image_size < LEAST_SIZE:
        raise SpecError(
            "A detector needs pictures of {least} px a side or more, not {size}.",
            least=LEAST_SIZE,
            size=spec.data.image_size,
            fix="Set data.image_size to {least} or more; 640 is usual.",
        )
