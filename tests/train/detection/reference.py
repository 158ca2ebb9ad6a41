"""What libreyolo (MIT), an independent YOLOX, says of given weights, pictures and boxes.

Run by hand, in an environment of its own, wherever the network's definition is doubted:

    python -m venv /tmp/other && /tmp/other/bin/pip install libreyolo==1.6.0
    /tmp/other/bin/python tests/train/detection/reference.py tests/train/detection/libreyolo.json

`test_yolox.py` compares ours with the numbers that it wrote. Weights, pictures and boxes are drawn
by NumPy from the names alone, so that both sides have the same without a file of them.
"""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

SIDE, CLASSES = 128, 3
BOXES = [
    [[0, 40.0, 50.0, 30.0, 44.0], [2, 90.0, 90.0, 60.0, 50.0], [1, 84.0, 80.0, 24.0, 20.0]],
    [[1, 20.0, 100.0, 12.0, 9.0], [1, 64.0, 64.0, 120.0, 100.0], [0, 0.0, 0.0, 0.0, 0.0]],
]
"""Of two canvases: class, centre x, centre y, width, height; all zero where there is none."""


def fill(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights by their names: convolutions keep the spread of what goes through them."""
    return {name: _drawn(name, value) for name, value in state.items()}


def _drawn(name: str, value: torch.Tensor) -> torch.Tensor:
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if "num_batches" in name:
        return value
    if name.endswith(("running_var", "bn.weight")):
        drawn = random.uniform(0.8, 1.2, value.shape)
    elif name.endswith(("bias", "running_mean")):
        drawn = random.normal(0, 0.1, value.shape)
    else:
        drawn = random.normal(0, 1.2 / np.sqrt(value[0].numel()), value.shape)
    return torch.from_numpy(np.asarray(drawn, np.float32))


def images() -> torch.Tensor:
    """(2, 3, SIDE, SIDE), 0 to 1."""
    random = np.random.default_rng(7)
    return torch.from_numpy(random.uniform(0, 1, (2, 3, SIDE, SIDE)).astype(np.float32))


def digest(values: torch.Tensor) -> list[float]:
    """Numbers that no wrong order or sign leaves as they are: mean, spread, and sixteen of them."""
    flat = values.detach().double().flatten()
    places = np.linspace(0, len(flat) - 1, 16).astype(int)
    return [float(flat.mean()), float(flat.std()), *flat[places].tolist()]


def main(target: Path) -> None:
    from libreyolo.models.yolox.nn import LibreYOLOXModel

    said: dict[str, Any] = {}
    for size, letter in (("nano", "n"), ("tiny", "t"), ("s", "s"), ("m", "m")):
        model = LibreYOLOXModel(letter, CLASSES)
        model.load_state_dict(fill(model.state_dict()))
        model.eval()
        model.head.export = True
        with torch.no_grad():
            boxes = model(images())  # (B, A, 5 + K): box, object, classes
        model.head.export = False
        losses = {}
        for name, last in (("loss", False), ("last", True)):
            model.head.use_l1 = last
            model.train()
            model.load_state_dict(fill(model.state_dict()))
            found = model(images(), torch.tensor(BOXES))
            losses[name] = {
                key: float(torch.as_tensor(value).detach()) for key, value in found.items()
            }
        published = LibreYOLOXModel(letter, 80).parameters()
        count = sum(one.numel() for one in published)
        said[f"yolox-{size}"] = {"boxes": digest(boxes), "parameters": count} | losses
    target.write_text(json.dumps(said, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
