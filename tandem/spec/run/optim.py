"""How the weights move: steps, rates and their limits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tandem.spec.run.base import Fraction, Knob, Positive, Section, Weight


class OptimSpec(Section):
    epochs: Annotated[
        int,
        Field(ge=1, le=100_000),
        Knob(
            "Epochs",
            zh="训练轮数",
            about_zh="遍历图片的轮数。",
            unit="epochs",
            level="basic",
        ),
    ] = 100
    """Passes over the pictures."""
    batch_size: Annotated[
        int,
        Field(ge=1, le=65_536),
        Knob(
            "Batch size",
            zh="批大小",
            about_zh="每个批次的图片数，所有设备合计。",
            unit="images",
            level="basic",
        ),
    ] = 32
    """Images in a batch, over all devices together."""
    learning_rate: Annotated[
        Positive,
        Knob(
            "Learning rate",
            zh="学习率",
            about_zh="预热之后的最高学习率。",
            level="basic",
        ),
    ] = 1e-4
    """At its highest, after the warm-up."""
    optimizer: Annotated[
        Literal["adamw", "adam", "sgd", "adagrad"],
        Knob(
            "Optimizer",
            zh="优化器",
            about_zh="优化器。",
            choices={
                "adamw": ("AdamW", "AdamW"),
                "adam": ("Adam", "Adam"),
                "sgd": ("SGD", "SGD"),
                "adagrad": ("Adagrad", "Adagrad"),
            },
        ),
    ] = "adamw"
    """What turns gradients into steps."""
    momentum: Annotated[
        Fraction,
        Knob(
            "Momentum",
            zh="动量",
            about_zh="SGD 的动量。",
        ),
    ] = 0.9
    """The momentum of SGD."""
    scheduler: Annotated[
        Literal["cosine", "linear", "constant", "polynomial"],
        Knob(
            "Learning rate schedule",
            zh="学习率调度",
            about_zh="预热之后学习率的下降方式。",
            choices={
                "cosine": ("Along a cosine", "按余弦下降"),
                "linear": ("In a straight line", "线性下降"),
                "constant": ("Not at all", "不下降"),
                "polynomial": ("Along a parabola", "按抛物线下降"),
            },
        ),
    ] = "cosine"
    """How the rate falls after the warm-up."""
    warmup_epochs: Annotated[
        Weight,
        Knob(
            "Warm-up",
            zh="预热轮数",
            about_zh="学习率上升所用的轮数。",
            unit="epochs",
        ),
    ] = 0.0
    """Epochs in which the rate rises."""
    warmup_steps: Annotated[
        int,
        Field(ge=0),
        Knob(
            "Warm-up in steps",
            zh="预热步数",
            about_zh="同上，以优化步计；给出时以它为准。0：按轮数。",
            unit="steps",
        ),
    ] = 0
    """The same in optimizer steps, which count where they are given. 0: by epochs."""
    weight_decay: Annotated[
        Weight,
        Knob(
            "Weight decay",
            zh="权重衰减",
            about_zh="不作用于归一化层和偏置。",
        ),
    ] = 0.01
    """None on norms and biases."""
    grad_accum_steps: Annotated[
        int,
        Field(ge=1, le=4096),
        Knob(
            "Gradient accumulation",
            zh="梯度累积",
            about_zh="每个优化器步累积的批次数。",
            unit="batches",
        ),
    ] = 1
    """Batches summed into one optimizer step."""
    max_grad_norm: Annotated[
        Weight,
        Knob(
            "Gradient clipping",
            zh="梯度裁剪",
            about_zh="0：不裁剪。",
        ),
    ] = 1.0
    """0: no clipping."""
    ema_decay: Annotated[
        float,
        Field(ge=0, lt=1),
        Knob(
            "Averaged weights",
            zh="权重滑动平均",
            about_zh="权重的指数滑动平均，用于评估。0：不用。",
        ),
    ] = 0.0
    """Exponential moving average of the weights, used for evaluation. 0: off."""
    early_stopping_epochs: Annotated[
        int,
        Field(ge=0),
        Knob(
            "Early stopping",
            zh="提前停止",
            about_zh="验证准确率连续多少轮没有提高就停止。0：不用。",
            unit="epochs",
            level="basic",
        ),
    ] = 0
    """Epochs without a better validation accuracy. 0: off."""
