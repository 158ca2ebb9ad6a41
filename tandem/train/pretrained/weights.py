"""Tensors of a checkpoint by name, from its safetensors files, and nothing more than is asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from tandem.spec.errors import TeacherError
from tandem.train.pretrained.checkpoint import PretrainedCheckpoint
from tandem.train.pretrained.header import read_header

Rename = Callable[[str], str | None]
"""The name a tensor has in the module to load; None: not wanted."""


def by_file(checkpoint: PretrainedCheckpoint, rename: Rename) -> dict[Path, dict[str, str]]:
    """For each file that holds a wanted tensor: the tensor's name there -> its name wanted."""
    wanted: dict[str, dict[str, str]] = {}
    for name, file in sorted(checkpoint.tensor_files.items()):
        new = rename(name)
        if new is not None:
            wanted.setdefault(file, {})[name] = new
    return {_present(checkpoint, file): names for file, names in sorted(wanted.items())}


def count_parameters(checkpoint: PretrainedCheckpoint, rename: Rename) -> int:
    """How many numbers the wanted tensors hold, from the files' headers alone."""
    total = 0
    for path, names in by_file(checkpoint, rename).items():
        found = read_header(path, checkpoint.name)
        total += sum(math.prod(found[name].shape) for name in names if name in found)
    return total


def tensors(
    checkpoint: PretrainedCheckpoint, rename: Rename, dtype: torch.dtype
) -> Iterator[tuple[str, Tensor]]:
    """The wanted tensors one by one, floating ones cast to `dtype`, on the CPU."""
    for path, names in by_file(checkpoint, rename).items():
        with safe_open(path, framework="pt") as file:
            for name, new in names.items():
                tensor = file.get_tensor(name)
                yield new, tensor.to(dtype) if tensor.is_floating_point() else tensor


def load_into(
    module: torch.nn.Module, checkpoint: PretrainedCheckpoint, rename: Rename, dtype: torch.dtype
) -> None:
    """Fill a module that was built on the meta device; TeacherError if a weight is missing."""
    found = dict(tensors(checkpoint, rename, dtype))
    want = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    wrong = [
        name for name, shape in want.items() if name not in found or found[name].shape != shape
    ]
    if wrong:
        raise TeacherError(
            "The teacher {name} lacks {count} weights that its config.json asks for: {example}, …",
            name=checkpoint.name,
            count=len(wrong),
            example=wrong[0],
            fix="Copy the checkpoint again, all of its files.",
        )
    module.load_state_dict({name: found[name] for name in want}, assign=True)


def _present(checkpoint: PretrainedCheckpoint, file: str) -> Path:
    path = checkpoint.file(file)
    if path is None:
        raise TeacherError(
            "The teacher {name} lacks its weight file {file}.",
            name=checkpoint.name,
            file=file,
            fix="Copy the checkpoint again, all of its files.",
        )
    return path
