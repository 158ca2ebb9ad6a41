"""Fine-tuning with the rounding of int8 in it (Jacob et al. 2018), so that export costs less.

Weights are rounded by output channel, symmetrically; inputs of the same layers by range, as an
int8 export does. The gradient passes through the rounding as if it were not there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from tandem.spec.errors import StudentError
from tandem.train.types import Student

LEVELS = 127
SMOOTHING = 0.99
LAYERS = (nn.Conv2d, nn.Linear, nn.ConvTranspose2d)


class RoundedWeight(nn.Module):
    """Parametrisation of a weight: its values on 255 levels around 0, by output channel."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, weight: Tensor) -> Tensor:
        flat = weight.detach().transpose(0, self.axis).flatten(1)
        # A channel of zeros has no range; its scale must not divide by nothing.
        scale = (flat.abs().amax(1) / LEVELS).clamp_min(1e-8)
        zero = torch.zeros_like(scale, dtype=torch.int32)
        rounded: Tensor = torch.fake_quantize_per_channel_affine(
            weight.float(), scale.float(), zero, self.axis, -LEVELS - 1, LEVELS
        )
        return rounded.to(weight.dtype)


class RoundedInput(nn.Module):
    """A layer's inputs on 256 levels of their range, which is followed while training."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.tensor(0.0))
        self.register_buffer("high", torch.tensor(0.0))
        self.low: Tensor
        self.high: Tensor

    def forward(self, x: Tensor) -> Tensor:
        # While it learns only: being measured must not move the range that is saved.
        if self.training:
            self._follow(x.detach())
        scale = ((self.high - self.low) / 255).clamp_min(1e-8)
        zero = (-self.low / scale).round().clamp(0, 255).to(torch.int32)
        rounded: Tensor = torch.fake_quantize_per_tensor_affine(x.float(), scale, zero, 0, 255)
        return rounded.to(x.dtype)

    def _follow(self, x: Tensor) -> None:
        # Zero is within every range, and so a level of its own: padding and ReLU's zeros stay
        # exact.
        low, high = x.min().float().clamp_max(0), x.max().float().clamp_min(0)
        # The first range is taken as it is: an average with zero would clip for hundreds of steps.
        fresh = bool(self.high == self.low)
        keep = 0.0 if fresh else SMOOTHING
        self.low.lerp_(low, 1 - keep)
        self.high.lerp_(high, 1 - keep)


def attach(student: Student) -> None:
    """Let every convolution and linear layer round as it learns, in place.

    StudentError where the student has none.
    """
    layers = [one for one in student.modules() if isinstance(one, LAYERS)]
    if not layers:
        raise StudentError("This student has no layer that int8 would round.")
    for layer in layers:
        # torch keeps a transposed convolution's weight as (in, out, ...), all others as (out, ...).
        axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
        parametrize.register_parametrization(layer, "weight", RoundedWeight(axis))
        layer.add_module("rounded_input", RoundedInput())
        layer.register_forward_pre_hook(_round_input)


def _round_input(layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    rounder = layer.get_submodule("rounded_input")
    return (rounder(given[0]), *given[1:])


def bake(student: Student) -> dict[str, tuple[float, float]]:
    """Take the rounding out again, in place; the weights keep the values they were rounded to.

    Gives the range of each layer's inputs that it was learnt with, by the layer's name: an int8
    export rounds by them.
    """
    ranges: dict[str, tuple[float, float]] = {}
    for name, layer in list(student.named_modules()):
        if isinstance(layer, LAYERS) and hasattr(layer, "rounded_input"):
            rounder = layer.rounded_input
            assert isinstance(rounder, RoundedInput)
            ranges[name] = (float(rounder.low), float(rounder.high))
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
            del layer._modules["rounded_input"]
            hooks = layer._forward_pre_hooks
            for key in [key for key, hook in hooks.items() if hook is _round_input]:
                del hooks[key]
    return ranges
