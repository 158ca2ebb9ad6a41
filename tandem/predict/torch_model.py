"""A `final_model/` folder as a forward pass on a device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tandem.predict.device import resolve_device
from tandem.predict.kinds.base import ModelOutput
from tandem.predict.pipeline import ForwardPass
from tandem.spec.model import ModelConfig
from tandem.train.export import final_model
from tandem.train.types import StepOutput

WITH_IMAGES = ("classification", "detection", "segmentation")


def fold_batch_norms(student: nn.Module) -> None:
    """Put each normalisation that follows its convolution into that one's weights, in place.

    For YOLO, whose modules keep the two as `conv` and `bn` and ask them in this order. The answers
    are the same but for rounding; a layer less for each of them is read and written.
    """
    for module in student.modules():
        conv, norm = getattr(module, "conv", None), getattr(module, "bn", None)
        # No subclass: one may do more than normalise.
        if type(conv) is nn.Conv2d and type(norm) is nn.BatchNorm2d:
            module.conv = fuse_conv_bn_eval(conv, norm)
            module.bn = nn.Identity()


def open_torch(folder: Path, name: str) -> tuple[ForwardPass, ModelConfig]:
    """The forward pass on the device `name`, and the config. StudentError, DeviceError."""
    device = resolve_device(name)
    student, config = final_model.load(folder, device)
    if config.kind == "detection":
        fold_batch_norms(student)
    if config.kind in WITH_IMAGES:
        # What cuDNN and oneDNN are fastest on; the weights of linear layers stay as they are.
        student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(inputs: NDArray[np.generic]) -> ModelOutput:
        given = torch.from_numpy(inputs).to(device)
        if given.dtype == torch.uint8:
            # Bytes travel to the device, and become floats there: a quarter of the transfer.
            given = given.float().div_(255)
        if given.dim() == 4:
            given = given.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            output: StepOutput = student(given)
        parts = {
            "logits_BK": output.logits_BK,
            "class_map_BHWK": output.class_map_BHWK,
            "boxes_BCA": output.boxes_BCA,
        }
        return {name: part for name, part in parts.items() if part is not None}

    return run, config
