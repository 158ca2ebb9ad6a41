"""Who learns."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tandem.spec.run.base import Fraction, Knob, Positive, Section


class StudentSpec(Section):
    type: Annotated[
        str,
        Knob(
            "Student's type",
            zh="学生模型类型",
            about_zh="`resnet`、`vit`、`yolov8`、`yolox`、`dfine`、`unet`、`lstm`、`bert`；能从规格看出时可不写。",
        ),
    ] = ""
    """`resnet`, `vit`, `yolov8`, `yolox`, `dfine`, `unet`, `lstm`, `bert`; empty: by size."""
    size: Annotated[
        str,
        Knob(
            "Student",
            zh="学生模型",
            about_zh="见 `tandem catalog` 的列表，例如 resnet18 或 vit-base。"
            "留空则用该类型的默认规格。",
            level="basic",
        ),
    ] = ""
    """As `tandem catalog` lists them, such as resnet18 or vit-base. Empty: the type's default."""
    init: Annotated[
        Literal["random", "xavier", "kaiming", "pretrained"],
        Knob(
            "Initial weights",
            zh="初始权重",
            about_zh="它的权重从什么开始。",
            level="basic",
            choices={
                "random": ("The library's usual random weights", "模型库默认随机初始化"),
                "xavier": ("Xavier (Glorot)", "Xavier（Glorot）初始化"),
                "kaiming": ("Kaiming (He)", "Kaiming（He）初始化"),
                "pretrained": ("Trained weights from a file", "从文件载入预训练权重"),
            },
        ),
    ] = "random"
    """How its weights start."""
    path: Annotated[
        str | None,
        Knob(
            "Pretrained weights",
            zh="预训练权重",
            about_zh="`pretrained` 所用的权重：本地文件、文件夹或 Hub ID。",
        ),
    ] = None
    """Weights for `pretrained`: a local file or folder, or a hub id."""
    dropout: Annotated[
        Fraction,
        Knob(
            "Dropout",
            zh="丢弃率",
            about_zh="在分类器之前。",
            unit="ratio",
        ),
    ] = 0.0
    """Before the classifier."""
    head: Annotated[
        Literal["class", "mask"],
        Knob(
            "Head",
            zh="输出头",
            about_zh="ResNet 或 ViT 的输出：类别得分，或掩码；标签是掩码时用后者。",
            choices={
                "class": ("Class scores", "类别得分"),
                "mask": ("Mask", "掩码"),
            },
        ),
    ] = "class"
    """What a ResNet or ViT ends in: class scores, or a mask; masks ask for the latter."""
    frames: Annotated[
        int,
        Field(ge=1, le=512),
        Knob(
            "Frames the student sees",
            zh="学生模型看的帧数",
            about_zh="学生模型从片段中均匀选看的帧数；不够长的片段重复最后一帧。",
            unit="frames",
        ),
    ] = 8
    """Frames of a clip that the student sees, evenly spread; a shorter clip repeats its last."""
    pooling: Annotated[
        Literal["last", "mean", "attention"],
        Knob(
            "Pooling over frames",
            zh="帧间汇聚方式",
            about_zh="LSTM 如何汇总各帧的状态。",
            choices={
                "last": ("Last frame", "最后一帧"),
                "mean": ("Mean", "平均"),
                "attention": ("Learned attention", "可学习的注意力"),
            },
        ),
    ] = "last"
    """How an LSTM's states over the frames become one."""
    dual_head: Annotated[
        bool,
        Knob(
            "Second head for the teacher",
            zh="为教师另设输出头",
            about_zh="一个头学习标签，另一个学习教师的软标签；答案由二者混合（DHO）。"
            "适合标签少时；软标签的比较方式选 dho 时自动启用。",
        ),
    ] = False
    """One head learns the labels, another the teacher's soft labels; a mix of both answers (Kang et
    al. 2025, DHO). For few labels; comparing soft labels by dho sets it."""
    label_head_share: Annotated[
        float,
        Field(ge=0, le=1),
        Knob(
            "Share of the labels' head",
            zh="标签头的份额",
            about_zh="有两个头时，标签头在答案概率中的份额；其余归教师头。",
            unit="ratio",
        ),
    ] = 0.5
    """The share of the labels' head in the answer's probabilities, where there are two heads; the
    rest is the teacher's."""
    taught_head_temperature: Annotated[
        Positive,
        Knob(
            "Temperature of the teacher's head",
            zh="教师头的温度",
            about_zh="有两个头时，教师头在混合之前除以的温度；小于 1 使其更尖锐。",
        ),
    ] = 0.5
    """What the logits of the teacher's head are divided by before the two are mixed; below 1 makes
    them sharper."""
    train_features: Annotated[
        bool,
        Knob(
            "Train the frame features",
            zh="训练帧特征",
            about_zh="LSTM 的帧特征是否也参加训练。",
        ),
    ] = False
    """Whether an LSTM's frame features are trained too."""
    max_tokens: Annotated[
        int,
        Field(ge=8, le=8192),
        Knob(
            "Longest text",
            zh="最大文本长度",
            about_zh="文本的长度上限；超出的部分会被截断并说明。",
            unit="tokens",
        ),
    ] = 128
    """The most tokens of a text; what is longer is cut, and said."""
    quantise: Annotated[
        Literal["none", "int8"],
        Knob(
            "Quantisation-aware training",
            zh="量化感知训练",
            about_zh="int8：带着导出 int8 时的舍入来学习（量化感知训练）。\n\n"
            "最适合已训练好的学生模型：初始权重选 pretrained，路径填它的 final_model。",
            choices={
                "none": ("None", "无"),
                "int8": ("8-bit integers", "8 位整数"),
            },
        ),
    ] = "none"
    """int8: it learns with the rounding that an int8 export brings (quantisation-aware).

    Best of a student that is trained already: init pretrained, and its final_model as path.
    """
    vocab_size: Annotated[
        int,
        Field(ge=0),
        Knob(
            "Vocabulary",
            zh="词表大小",
            about_zh="文本学生模型分词器的词数。0：分词器有多少就用多少。",
            unit="words",
        ),
    ] = 0
    """Words of a text student's tokenizer. 0: what the tokenizer has."""
