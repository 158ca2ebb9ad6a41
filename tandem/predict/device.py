"""The device that a trained model runs on."""

from __future__ import annotations

import torch

from tandem.spec.errors import DeviceError


def resolve_device(name: str) -> torch.device:
    """The device of "cpu", "cuda", "cuda:1" or "auto". DeviceError when it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    allowed = ["auto", "cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    allowed += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if name not in allowed:
        raise DeviceError("There is no device {name}.", name=name, allowed=allowed)
    return torch.device(name)
