"""YOLOX nano to m (Ge et al. 2021), our own network and loss: a free detector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tandem.spec.plugins.students import resolve
from tandem.spec.run import StudentSpec
from tandem.train.detection.yolox.student import YoloxStudent, from_published, is_published
from tandem.train.registry import register
from tandem.train.students._initialize import draw, load_fitting, path_of
from tandem.train.students._options import options_from_spec
from tandem.train.students._weights import read_weights

if TYPE_CHECKING:
    from tandem.train.detection.engine import DetectionEngine

SIZES = {"yolox-nano": 0.91, "yolox-tiny": 5.06, "yolox-s": 8.97, "yolox-m": 25.33}
"""Millions of parameters at 80 classes, as published."""
HEAD = "net.head.cls_preds."


@register.engine("detection")
def detection() -> DetectionEngine:
    """Our own loop for boxes."""
    from tandem.train.detection.engine import DetectionEngine

    return DetectionEngine()


@register.student(
    "yolox",
    engine="detection",
    kinds={"detection"},
    gives={"logits", "pooled", "tokens", "layers", "boxes"},
    options=options_from_spec(
        "YoloxOptions",
        "init",
        "path",
        sizes=SIZES,
        default_size="yolox-nano",
        descriptions={"path": "Weights for `pretrained`: a file or folder, YOLOX's own too."},
    ),
    sizes=SIZES,
    default_size="yolox-nano",
    defaults={
        "optim.learning_rate": 1e-3,
        "optim.optimizer": "adamw",
        "optim.batch_size": 16,
        "optim.weight_decay": 5e-4,
        "optim.warmup_epochs": 1.0,
        "optim.momentum": 0.9,
        "optim.max_grad_norm": 10.0,
        "yolo.box_gain": 5.0,
        "yolo.cls_gain": 1.0,
        "yolo.close_mosaic_epochs": 15,
        "yolo.final_rate": 0.05,
        "data.image_size": 640,
    },
    licence="Apache-2.0",
    source="https://arxiv.org/abs/2107.08430",
    zh="YOLOX：找出物体及其边框。自行实现的网络，采用宽松的许可证。",
)
def build(spec: StudentSpec, num_classes: int, image_size: int) -> YoloxStudent:
    """YOLOX: finds objects and their boxes. Our own network, under a free licence."""
    _, size = resolve(spec.type, spec.size)
    student = YoloxStudent(size, num_classes=num_classes, image_size=image_size)
    if spec.init in ("kaiming", "xavier"):
        draw(student.net, spec.init)
        student.net.head.expect_few()
    elif spec.init == "pretrained":
        _load(student, spec)
    return student


def _load(student: YoloxStudent, spec: StudentSpec) -> None:
    """A model of ours, or a file of YOLOX's own, whose head for other classes starts as drawn."""
    weights, _ = read_weights(path_of(spec), spec.size)
    if is_published(weights):
        weights = from_published(weights)
    load_fitting(student, spec, weights, head=HEAD)
