"""YOLOv8 as a student: Ultralytics' network with the taps of `StepOutput`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from tandem.spec.i18n import t
from tandem.train.students._timm import to_raster
from tandem.train.types import StepOutput, Student
from tandem.train.yolo.boxes import STRIDE, whole_strides
from tandem.train.yolo.offline import prepare
from tandem.train.yolo.types import HeadOutput

STRIDES = (8, 16, 32)
"""Pixels of a cell of each of the neck's maps, P3 to P5."""


class YoloStudent(Student):
    """Ultralytics' DetectionModel. It normalises nothing: pictures of 0 to 1 go in as they are."""

    mean: Sequence[float] = (0.0, 0.0, 0.0)
    std: Sequence[float] = (1.0, 1.0, 1.0)

    def __init__(self, net: nn.Module, *, num_classes: int, image_size: int) -> None:
        super().__init__()
        self.net = net
        self.num_classes, self.image_size = num_classes, whole_strides(image_size)
        self.layer_widths = neck_widths(net)
        self.pooled_width = self.tokens_width = self.layer_widths[-1]
        self.tokens_grid = self.image_size // STRIDE
        self.notes: tuple[str, ...] = ()
        if self.image_size != image_size:
            self.notes = (
                t("YOLOv8 sees whole strides of 32 pixels: {size}.", size=self.image_size),
            )

    def forward(self, images_BCHW: Tensor, layers: Sequence[int] = ()) -> StepOutput:
        """Sides in whole strides of 32. `layers` counts the neck's maps; none named: all three."""
        self.check_layers(layers)
        # In training the head gives its raw maps alone; in evaluation decoded boxes before them.
        output: HeadOutput | tuple[Tensor, HeadOutput] = self.net(images_BCHW)
        boxes_BCA, heads = output if isinstance(output, tuple) else (None, output)
        maps = [to_raster(one) for one in heads["feats"]]
        return StepOutput(
            logits_BK=heads["scores"].amax(-1),
            pooled_BD=maps[-1].mean((1, 2)),
            tokens_BHWD=maps[-1],
            layers_BHWD=tuple(maps[one] for one in (layers or range(len(maps)))),
            boxes_BCA=boxes_BCA,
        )

    def detections(self, images_BCHW: Tensor) -> Tensor:
        """`boxes_BCA` only, in evaluation mode: what is exported."""
        boxes_BCA = self.forward(images_BCHW).boxes_BCA
        assert boxes_BCA is not None, "in evaluation mode"
        return boxes_BCA

    def load_net(self, weights: Mapping[str, Tensor]) -> None:
        """The weights of a network as the trainer names them."""
        self.net.load_state_dict(dict(weights), strict=True)


def make_net(size: str, num_classes: int) -> nn.Module:
    """The untrained network of `yolov8n` to `yolov8x`, from the yaml inside the package."""
    prepare()
    from ultralytics.nn.tasks import DetectionModel

    net: nn.Module = DetectionModel(f"{size}.yaml", ch=3, nc=num_classes, verbose=False)
    return net


def neck_widths(net: nn.Module) -> tuple[int, ...]:
    """Channels of P3, P4 and P5, as the head's first convolutions take them in."""
    model = net.model
    assert isinstance(model, nn.Sequential)
    branches = model[-1].cv2
    assert isinstance(branches, nn.ModuleList)
    return tuple(_in_channels(branch) for branch in branches)


def _in_channels(branch: nn.Module) -> int:
    convolution = next(one for one in branch.modules() if isinstance(one, nn.Conv2d))
    return convolution.in_channels
