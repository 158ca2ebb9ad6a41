"""Who teaches, and the adapters by which it may learn the classes first."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tandem.spec.run.base import Fraction, Knob, Positive, Section, Weight


class TeacherSpec(Section):
    name: Annotated[
        str | None,
        Knob(
            "Teacher",
            zh="教师模型",
            about_zh="目录（tandem catalog）或配置中的名称。",
            level="basic",
        ),
    ] = None
    """A name from the catalog or the configuration."""
    path: Annotated[
        str | None,
        Knob(
            "Teacher's weights",
            zh="教师模型权重",
            about_zh="本地文件夹或 Hub ID；不填时按名称查找。",
        ),
    ] = None
    """A local folder, or a hub id; found from the name when absent."""
    others: Annotated[
        list[str],
        Knob(
            "Further teachers",
            zh="其他教师模型",
            about_zh="同时教学的其他教师模型：名称、文件夹或 Hub ID。每个都按本节其余设置使用，"
            "各有自己的缓存；它们必须能学会相同的类别。",
        ),
    ] = Field(default_factory=list)
    """More teachers at the same time: names, folders or hub ids. Each is used with this section's
    other settings and has a cache of its own; all teach the same classes."""
    weights: Annotated[
        list[Weight],
        Knob(
            "Weights of the teachers",
            zh="各教师的权重",
            about_zh="有多个教师时，各自类别概率的权重，第一个教师在前；按总和缩放。"
            "0：不问它类别。留空：一律相同。",
        ),
    ] = Field(default_factory=list)
    """The weight of each teacher's class probabilities, the first one's first; scaled by their sum.
    0: it is not asked about the classes. Empty: all alike."""
    features_from: Annotated[
        int,
        Field(ge=0),
        Knob(
            "Teacher of the features",
            zh="提供特征的教师",
            about_zh="有多个教师时，由第几个提供被比较的稠密特征，从 0 数起。",
        ),
    ] = 0
    """Which of several teachers gives the dense features that are compared, counted from 0."""
    family: Annotated[
        str,
        Knob(
            "Teacher's family",
            zh="教师模型系列",
            about_zh="可为 `qwen_vl`、`hf_vision`、`hf_text`、`yolov8`、`yolox`、`tandem`。\n\n"
            "auto：从检查点的 config.json 读出。",
        ),
    ] = "auto"
    """`qwen_vl`, `hf_vision`, `hf_text`, `yolov8`, `yolox`, `tandem`.

    auto: read from the checkpoint's config.json.
    """
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16", "int8", "int4"],
        Knob(
            "Teacher's precision",
            zh="教师模型精度",
            about_zh="教师模型权重的精度。auto：GPU 支持时用 bf16，否则 fp32。",
            choices={
                "auto": ("As the device has it", "由设备决定"),
                "fp32": ("32-bit floating point", "32 位浮点"),
                "bf16": ("16-bit brain floating point", "16 位脑浮点"),
                "fp16": ("16-bit floating point", "16 位浮点"),
                "int8": ("8-bit integers", "8 位整数"),
                "int4": ("4-bit integers", "4 位整数"),
            },
        ),
    ] = "auto"
    """The number format of the teacher's weights. auto: bf16 on a GPU that has it, else fp32."""
    knowledge: Annotated[
        Literal["auto", "own", "probe", "label_scoring", "lora", "none"],
        Knob(
            "Source of class knowledge",
            zh="类别知识的来源",
            about_zh="类别得分从哪里来。\n\nauto：rank > 0 时用 lora；"
            "教师模型本来就在这些类别上训练过时用它自己的；"
            "否则用探针，没有标签时用标签打分。",
            choices={
                "auto": ("The first that it has", "自动选择最先可用的"),
                "own": ("Its own classes", "其自身的类别"),
                "probe": ("A linear classifier on its features", "在其特征上训练线性分类器"),
                "label_scoring": (
                    "How likely it finds each class name",
                    "由它给出每个类名的可能性",
                ),
                "lora": ("An adapter trained on the labels", "用标签训练的适配器"),
                "none": ("Features alone", "仅用特征"),
            },
        ),
    ] = "auto"
    """Where class scores come from.

    auto: lora if rank > 0, else its own where it was trained on these classes, else a probe, or
    without labels label scoring.
    """
    image_size: Annotated[
        int | None,
        Field(ge=28, le=2048),
        Knob(
            "Teacher's image size",
            zh="教师模型图像尺寸",
            about_zh="教师模型看到的边长（像素），按它的网格取整。"
            "不填：检测框和掩码任务用学生模型的尺寸；其他任务用检查点自己的尺寸，"
            "检查点没有说明时为 224。",
            unit="pixels",
        ),
    ] = None
    """Pixels a side that the teacher sees; rounded to its grid. None: the student's for boxes and
    masks, else the checkpoint's own, or 224 where it names none."""
    layers: Annotated[
        list[int],
        Knob(
            "Teacher's layers",
            zh="教师模型的层",
            about_zh="中间层损失使用哪些隐藏层的特征。留空：均匀分布。",
        ),
    ] = Field(default_factory=list)
    """Hidden layers whose tokens the intermediate-layer loss uses. Empty: spread evenly."""
    prompt: Annotated[
        str | None,
        Knob(
            "Question for label scoring",
            zh="标签打分的提问",
            about_zh="标签打分时的提问；标签放在 `{options}` 处。",
        ),
    ] = None
    """The question asked for label scoring; `{options}` is where the labels go."""
    label_orders: Annotated[
        int,
        Field(ge=1, le=16),
        Knob(
            "Orders of the labels",
            zh="标签顺序数",
            about_zh="标签打分时对多少种标签顺序取平均。",
            unit="orders",
        ),
    ] = 4
    """Orders of the labels that label scoring averages over."""
    scored_views: Annotated[
        Literal["first", "every"],
        Knob(
            "Views that label scoring asks about",
            zh="标签打分的视图",
            about_zh="标签打分时向语言模型询问哪些视图。first：只问整张图像，各裁剪沿用其得分；"
            "every：每个视图都问，费时按视图数成倍增加。",
            choices={
                "first": ("The whole image only", "仅整张图像"),
                "every": ("Every view", "每个视图"),
            },
        ),
    ] = "first"
    """Which views a language model is asked to score. first: the whole image only, and its scores
    stand for every crop; every: each view, at so many times the cost."""
    probe_folds: Annotated[
        int,
        Field(ge=2, le=20),
        Knob(
            "Folds of the probe",
            zh="探针折数",
            about_zh="一个样本的软标签来自没有用它拟合的那一折。",
            unit="folds",
        ),
    ] = 5
    """A sample's soft label comes from the fold that left it out."""
    if_harmful: Annotated[
        Literal["warn", "scale", "stop"],
        Knob(
            "If the teacher would mislead",
            zh="教师模型会误导时",
            about_zh="训练前用已标注样本检查教师模型的类别得分：若明显不如原始像素（或词）上的线性探针，"
            "或不比总猜最常见类别更准时，怎么做。\n\n"
            "scale：软标签的权重乘以它超出瞎猜的部分占原始探针超出部分的比例。",
            choices={
                "warn": ("Warn", "警告"),
                "scale": ("Scale its soft labels down", "缩小其软标签的权重"),
                "stop": ("Stop before training", "训练前停止"),
            },
        ),
    ] = "warn"
    """What is done where its class scores, before the first step, are clearly worse than a linear
    probe on raw pixels or words, or no better than always naming the commonest class.

    scale: the weight of the soft labels is multiplied by what it knows beyond chance, as a part of
    what the raw probe knows.
    """
    calibrate: Annotated[
        bool,
        Knob(
            "Calibrate the teacher",
            zh="校准教师模型",
            about_zh="用留出的标签拟合温度。",
        ),
    ] = True
    """Fit a temperature on held-out labels."""
    frames: Annotated[
        int,
        Field(ge=0),
        Knob(
            "Frames the teacher sees",
            zh="教师模型看的帧数",
            about_zh="教师模型从片段中均匀选看的帧数。0：全部。",
            unit="frames",
        ),
    ] = 0
    """How many frames of a clip it sees, evenly spread. 0: all."""
    batch_size: Annotated[
        int,
        Field(ge=1, le=4096),
        Knob(
            "Teacher's batch size",
            zh="教师模型批大小",
            about_zh="教师模型一次前向处理的图像数。",
            unit="images",
        ),
    ] = 16
    """Images in one forward pass of the teacher."""


class LoraSpec(Section):
    """Low-rank adaptation (Hu et al. 2021): of the teacher, on the labelled part, before it
    teaches; or of the student, in place of all its weights."""

    rank: Annotated[
        int,
        Field(ge=0, le=512),
        Knob(
            "LoRA rank",
            zh="LoRA 秩",
            about_zh="0：关闭。",
            level="basic",
        ),
    ] = 0
    """0: off."""
    on: Annotated[
        Literal["auto", "teacher", "student"],
        Knob(
            "What LoRA adapts",
            zh="LoRA 调整的模型",
            about_zh="调整哪个模型的权重。auto：教师模型的；没有教师模型时是学生模型的。",
            choices={
                "auto": ("The teacher, if there is one", "有教师时为教师"),
                "teacher": ("Teacher", "教师模型"),
                "student": ("Student", "学生模型"),
            },
        ),
    ] = "auto"
    """Whose weights. auto: the teacher's; the student's where there is no teacher."""
    alpha: Annotated[
        Positive,
        Knob(
            "LoRA alpha",
            zh="LoRA 缩放系数",
            about_zh="适配器按 alpha / rank 缩放。",
        ),
    ] = 16
    """The adapter is scaled by alpha / rank."""
    dropout: Annotated[
        Fraction,
        Knob(
            "LoRA dropout",
            zh="LoRA 丢弃率",
            about_zh="适配器输入的 dropout。",
            unit="ratio",
        ),
    ] = 0.1
    """The share of the adapter's input that is dropped."""
    target_modules: Annotated[
        list[str],
        Knob(
            "Adapted modules",
            zh="被调整的模块",
            about_zh="要适配的层的名称。留空：该系列的默认值。",
        ),
    ] = Field(default_factory=list)
    """Names of the layers adapted. Empty: the family's default."""
    layers: Annotated[
        str,
        Knob(
            "Adapted layers",
            zh="被调整的层",
            about_zh="`all`，或形如 `0-11` 的范围。",
        ),
    ] = "all"
    """`all`, or a range such as `0-11`."""
    bias: Annotated[
        Literal["none", "all", "lora_only"],
        Knob(
            "Biases trained",
            zh="训练哪些偏置",
            about_zh="一并训练哪些偏置。",
            choices={
                "none": ("None", "无"),
                "all": ("All", "全部"),
                "lora_only": ("Those of adapted layers", "仅适配层的"),
            },
        ),
    ] = "none"
    """Which biases are trained too."""
    epochs: Annotated[
        int,
        Field(ge=1, le=1000),
        Knob(
            "LoRA epochs",
            zh="LoRA 轮数",
            about_zh="遍历已标注图像的次数。",
            unit="epochs",
        ),
    ] = 3
    """Passes over the labelled pictures."""
    learning_rate: Annotated[
        Positive,
        Knob(
            "LoRA learning rate",
            zh="LoRA 学习率",
            about_zh="适配器的学习率，在学生模型学习之前使用。",
        ),
    ] = 2e-4
    """The adapter's own rate, before the student learns."""
    batch_size: Annotated[
        int,
        Field(ge=1, le=4096),
        Knob(
            "LoRA batch size",
            zh="LoRA 批大小",
            about_zh="适配器一步处理的图像数。",
            unit="images",
        ),
    ] = 8
    """Images in one step of the adapter."""
