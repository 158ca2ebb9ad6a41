"""YOLOv8 n to x (Jocher et al. 2023), through Ultralytics: AGPL-3.0, the extra `yolo`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from tandem.spec.plugins.students import resolve
from tandem.spec.run import StudentSpec
from tandem.train.registry import register
from tandem.train.students._initialize import draw, load_fitting, load_pretrained, path_of
from tandem.train.students._options import options_from_spec
from tandem.train.students._weights import ultralytics_file
from tandem.train.yolo.offline import prepare
from tandem.train.yolo.student import YoloStudent, make_net

if TYPE_CHECKING:
    from tandem.train.yolo.engine import UltralyticsEngine

SIZES = {"yolov8n": 3.2, "yolov8s": 11.2, "yolov8m": 25.9, "yolov8l": 43.7, "yolov8x": 68.2}
"""Millions of parameters at 80 classes."""
ACTIVATIONS = {
    "yolov8n": 117.0,
    "yolov8s": 223.0,
    "yolov8m": 399.0,
    "yolov8l": 620.0,
    "yolov8x": 774.0,
}
"""Numbers that a pixel leaves for the backward pass."""


@register.engine("ultralytics")
def ultralytics() -> UltralyticsEngine:
    """Ultralytics' own training loop."""
    prepare()  # before the first import of anything of Ultralytics
    from tandem.train.yolo.engine import UltralyticsEngine

    return UltralyticsEngine()


@register.student(
    "yolov8",
    engine="ultralytics",
    kinds={"detection"},
    gives={"logits", "pooled", "tokens", "layers", "boxes"},
    options=options_from_spec(
        "YoloOptions",
        "init",
        "path",
        sizes=SIZES,
        default_size="yolov8n",
        descriptions={"path": "Weights for `pretrained`: a file or folder."},
    ),
    sizes=SIZES,
    activations=ACTIVATIONS,
    default_size="yolov8n",
    defaults={
        "optim.learning_rate": 1e-3,
        "optim.optimizer": "sgd",
        "optim.batch_size": 16,
        "optim.weight_decay": 5e-4,
        "optim.warmup_epochs": 3.0,
        "optim.momentum": 0.937,
        "optim.max_grad_norm": 10.0,
        "data.image_size": 640,
    },
    licence="AGPL-3.0",
    needs_extra="yolo",
    source="https://github.com/ultralytics/ultralytics",
    zh="YOLOv8：找出物体及其边框。Ultralytics 的网络，采用 AGPL-3.0 许可证。",
)
def build(spec: StudentSpec, num_classes: int, image_size: int) -> YoloStudent:
    """YOLOv8: finds objects and their boxes. Ultralytics' network, licensed under AGPL-3.0."""
    _, size = resolve(spec.type, spec.size)
    net = make_net(size, num_classes)
    student = YoloStudent(net, num_classes=num_classes, image_size=image_size)
    if spec.init in ("kaiming", "xavier"):
        draw(net, spec.init)
        # The head starts at rare objects: from zero biases the first steps would unlearn that.
        net.model[-1].bias_init()  # type: ignore[index, union-attr, operator]
    elif spec.init == "pretrained":
        _load(student, spec)
    return student


def _load(student: YoloStudent, spec: StudentSpec) -> None:
    """A model of ours, or a .pt of Ultralytics', whose head for other classes starts as drawn."""
    file = ultralytics_file(path_of(spec))
    if file.suffix != ".pt":
        load_pretrained(student, spec)
        return
    from tandem.train.yolo.network_file import read_network, weights_of

    net, _ = read_network(file)
    weights = {f"net.{name}": value for name, value in weights_of(net, file).items()}
    parts = student.net.model
    assert isinstance(parts, nn.Sequential)
    load_fitting(student, spec, weights, head=f"net.model.{len(parts) - 1}.cv3.")
