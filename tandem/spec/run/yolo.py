"""What only a detector's own training reads: YOLOv8's and YOLOX's."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tandem.spec.run.base import Fraction, Knob, Section, Weight


class YoloSpec(Section):
    """What a detector's own training knows besides: augmentation and gains, under plain names. The
    defaults are Ultralytics'; a student has others where its paper does. Of `views` only `flip` is
    used then, and `mixup` by YOLOX."""

    mosaic: Annotated[
        float,
        Field(ge=0, le=1),
        Knob(
            "Mosaic",
            zh="马赛克拼图",
            about_zh="四张图像拼成一张的概率。",
            unit="ratio",
        ),
    ] = 1.0
    """Chance that four pictures are put together into one."""
    close_mosaic_epochs: Annotated[
        int,
        Field(ge=0),
        Knob(
            "Last epochs without mosaic",
            zh="末尾不拼图的轮数",
            about_zh="最后不做马赛克拼图的轮数。",
            unit="epochs",
        ),
    ] = 10
    """Last epochs without mosaics."""
    degrees: Annotated[
        float,
        Field(ge=0, le=180),
        Knob(
            "Rotation",
            zh="旋转",
            about_zh="图像最多旋转的度数。",
            unit="degrees",
        ),
    ] = 0.0
    """Most degrees a picture is turned."""
    translate: Annotated[
        Fraction,
        Knob(
            "Shift",
            zh="平移",
            about_zh="最多平移多少，以边长的比例计。",
            unit="ratio",
        ),
    ] = 0.1
    """Most it is moved, as a part of its side."""
    scale: Annotated[
        Fraction,
        Knob(
            "Scaling",
            zh="缩放",
            about_zh="最多放大或缩小多少，以比例计。",
            unit="ratio",
        ),
    ] = 0.5
    """Most it is made larger or smaller, as a part."""
    shear: Annotated[
        float,
        Field(ge=0, le=60),
        Knob(
            "Shear",
            zh="剪切",
            about_zh="最多剪切的度数。",
            unit="degrees",
        ),
    ] = 0.0
    """Most degrees it is sheared."""
    flip_sideways: Annotated[
        float,
        Field(ge=0, le=1),
        Knob(
            "Chance of a sideways flip",
            zh="左右翻转概率",
            about_zh="左右镜像的概率。",
            unit="ratio",
        ),
    ] = 0.5
    """Chance of a mirror image."""
    flip_upside_down: Annotated[
        float,
        Field(ge=0, le=1),
        Knob(
            "Chance of an upside-down flip",
            zh="上下翻转概率",
            about_zh="上下颠倒的概率。",
            unit="ratio",
        ),
    ] = 0.0
    """Chance of an upside-down one."""
    hue: Annotated[
        float,
        Field(ge=0, le=1),
        Knob(
            "Change of hue",
            zh="色相变化",
            about_zh="色相最多变化多少。",
            unit="ratio",
        ),
    ] = 0.015
    """Most the hue is turned."""
    saturation: Annotated[
        float,
        Field(ge=0, le=1),
        Knob(
            "Change of saturation",
            zh="饱和度变化",
            about_zh="饱和度最多变化多少。",
            unit="ratio",
        ),
    ] = 0.7
    """Most the saturation is changed."""
    value: Annotated[
        float,
        Field(ge=0, le=1),
        Knob(
            "Change of brightness",
            zh="亮度变化",
            about_zh="亮度最多变化多少。",
            unit="ratio",
        ),
    ] = 0.4
    """Most the brightness is changed."""
    box_gain: Annotated[
        Weight,
        Knob(
            "Weight of boxes",
            zh="边框权重",
            about_zh="损失中边框 IoU 的权重。",
        ),
    ] = 7.5
    """The weight of the box's IoU in the loss."""
    cls_gain: Annotated[
        Weight,
        Knob(
            "Weight of classes",
            zh="类别权重",
            about_zh="损失中类别的权重。",
        ),
    ] = 0.5
    """The weight of the class in the loss."""
    dfl_gain: Annotated[
        Weight,
        Knob(
            "Weight of box edges",
            zh="边框边缘权重",
            about_zh="损失中边框边缘分布的权重；YOLOX 没有这一项。",
        ),
    ] = 1.5
    """The weight of the distribution of the box's edges in the loss; YOLOX has none."""
    nominal_batch_size: Annotated[
        int,
        Field(ge=1),
        Knob(
            "Nominal batch size",
            zh="名义批大小",
            about_zh="grad_accum_steps 为 1 时，YOLOv8 的一个优化步累计的图像数。",
            unit="images",
        ),
    ] = 64
    """Pictures that one optimizer step of YOLOv8 sums up, where grad_accum_steps is 1."""
    final_rate: Annotated[
        float,
        Field(gt=0, le=1),
        Knob(
            "Final learning rate",
            zh="最终学习率",
            about_zh="最后一轮的学习率，以第一轮的比例计。",
            unit="ratio",
        ),
    ] = 0.01
    """The last epoch's learning rate, as a part of the first's."""
