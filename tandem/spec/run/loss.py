"""What is minimised: the terms, their weights and their options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from tandem.spec.plugins.losses import FeatureLoss, SoftLoss
from tandem.spec.run.base import Fraction, Knob, Positive, Section, Weight

FEW_CLASSES, SOME_CLASSES = 20, 200


def temperature_for(classes: int) -> float:
    """What `auto` comes to: 4 up to 20 classes, 2 up to 200, 1 above.

    The gradient of a softened divergence falls with the number of classes: at T = 4 and 1,000
    classes it has a seventeenth of the cross-entropy's pull. Recipes for CIFAR have 4, those for
    ImageNet 1 (Hinton et al. 2015; Beyer et al. 2022).
    """
    if classes <= FEW_CLASSES:
        return 4.0
    return 2.0 if classes <= SOME_CLASSES else 1.0


def feature_weight_for(said: Mapping[str, Any]) -> float:
    """The weight of features where nobody says one: 1 beside soft labels. Without them a
    distillation has two terms, and `soft_label_weight` is the second one's."""
    if said.get("distillation_type") == "feature":
        return float(said.get("soft_label_weight", 0.5))
    return 1.0


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
        Literal["auto"] | Positive,
        Knob(
            "Temperature",
            zh="温度",
            about_zh="软标签项中教师与学生双方的温度。\n\n"
            "auto：20 类以内为 4，200 类以内为 2，更多类别为 1。",
            level="basic",
            choices={"auto": ("By the number of classes", "按类别数")},
        ),
    ] = "auto"
    """The temperature of both sides in the soft-label terms.

    auto: 4 up to 20 classes, 2 up to 200, 1 above."""
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
            about_zh="教师软标签损失的权重。\n\n只蒸馏特征时，若未给出特征权重，则为特征的权重。",
            level="basic",
        ),
    ] = 0.5
    """The weight of the loss on the teacher's soft labels.

    Where only features are distilled, it is the weight of these, unless theirs is given."""
    soft_warmup_epochs: Annotated[
        Weight,
        Knob(
            "Warm-up of the soft weight",
            zh="软标签权重的预热",
            about_zh="软标签权重从零按步线性升至全值所用的轮数，可为小数。0：不预热。",
            unit="epochs",
        ),
    ] = 0.0
    """Epochs, or a part of one, over which the weight of soft labels rises from nothing, step by
    step. 0: it is whole from the start."""
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
            about_zh="稠密特征损失的权重。\n\n不填：与软标签同用时为 1；只蒸馏特征时为软标签权重。",
            level="basic",
        ),
    ] = Field(default_factory=feature_weight_for, json_schema_extra={"default": 1.0})
    """The weight of the loss on dense features.

    Left out: 1 beside soft labels, and the weight of soft labels where only features are
    distilled."""
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
    weighting: Annotated[
        Literal["fixed", "balanced"],
        Knob(
            "Weighting of the terms",
            zh="各项的加权方式",
            about_zh="fixed：按给出的权重。balanced：在最初 20 步测量各项对学生模型的梯度大小，"
            "使权重相同的各项作用相同，随后固定并说明。",
            choices={
                "fixed": ("As given", "按给出的权重"),
                "balanced": ("By their gradients", "按梯度大小"),
            },
        ),
    ] = "fixed"
    """fixed: the weights as they are given. balanced: in the first 20 steps the gradient of each
    term on the student is measured, and terms of the same weight are made to pull alike; from then
    on they stay, and are told."""
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

    @property
    def known_temperature(self) -> float:
        """The temperature; of few classes where it is `auto`, as checks have it that come before
        the data is read. A run's own is a number by then (`pipeline.temperature`)."""
        return temperature_for(FEW_CLASSES) if self.temperature == "auto" else self.temperature
