"""What is learnt from, and the views of it that teacher and student share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tandem.spec.run.base import Knob, Section, ShareOrCount, SpecTree, Weight


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
    sampling: Annotated[
        Literal["shuffled", "balanced"],
        Knob(
            "Sampling",
            zh="采样方式",
            about_zh="一轮中各类别各出现多少次。shuffled：每个样本一次。"
            "balanced：每个类别一样多，稀少的类别反复出现；样本总数不变，无标签的样本照旧。"
            "类别均衡也可以用 loss.class_weights，两者同时使用会重复校正。",
            choices={
                "shuffled": ("Every sample once", "每个样本一次"),
                "balanced": ("Every class alike", "各类别一样多"),
            },
        ),
    ] = "shuffled"
    """How often each class comes in an epoch. shuffled: every sample once. balanced: all classes
    alike, rare ones again and again; an epoch is as long, and samples without a label come as ever.
    loss.class_weights evens classes out too: both at once do it twice."""
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


Recipe = Literal["plain", "photographs", "characters"]
RECIPES: dict[Recipe, SpecTree] = {
    "plain": {},
    "photographs": {"crop_scale_min": 0.14, "colour": 0.4, "grey": 0.2, "blur": 0.1},
    "characters": {"crop_scale_min": 0.6, "flip": "off", "randaugment": 5.0},
}
"""What suits a kind of pictures, where a run says nothing else."""


class ViewSpec(Section):
    """The crops, flips and colours that teacher and student both see."""

    recipe: Annotated[
        Recipe,
        Knob(
            "Suited to",
            zh="适用的图像",
            about_zh="按图像的类型，填上下面没有给出的数值。plain：各自的默认值。"
            "photographs：小至 0.14 的裁剪、更强的颜色变化、偶尔的灰度与模糊。"
            "characters：数字与字母，不翻转、较大的裁剪、强度为 5 的 RandAugment。",
            level="basic",
            choices={
                "plain": ("Any picture", "任何图像"),
                "photographs": ("Photographs", "照片"),
                "characters": ("Digits and letters", "数字与字母"),
            },
        ),
    ] = "plain"
    """By the kind of pictures, fills in what is not given below. plain: the default of each.
    photographs: crops down to 0.14, stronger colours, now and then grey or blurred. characters:
    digits and letters, never flipped, large crops, RandAugment at 5."""
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
    source: Annotated[
        Literal["auto", "dense", "frozen"],
        Knob(
            "What the teacher says of views",
            zh="视图的教师输出",
            about_zh="教师模型对学生所见裁剪的判断从哪里来。dense：只看一次整张图像，"
            "裁剪的特征和类别得分从整图的特征中读出，因此每轮都是新的视图。"
            "frozen：看 `views.count` 个固定的裁剪。\n\n"
            "auto：按测量结果（docs/benchmarks.md）选用，没有类别图时用 frozen。",
            choices={
                "auto": ("The better that it has", "自动选择较好的"),
                "dense": ("Read from one look at the whole image", "从一次整图观察中读出"),
                "frozen": ("Asked about a few fixed crops", "对少数固定裁剪逐一询问"),
            },
        ),
    ] = "auto"
    """Where the teacher's word on the crops that a student sees comes from. dense: from one look
    at the whole image, so that every epoch has fresh views. frozen: from a look at each of
    `views.count` fixed crops.

    auto: as measured (docs/benchmarks.md); frozen where there is no map of classes.
    """
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
    randaugment: Annotated[
        float,
        Field(ge=0, le=10),
        Knob(
            "RandAugment",
            zh="RandAugment 强度",
            about_zh="每个视图两种随机操作（旋转、剪切、平移、色调等）的强度，0 到 10，"
            "同 timm 的 rand-m…-mstd0.5-inc1（Cubuk 等，2020）。0：不用。",
        ),
    ] = 0.0
    """Strength of two random operations a view (rotation, shear, shift, tones), 0 to 10 as timm's
    rand-m…-mstd0.5-inc1 (Cubuk et al. 2020). 0: off."""
    grey: Annotated[
        float,
        Field(ge=0, le=1),
        Knob(
            "Share turned grey",
            zh="转为灰度的比例",
            about_zh="以多大的概率把视图变成灰度。0：不用。",
            unit="ratio",
        ),
    ] = 0.0
    """How likely a view is turned grey. 0: off."""
    blur: Annotated[
        float,
        Field(ge=0, le=1),
        Knob(
            "Share blurred",
            zh="模糊的比例",
            about_zh="以多大的概率把视图模糊（高斯，标准差在 224 像素时为 0.1 到 2 像素）。"
            "0：不用。",
            unit="ratio",
        ),
    ] = 0.0
    """How likely a view is blurred, by a Gaussian of 0.1 to 2 pixels at 224. 0: off."""
    erasing: Annotated[
        float,
        Field(ge=0, le=1),
        Knob(
            "Share with a part erased",
            zh="随机擦除的比例",
            about_zh="以多大的概率擦去视图中 2% 到 33% 的一个矩形（Zhong 等，2020）；"
            "掩膜中被擦去的像素不计。0：不用。",
            unit="ratio",
        ),
    ] = 0.0
    """How likely a rectangle of 2 to 33 % of a view is erased (Zhong et al. 2020); in a mask those
    pixels do not count. 0: off."""
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

    @model_validator(mode="before")
    @classmethod
    def _fill_recipe(cls, given: object) -> object:
        """What the recipe says goes under what is given, and is then as if given: a spec that is
        written and read again stays what it was."""
        recipe = given.get("recipe") if isinstance(given, dict) else None
        if not isinstance(given, dict) or recipe not in RECIPES:
            return given
        return RECIPES[recipe] | given
