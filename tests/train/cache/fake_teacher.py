"""A teacher for tests: fixed weights, a strided convolution, and a count of what it was shown."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from tandem.train.types import Signals


class FakeTeacher:
    gives = frozenset({"pooled", "tokens", "layers", "logits"})
    parameters = 1234
    layer_count = 3

    def __init__(self, seed: int = 0, image_size: int = 32, grid: int = 8, width: int = 24) -> None:
        random = torch.Generator().manual_seed(seed)
        self.image_size, self.grid, self.width = image_size, grid, width
        self.kernel = torch.randn(
            width, 3, image_size // grid, image_size // grid, generator=random
        )
        self.head = torch.randn(3, width, generator=random)
        self.fingerprint = hashlib.blake2b(
            f"{seed}/{image_size}/{grid}/{width}".encode()
        ).hexdigest()[:32]
        self.layers: tuple[int, ...] = ()
        self.shown = 0
        self.calls: list[int] = []

    logits_key = None

    def know(self, classes):
        return False

    def signals(self, images_BCHW: Tensor) -> Signals:
        assert images_BCHW.shape[2] == self.image_size
        assert images_BCHW.dtype == torch.float32
        assert float(images_BCHW.max()) <= 1
        self.shown += len(images_BCHW)
        self.calls.append(len(images_BCHW))
        step = self.image_size // self.grid
        map_BDHW = torch.nn.functional.conv2d(images_BCHW - 0.5, self.kernel, stride=step)
        tokens_BHWD = map_BDHW.permute(0, 2, 3, 1)
        pooled_BD = tokens_BHWD.mean((1, 2))
        return Signals(
            pooled_BD=pooled_BD,
            tokens_BHWD=tokens_BHWD,
            logits_BK=pooled_BD @ self.head.T,
            layers_BHWD=tuple((tokens_BHWD * (one + 1)).tanh() for one in self.layers),
        )

    def unload(self) -> None:
        pass
