"""Boxes, each with its class."""

from __future__ import annotations

from tandem.train.kinds.defaults import KindDefaults
from tandem.train.registry import register


@register.kind("detection", precedence=20, zh="找出物体，每个物体一个边框和一个类别。")
class Detection(KindDefaults):
    """Objects: each one's box and class."""

    primary_metric_name = "map50"
    adapts_teacher = False
