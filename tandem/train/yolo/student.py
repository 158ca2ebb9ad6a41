"""YOLOv8 as a student: Ultralytics' network with the taps of `StepOutput`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from tandem.train.detection.student import DetectorStudent
from tandem.train.detection.types import HeadOutput
from tandem.train.types import StepOutput
from tandem.train.yolo.offline import prepare


class YoloStudent(DetectorStudent):
    """Ultralytics' DetectionModel."""

    def __init__(self, net: nn.Module, *, num_classes: int, image_size: int) -> None:
        super().__init__()
        self.net = net
        self.place(num_classes, image_size, neck_widths(net))
        bins = head_of(net).reg_max
        assert isinstance(bins, int)
        self.box_bins = bins

    def forward(self, images_BCHW: Tensor, layers: Sequence[int] = ()) -> StepOutput:
        """Sides in whole strides of 32. `layers` counts the neck's maps; none named: all three."""
        self.check_layers(layers)
        boxes_BCA, heads = self._heads(images_BCHW)
        return self.output(heads["feats"], heads["scores"].amax(-1), boxes_BCA, layers)

    def with_bins(self, images_BCHW: Tensor) -> tuple[StepOutput, Tensor | None]:
        """Its taps, and the logits of its distributions over box sides."""
        boxes_BCA, heads = self._heads(images_BCHW)
        output = self.output(heads["feats"], heads["scores"].amax(-1), boxes_BCA, ())
        return output, heads["boxes"]

    def _heads(self, images_BCHW: Tensor) -> tuple[Tensor | None, HeadOutput]:
        # In training the head gives its raw maps alone; in evaluation decoded boxes before them.
        output: HeadOutput | tuple[Tensor, HeadOutput] = self.net(images_BCHW)
        return output if isinstance(output, tuple) else (None, output)

    def load_net(self, weights: Mapping[str, Tensor]) -> None:
        """The weights of a network as the trainer names them."""
        self.net.load_state_dict(dict(weights), strict=True)


def make_net(size: str, num_classes: int) -> nn.Module:
    """The untrained network of `yolov8n` to `yolov8x`, from the yaml inside the package."""
    prepare()
    from ultralytics.nn.tasks import DetectionModel

    net: nn.Module = DetectionModel(f"{size}.yaml", ch=3, nc=num_classes, verbose=False)
    return net


def head_of(net: nn.Module) -> nn.Module:
    """Ultralytics' Detect."""
    model = net.model
    assert isinstance(model, nn.Sequential)
    return model[-1]


def neck_widths(net: nn.Module) -> tuple[int, ...]:
    """Channels of P3, P4 and P5, as the head's first convolutions take them in."""
    branches = head_of(net).cv2
    assert isinstance(branches, nn.ModuleList)
    return tuple(_in_channels(branch) for branch in branches)


def _in_channels(branch: nn.Module) -> int:
    convolution = next(one for one in branch.modules() if isinstance(one, nn.Conv2d))
    return convolution.in_channels
