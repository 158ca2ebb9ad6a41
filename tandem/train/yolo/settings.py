"""The RunSpec in Ultralytics' words. What it cannot honour is refused, never passed over."""

from __future__ import annotations

from collections.abc import Sequence

from tandem.spec.errors import SpecError
from tandem.spec.run import RunSpec
from tandem.train.data.augment import flip_allowed
from tandem.train.data.loader import worker_count
from tandem.train.detection.boxes import whole_strides
from tandem.train.engines.device import DeviceContext

LEAST_SIZE = 64
"""At 32 pixels the coarsest map has one cell: a batch of one has no variance there."""
OPTIMIZERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}
SCHEDULERS = ("cosine", "linear", "constant")
BIAS_WARMUP = 10.0
"""SGD's biases start at so many times the rate, as in Ultralytics (0.1 over 0.01); Adam's at 0."""


def check(spec: RunSpec, device_context: DeviceContext) -> None:
    """SpecError for what YOLOv8 cannot do, before anything is read."""
    if device_context.processes > 1:
        raise SpecError(
            "YOLOv8 learns in one process, on one GPU or the CPU; {processes} were asked for.",
            processes=device_context.processes,
            fix="Set run.devices to one GPU, such as [0].",
        )
    # Of `auto` on a GPU without bf16 it makes fp32, below.
    if spec.run.precision == "fp16" or (
        device_context.precision == "bf16" and device_context.device.type == "cpu"
    ):
        raise SpecError(
            "YOLOv8 does not learn in {precision} on this device.",
            precision=spec.run.precision,
            allowed=["auto", "fp32"] + (["bf16"] if device_context.device.type == "cuda" else []),
            fix="Set run.precision to auto.",
        )
    if spec.run.compile or spec.run.memory_format != "auto":
        raise SpecError(
            "run.compile and run.memory_format are not for detectors.", fix="Leave both out."
        )
    if spec.optim.optimizer not in OPTIMIZERS:
        raise SpecError(
            "Ultralytics has no optimizer {optimizer}.",
            optimizer=spec.optim.optimizer,
            allowed=OPTIMIZERS,
            fix="Set optim.optimizer to one of them.",
        )
    if spec.optim.scheduler not in SCHEDULERS:
        raise SpecError(
            "Ultralytics has no scheduler {scheduler}.",
            scheduler=spec.optim.scheduler,
            allowed=SCHEDULERS,
            fix="Set optim.scheduler to one of them.",
        )
    for name in ("learning_rate", "weight_decay"):
        if getattr(spec.optim, name) > 1:
            raise SpecError(
                "Ultralytics takes an optim.{name} of 0 to 1.",
                name=name,
                got=getattr(spec.optim, name),
                fix="Lower it.",
            )
    if spec.views.mixup > 0 or spec.views.cutmix > 0:
        raise SpecError(
            "views.mixup and views.cutmix are for classes; YOLOv8 mixes pictures by yolo.mosaic.",
            fix="Set both to 0.",
        )
    if spec.student.dropout > 0:
        raise SpecError("YOLOv8 has no dropout.", fix="Set student.dropout to 0.")
    if spec.loss.label_smoothing > 0 and spec.mode == "distillation":
        raise SpecError(
            "The detection loss has no label smoothing.", fix="Set loss.label_smoothing to 0."
        )
    if spec.data.image_size < LEAST_SIZE:
        raise SpecError(
            "YOLOv8 needs pictures of {least} px a side or more, not {size}.",
            least=LEAST_SIZE,
            size=spec.data.image_size,
            fix="Set data.image_size to {least} or more; 640 is usual.",
        )


def overrides(
    spec: RunSpec, device_context: DeviceContext, save_dir: str, classes: Sequence[str]
) -> dict[str, object]:
    """Ultralytics' arguments. Its defaults hold for what is not named here."""
    optim, yolo = spec.optim, spec.yolo
    sgd = optim.optimizer == "sgd"
    return {
        "task": "detect",
        "mode": "train",
        "model": f"{spec.student.size}.yaml",
        "data": "tandem",  # a name only: `get_dataset` brings the data
        "pretrained": False,  # weights come from the student's plug-in, never by download
        "epochs": optim.epochs,
        "batch": optim.batch_size,
        "nbs": nominal(spec),
        "imgsz": whole_strides(spec.data.image_size),
        "optimizer": OPTIMIZERS[optim.optimizer],
        "lr0": optim.learning_rate,
        "lrf": 1.0 if optim.scheduler == "constant" else yolo.final_rate,
        "cos_lr": optim.scheduler == "cosine",
        "momentum": optim.momentum,
        "weight_decay": optim.weight_decay,
        "warmup_epochs": optim.warmup_epochs,
        # 0 for Adam, as in Ultralytics' `auto`: its first steps are as long as the rate.
        "warmup_bias_lr": min(BIAS_WARMUP * optim.learning_rate, 1.0) if sgd else 0.0,
        "patience": optim.early_stopping_epochs,
        "seed": spec.run.seed,
        "device": "cpu"
        if device_context.device.type == "cpu"
        else str(device_context.device.index),
        "workers": worker_count(spec.data.workers),
        # Never True, which is fp16: Ultralytics would fetch a network to test it with, and its
        # scaler's state is in no checkpoint of ours.
        "amp": "bf16" if device_context.precision == "bf16" else False,
        "mosaic": yolo.mosaic,
        "close_mosaic": yolo.close_mosaic_epochs,
        "box": yolo.box_gain,
        "cls": yolo.cls_gain,
        "dfl": yolo.dfl_gain,
        "hsv_h": yolo.hue,
        "hsv_s": yolo.saturation,
        "hsv_v": yolo.value,
        "degrees": yolo.degrees,
        "translate": yolo.translate,
        "scale": yolo.scale,
        "shear": yolo.shear,
        # A mirrored digit is another one: `views.flip` says as much of any picture.
        "fliplr": yolo.flip_sideways if flip_allowed(spec.views, classes) else 0.0,
        "flipud": yolo.flip_upside_down,
        "save_dir": save_dir,
        "exist_ok": True,  # else a resumed run would get a folder of its own, numbered on
        "save": True,  # calls `save_model`, which writes our checkpoints
        "plots": False,
        "val": True,
        "verbose": False,
    }


def nominal(spec: RunSpec) -> int:
    """Pictures that one optimizer step sums up."""
    if spec.optim.grad_accum_steps > 1:
        return spec.optim.batch_size * spec.optim.grad_accum_steps
    return spec.yolo.nominal_batch_size
