"""A `final_model/` folder as a forward pass on a device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tandem.predict.device import resolve_device
from tandem.predict.kinds.base import ModelOutput
from tandem.predict.pipeline import ForwardPass
from tandem.spec.model import ModelConfig
from tandem.train.export import final_model
from tandem.train.types import StepOutput


def open_torch(folder: Path, name: str) -> tuple[ForwardPass, ModelConfig]:
    """The forward pass on the device `name`, and the config. StudentError, DeviceError."""
    device = resolve_device(name)
    student, config = final_model.load(folder, device)
    is_gpu = device.type == "cuda"

    def run(inputs: NDArray[np.generic]) -> ModelOutput:
        given = torch.from_numpy(np.ascontiguousarray(inputs)).to(device)
        if given.dtype == torch.uint8:
            # Bytes travel to the device, and become floats there: a quarter of the transfer.
            given = given.float().div_(255)
        if is_gpu and given.dim() == 4:
            given = given.contiguous(memory_format=torch.channels_last)  # what cuDNN is fastest on
        with torch.inference_mode():
            output: StepOutput = student(given)
        parts = {
            "logits_BK": output.logits_BK,
            "class_map_BHWK": output.class_map_BHWK,
            "boxes_BCA": output.boxes_BCA,
        }
        return {name: part for name, part in parts.items() if part is not None}

    return run, config
