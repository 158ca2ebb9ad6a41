"""Which of the teacher's signals are kept, and in what form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tandem.spec.run import CacheSpec
from tandem.train.cache.reduce import FORM, Reduction
from tandem.train.cache.request import WantedSignals
from tandem.train.cache.shards import Arrays
from tandem.train.grids import pool_to
from tandem.train.types import Signals


@dataclass(frozen=True, eq=False)
class SignalPart:
    """One signal in one form."""

    signal: Literal["pooled", "tokens", "layer", "logits"]
    stem: str
    """The name of its folder, but for the reduction's key."""
    dtype: str
    layer_index: int = 0
    """A layer's place among those asked for."""
    dims: int | None = None
    """How many components of a dense part are kept; None: all."""
    reduction: Reduction | None = None
    reduction_key: str = ""

    @property
    def name(self) -> str:
        return f"{self.stem}-{self.reduction_key}" if self.reduction_key else self.stem

    @property
    def dense(self) -> bool:
        return self.signal in ("tokens", "layer")

    def to(self, device: torch.device) -> SignalPart:
        """The same with its reduction on `device`."""
        if self.reduction is None:
            return self
        return replace(self, reduction=self.reduction.to(device))

    def raw(self, signals: Signals) -> Tensor:
        """Its tensor among what the teacher gave."""
        if self.signal == "layer":
            return signals.layers_BHWD[self.layer_index]
        found = {
            "pooled": signals.pooled_BD,
            "tokens": signals.tokens_BHWD,
            "logits": signals.logits_BK,
        }[self.signal]
        assert found is not None, f"the teacher gave no {self.signal}"
        return found

    def reduced(self, signals: Signals) -> Tensor:
        """float32, as small as it is kept, before it is rounded."""
        raw = self.raw(signals)
        return raw.float() if self.reduction is None else self.reduction.apply(raw)

    def encoded(self, signals: Signals) -> Arrays:
        """The arrays that are written."""
        return encode(self.reduced(signals), self.dtype)


def wanted_parts(wanted: WantedSignals, spec: CacheSpec, grid: int) -> list[SignalPart]:
    """Without their reductions, which are found or fitted later."""
    parts = [SignalPart("pooled", "pooled", "float32")]
    form = f"g{grid}-d{spec.dims or 'all'}-{spec.dtype}-{FORM}"
    if wanted.tokens:
        parts.append(SignalPart("tokens", f"tokens-{form}", spec.dtype, dims=spec.dims))
    for place, layer in enumerate(wanted.layers):
        parts.append(SignalPart("layer", f"layer{layer}-{form}", spec.dtype, place, spec.dims))
    if wanted.logits_key is not None:
        parts.append(SignalPart("logits", f"logits-{wanted.logits_key[:16]}", "float32"))
    return parts


def row_bytes(part: SignalPart, width: int, cells: int, classes: int) -> int:
    """What one row of a part takes in its file, by the teacher's own figures.

    `width` is the teacher's, `cells` how many of a dense grid are kept.
    """
    itemsize = np.dtype(part.dtype).itemsize
    if part.signal == "logits":
        return classes * itemsize
    if not part.dense:
        return width * itemsize
    kept = part.reduction.width if part.reduction else min(part.dims or width, width)
    scale = np.dtype("float32").itemsize if part.dtype == "int8" else 0
    return cells * (kept * itemsize + scale)


def coarse(signals: Signals, wanted: WantedSignals, grid: int) -> Signals:
    """What is wanted of them, dense signals on the grid that is kept, float32."""
    tokens_BHWD = None
    if wanted.tokens:
        assert signals.tokens_BHWD is not None
        tokens_BHWD = _on(signals.tokens_BHWD, grid)
    layers = tuple(_on(one, grid) for one in signals.layers_BHWD)
    assert signals.pooled_BD is not None
    return Signals(
        pooled_BD=signals.pooled_BD.float(),
        tokens_BHWD=tokens_BHWD,
        logits_BK=signals.logits_BK if wanted.logits_key is not None else None,
        layers_BHWD=layers if wanted.layers else (),
    )


def _on(tokens_BHWD: Tensor, grid: int) -> Tensor:
    """On the grid that is kept; a text's words are one column."""
    columns = 1 if tokens_BHWD.shape[2] == 1 else grid
    return pool_to(tokens_BHWD.float(), grid, columns)


def encode(x: Tensor, dtype: str) -> Arrays:
    """int8 has one scale a vector, so that its largest value is 127."""
    x = x.float()
    if dtype == "int8":
        scale = x.abs().amax(-1, keepdim=True).clamp(min=1e-12) / 127
        data = (x / scale).round().to(torch.int8)
        return {"data": data.cpu().numpy(), "scale": scale.cpu().numpy()}
    if dtype == "float16":
        x = x.clamp(-65504, 65504).half()
    return {"data": x.cpu().numpy()}


def decode(arrays: Arrays, device: torch.device) -> Tensor:
    """float32 on the device; the small form is what travels there."""
    data = _tensor(arrays["data"], device)
    if "scale" in arrays:
        return data.float() * _tensor(arrays["scale"], device)
    return data.float()


def _tensor(array: NDArray[np.generic], device: torch.device) -> Tensor:
    return torch.from_numpy(array).to(device, non_blocking=True)
