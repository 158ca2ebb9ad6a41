"""What is learnt from, and the views of it that teacher and student share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from tandem.spec.run.base import Knob, Section, ShareOrCount, Weight


class DataSpec(Section):
    root: Annotated[
        Path | None,
        Knob(
            "Folder of data sets",
            zh="数据集根目录",
            about_zh="数据集根目录；读取 `<root>/<dataset>/train`。不填：数据集本身就是路径。",
        ),
    ] = None
    """The datasets root; `<root>/<dataset>/train` is read. None: the dataset is a path itself."""
    dataset: Annotated[
        str,
        Knob(
            "Data set",
            zh="数据集",
            about_zh="数据集在根目录下的 ID，或文件夹。",
            level="basic",
        ),
    ]
    """The data set's id under the root, or a folder."""
    type: Annotated[
        str | None,
        Knob(
            "Layout",
            zh="数据格式",
            about_zh="数据集按哪种格式读取，用于文件夹有多种读法时：`yolo`、`coco` 等。"
            "不填：按其 `meta.json`，否则按文件夹的样子识别。",
        ),
    ] = None
    """What it is read as, where several layouts fit. None: as `meta.json` says, or its look."""
    val_dataset: Annotated[
        str | None,
        Knob(
            "Validation data set",
            zh="验证数据集",
            about_zh="改用另一个数据集的 `val`（没有则用 `train`）做验证；"
            "不填：用本数据集的 `val`。",
        ),
    ] = None
    """Another data set whose `val` (or else `train`) split validates. None: this one's `val`."""
    val_ratio: Annotated[
        float,
        Field(gt=0, lt=0.9),
        Knob(
            "Share held out for validation",
            zh="留作验证的比例",
            about_zh="没有 `val` 时，按类别分层、按种子从训练集中留出。",
            unit="ratio",
        ),
    ] = 0.15
    """Held out of train where there is no `val`: stratified, and chosen by content alone."""
    limit: Annotated[
        ShareOrCount | None,
        Knob(
            "Part of the training data",
            zh="只用部分训练数据",
            about_zh="小于 1：训练集的比例；从 2 起：样本数。按类别分层，按内容和种子选取；"
            "验证集不变。不填：全部。",
        ),
    ] = None
    """Below 1 a share of the training data, from 2 on a number of samples; stratified by class,
    chosen by content and seed. The validation data stays whole. None: all."""
    num_classes: Annotated[
        Annotated[int, Field(ge=1)] | None,
        Knob(
            "Number of classes",
            zh="类别数",
            about_zh="填写时会与数据集核对。",
            unit="classes",
        ),
    ] = None
    """Checked against the data set when given."""
    image_size: Annotated[
        int,
        Field(ge=16, le=2048),
        Knob(
            "Image size",
            zh="图像尺寸",
            about_zh="学生模型输入图片的边长（像素）。",
            unit="pixels",
            level="basic",
        ),
    ] = 224
    """Pixels a side that the student sees."""
    workers: Annotated[
        Annotated[int, Field(ge=0, le=64)] | None,
        Knob(
            "Loader processes",
            zh="读取进程数",
            about_zh="读取数据的进程数。不填：按 CPU 核数决定。",
            unit="processes",
        ),
    ] = None
    """Loader processes. None: chosen from the cores."""
    max_image_pixels: Annotated[
        int,
        Field(ge=10_000),
        Knob(
            "Largest picture",
            zh="图像像素上限",
            about_zh="更大的图像在解码之前就会被拒绝。",
            unit="pixels",
        ),
    ] = 120_000_000
    """A larger picture is refused before it is decoded."""


class ViewSpec(Section):
    """The crops, flips and colours that teacher and student both see."""

    count: Annotated[
        int,
        Field(ge=1, le=64),
        Knob(
            "Views of each image",
            zh="每张图像的视图数",
            about_zh="每张图像的视图数，只抽取一次并重放；第一个是整张图像。",
            unit="views",
        ),
    ] = 4
    """Views of each image, drawn once and replayed; the first is the whole image."""
    crop_scale_min: Annotated[
        float,
        Field(gt=0, le=1),
        Knob(
            "Smallest crop",
            zh="最小裁剪",
            about_zh="裁剪至少保留的面积比例。1：不裁剪。",
            unit="ratio",
            level="basic",
        ),
    ] = 0.7
    """The smallest part of the area a crop keeps. 1: no crop."""
    flip: Annotated[
        Literal["auto", "on", "off"],
        Knob(
            "Flip sideways",
            zh="左右翻转",
            about_zh="auto：类别是数字、字母或含左右方向时不翻转。",
            level="basic",
            choices={
                "auto": ("Where no class names a side", "类别与方向无关时启用"),
                "on": ("On", "开"),
                "off": ("Off", "关"),
            },
        ),
    ] = "auto"
    """auto: off where a class is a digit, a letter, or names a side."""
    colour: Annotated[
        float,
        Field(ge=0, le=1),
        Knob(
            "Change of colours",
            zh="颜色变化",
            about_zh="亮度、对比度和饱和度抖动的强度。0：不用。",
            unit="ratio",
            level="basic",
        ),
    ] = 0.2
    """Strength of brightness, contrast and saturation jitter. 0: off."""
    mixup: Annotated[
        Weight,
        Knob(
            "MixUp",
            zh="MixUp",
            about_zh="Beta 分布的 α（Zhang 等，2018）。0：不用。",
        ),
    ] = 0.0
    """Alpha of the Beta distribution (Zhang et al. 2018). 0: off."""
    cutmix: Annotated[
        Weight,
        Knob(
            "CutMix",
            zh="CutMix",
            about_zh="Beta 分布的 α（Yun 等，2019）。0：不用。",
        ),
    ] = 0.0
    """Alpha of the Beta distribution (Yun et al. 2019). 0: off."""
