"""What is minimised: the terms, their weights and their options."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tandem.spec.plugins.losses import FeatureLoss, SoftLoss
from tandem.spec.run.base import Fraction, Knob, Positive, Section, Weight


class LossSpec(Section):
    distillation_type: Annotated[
        Literal["feature", "logit", "hybrid"],
        Knob(
            "What is distilled",
            zh="蒸馏内容",
            about_zh="feature：稠密特征；logit：软标签；hybrid：两者都用。",
            level="basic",
            choices={
                "feature": ("Dense features", "稠密特征"),
                "logit": ("Soft labels", "软标签"),
                "hybrid": ("Soft labels and dense features", "软标签与稠密特征"),
            },
        ),
    ] = "hybrid"
    """feature: dense features; logit: soft labels; hybrid: both."""
    temperature: Annotated[
        Positive,
        Knob(
            "Temperature",
            zh="温度",
            about_zh="软标签项中教师与学生双方的温度。",
            level="basic",
        ),
    ] = 4.0
    """The temperature of both sides in the soft-label terms."""
    hard_label_weight: Annotated[
        Weight,
        Knob(
            "Weight of hard labels",
            zh="硬标签权重",
            about_zh="标签交叉熵的权重。",
            level="basic",
        ),
    ] = 0.5
    """The weight of the loss on the labels."""
    soft_label_weight: Annotated[
        Weight,
        Knob(
            "Weight of soft labels",
            zh="软标签权重",
            about_zh="教师软标签损失的权重。",
            level="basic",
        ),
    ] = 0.5
    """The weight of the loss on the teacher's soft labels."""
    soft_loss: Annotated[
        SoftLoss,
        Knob(
            "Comparison of soft labels",
            zh="软标签的比较方式",
            about_zh="软标签的比较方式。",
        ),
    ] = "kl_div"
    """How soft labels are compared."""
    feature_weight: Annotated[
        Weight,
        Knob(
            "Weight of features",
            zh="特征权重",
            about_zh="稠密特征损失的权重。",
            level="basic",
        ),
    ] = 1.0
    """The weight of the loss on dense features."""
    feature_loss: Annotated[
        FeatureLoss,
        Knob(
            "Comparison of features",
            zh="特征的比较方式",
            about_zh="稠密特征的比较方式。",
        ),
    ] = "mse"
    """How dense features are compared."""
    align_feature: Annotated[
        bool,
        Knob(
            "Align the features",
            zh="对齐特征",
            about_zh="学生模型一侧的线性投影器；设为 False 时两者的特征宽度必须相同。",
        ),
    ] = True
    """A linear projector on the student's side; False needs equal widths."""
    attention_weight: Annotated[
        Weight,
        Knob(
            "Weight of attention",
            zh="注意力权重",
            about_zh="注意力迁移的权重。0：不用。",
        ),
    ] = 0.0
    """The weight of attention transfer. 0: off."""
    relation_weight: Annotated[
        Weight,
        Knob(
            "Weight of relations",
            zh="关系权重",
            about_zh="关系蒸馏的权重。0：不用。",
        ),
    ] = 0.0
    """The weight of relational distillation. 0: off."""
    intermediate_weight: Annotated[
        Weight,
        Knob(
            "Weight of intermediate layers",
            zh="中间层权重",
            about_zh="中间层损失的权重。0：不用。",
        ),
    ] = 0.0
    """The weight of the loss on intermediate layers. 0: off."""
    intermediate_layers: Annotated[
        list[int],
        Knob(
            "Student's intermediate layers",
            zh="学生模型的中间层",
            about_zh="依次与教师模型各层对应的学生模型阶段。留空：均匀分布。",
        ),
    ] = Field(default_factory=list)
    """Student stages matched to the teacher's layers, in order. Empty: spread evenly."""
    label_smoothing: Annotated[
        Fraction,
        Knob(
            "Label smoothing",
            zh="标签平滑",
            about_zh="一个标签分摊到所有类别的比例。",
            unit="ratio",
        ),
    ] = 0.0
    """Share of a label spread over all classes."""
    class_weights: Annotated[
        Literal["none", "balanced"] | list[Weight],
        Knob(
            "Class weights",
            zh="类别权重",
            about_zh="标签损失中各类别的权重。balanced：按训练集中的数量取反比；"
            "或按类别顺序逐个给出。权重会缩放，使训练集上的平均值为 1。",
            choices={
                "none": ("All alike", "一视同仁"),
                "balanced": ("Rare classes weigh more", "稀有类别权重更大"),
            },
        ),
    ] = "none"
    """The weight of each class in the loss on labels. balanced: the inverse of its share of train;
    or one number a class, in their order. They are scaled so that their mean over train is 1."""
    options: Annotated[
        dict[str, dict[str, float]],
        Knob(
            "Further knobs of losses",
            zh="损失的更多参数",
            about_zh="按损失名称给出的更多参数，如目录所列。",
        ),
    ] = Field(default_factory=dict)
    """More knobs of a loss by its name, as the catalog lists them."""
