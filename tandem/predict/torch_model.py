"""A `final_model/` folder as a forward pass on a device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tandem.predict.device import chosen
from tandem.predict.kinds.base import Output
from tandem.spec.model import ModelConfig
from tandem.train.export import final_model


def open_torch(folder: Path, device: str) -> tuple[Callable[[Any], Output], ModelConfig]:
    """From uint8 pixels or int64 tokens to what it says. StudentError, DeviceError."""
    place = chosen(device)
    student, config = final_model.load(folder, place)
    is_gpu = place.type == "cuda"

    def run(inputs: Any) -> Output:
        given = torch.from_numpy(np.ascontiguousarray(inputs)).to(place)
        if given.dtype == torch.uint8:
            given = given.float().div_(255)
        if is_gpu and given.dim() == 4:
            given = given.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            said = student(given)
        return Output(said.logits_BK, said.class_map_BHWK, said.boxes_BCA)

    return run, config
