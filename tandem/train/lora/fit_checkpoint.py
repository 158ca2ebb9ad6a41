"""How far a teacher's adapters are fitted, on disk: a run that ended in it goes on from there.

One file beside the adapter: a digest, then what `torch.save` writes of tensors and plain values. It
is written aside and renamed, and removed once the adapter is finished.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from pickle import UnpicklingError
from typing import TypedDict

import torch
from torch import Tensor
from torch.optim.optimizer import StateDict

from tandem.spec.os_errors import writing
from tandem.train.cache.disk import write_bytes

FILE = "fitting.pt"
_DIGEST = 32
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, RuntimeError, EOFError, UnpicklingError)


@dataclass
class FitPosition:
    """How far a fit is. Everything here is a plain value."""

    epoch: int = 0
    """Epochs finished."""
    step: int = 0
    """Steps finished within the epoch that is under way."""
    summed: float = 0.0
    """The loss of that epoch's rows so far, summed over them."""
    loss_of_each_epoch: list[float] = field(default_factory=list)


class FitState(TypedDict):
    """What the file holds."""

    key: str
    """What the adapter follows from: of another one, nothing is taken up."""
    position: dict[str, int | float | list[float]]
    weights: list[Tensor]
    """What learns (adapters, head), in the order of the optimizer."""
    optimizer: StateDict
    schedule: StateDict
    scaler: StateDict
    random: dict[str, Tensor]


class DamagedFitError(Exception):
    """The file is there and cannot be read: the adapter begins anew."""


def save(folder: Path, state: FitState) -> None:
    """Put `state` in the place of what was kept before; DiskFullError where there is no room."""
    stream = io.BytesIO()
    torch.save(state, stream)
    content = stream.getvalue()
    digest = blake2b(content, digest_size=_DIGEST).digest()
    with writing(folder):
        write_bytes(folder / FILE, [memoryview(digest), memoryview(content)])


def load(folder: Path, key: str) -> FitState | None:
    """What was kept of the adapter that `key` names; None where there is nothing.

    No pickled code is run (`weights_only`). DamagedFitError for a file that is not as written.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        content = path.read_bytes()
        digest, content = content[:_DIGEST], content[_DIGEST:]
        if blake2b(content, digest_size=_DIGEST).digest() != digest:
            raise DamagedFitError(path)
        stream = io.BytesIO(content)
        state: FitState = torch.load(stream, map_location="cpu", weights_only=True)
        return state if state["key"] == key else None
    except _UNREADABLE as error:
        raise DamagedFitError(path) from error


def forget(folder: Path) -> None:
    """Remove it, and what a process that was killed has left of one half written."""
    for path in (folder / FILE, *folder.glob(f".{FILE}.*.part")):
        path.unlink(missing_ok=True)


def position_of(state: FitState) -> FitPosition:
    """How far it was."""
    return FitPosition(**state["position"])  # type: ignore[arg-type]


def as_values(position: FitPosition) -> dict[str, int | float | list[float]]:
    """The same as `FitState` keeps it."""
    return asdict(position)
