"""Checkpoints that are whole or not there.

A checkpoint is a folder: `model.safetensors` (the last weights), `best.safetensors` (the best so
far), `state.pt` (optimizer, scheduler, random states;
tensors and plain values only), `position.json`, and last `manifest.json` with every file's size
and digest. It is written under a hidden name and renamed, so half a checkpoint is never seen.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim.optimizer import StateDict

from tandem.spec.errors import OutputFolderError
from tandem.spec.os_errors import writing

MANIFEST = "manifest.json"
_PARTS = frozenset({"model.safetensors", "best.safetensors", "state.pt", "position.json"})
_UNREADABLE = (OSError, ValueError, TypeError, RuntimeError, UnpicklingError, SafetensorError)


@dataclass
class TrainingPosition:
    """How far a run is. Everything here is a plain value that JSON keeps exactly."""

    epoch: int = 0
    """Epochs finished."""
    step: int = 0
    """Optimizer steps finished within the epoch that is under way."""
    global_step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    """Running sums of the epoch under way."""
    best_accuracy: float = -1.0
    """The highest so far of what the best epoch is chosen by (`EvalResult.chosen_by`)."""
    best_epoch: int = 0
    epochs_without_better: int = 0
    term_gradients: dict[str, float] = field(default_factory=dict)
    """`term_weights.added`: what the terms' gradients came to in the first steps."""
    micro_batch: int = 0
    """Rows in one forward pass; 0 until memory ran out."""
    seconds: float = 0.0
    """Spent training, over all attempts."""
    lowest_val_loss: float = 0.0
    lowest_val_epoch: int = 0
    """The epoch of the lowest validation loss; 0 before the first evaluation."""
    lowest_val_train_loss: float = 0.0
    """The training loss of that epoch."""
    overfits_from: int = 0
    """The epoch after which only the training loss fell; 0 until that is told."""
    plan: str = ""
    """What the batches of an epoch follow from (`plan_key`); empty in a checkpoint of before."""


@dataclass
class Saved:
    """What a checkpoint holds."""

    model: dict[str, Tensor]
    best: dict[str, Tensor]
    """The student's weights at the best epoch; empty before the first evaluation."""
    state: StateDict
    """Optimizer, scheduler, random states: tensors and plain values."""
    position: TrainingPosition


def name(position: TrainingPosition) -> str:
    """`epoch-000012`, or `epoch-000012-step-000034` in mid-epoch."""
    mid = f"-step-{position.step:06d}" if position.step else ""
    return f"epoch-{position.epoch:06d}{mid}"


def save(folder: Path, saved: Saved) -> Path:
    """Write `saved` as `folder`; DiskFullError, and nothing new seen, when there is no room."""

    def write(into: Path) -> None:
        for file, weights in (("model", saved.model), ("best", saved.best)):
            # safetensors writes memory as it lies, and refuses views into other tensors.
            tensors = {key: value.contiguous() for key, value in weights.items()}
            save_file(tensors, into / f"{file}.safetensors")
        torch.save(saved.state, into / "state.pt")
        (into / "position.json").write_text(json.dumps(asdict(saved.position)))

    return write_whole(folder, write)


def write_whole(folder: Path, write: Callable[[Path], None]) -> Path:
    """Let `write` fill a hidden folder, add the manifest, then rename it to `folder`."""
    hidden = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(hidden, ignore_errors=True)
    try:
        with writing(folder):
            _write_into(hidden, write)
            _swap(hidden, folder)
    except BaseException:
        # A second Ctrl-C too: half a checkpoint under a hidden name would only fill the disk.
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    return folder


def _write_into(hidden: Path, write: Callable[[Path], None]) -> None:
    hidden.mkdir(parents=True)
    write(hidden)
    files = {file.name: _digest(file) for file in sorted(hidden.iterdir())}
    (hidden / MANIFEST).write_text(json.dumps(files, indent=1))
    # A rename can reach the disk before the files it names do: a power cut would leave them empty
    # under the checkpoint's name.
    for file in hidden.iterdir():
        _sync(file)


def load(folder: Path, map_location: str = "cpu") -> Saved:
    """Read a checkpoint that `is_whole`. No pickled code is run (`weights_only`).

    OutputFolderError where it is whole and yet none of ours.
    """
    try:
        with warnings.catch_warnings():
            # Of a foreign pickle protocol, just before it is refused.
            warnings.simplefilter("ignore", UserWarning)
            state = torch.load(folder / "state.pt", map_location=map_location, weights_only=True)
        position = TrainingPosition(**json.loads((folder / "position.json").read_text()))
        model, best = (load_file(folder / f"{file}.safetensors") for file in ("model", "best"))
    except _UNREADABLE as error:
        raise OutputFolderError(
            "The checkpoint {folder} cannot be read ({reason}).",
            folder=folder,
            reason=type(error).__name__,
            fix="Delete that folder: the run goes on from the one before it.",
        ) from error
    return Saved(model, best, state, position)


def is_whole(folder: Path) -> bool:
    """Whether every file the manifest names is there with its digest."""
    try:
        files = json.loads((folder / MANIFEST).read_text())
        # A manifest that names less is none of ours: whole by its own word, it could not be loaded.
        if not isinstance(files, dict) or not files.keys() >= _PARTS:
            return False
        return all(_digest(folder / file) == digest for file, digest in files.items())
    except (OSError, ValueError):
        return False


def set_aside(checkpoints: Path) -> list[Path]:
    """Rename those further than the latest whole one: else they would count when thinning."""
    found = sorted(checkpoints.glob("epoch-*"), reverse=True) if checkpoints.is_dir() else []
    aside = []
    for bad in takewhile(lambda one: not is_whole(one), found):
        kept = bad.with_name(f"damaged-{bad.name}")
        shutil.rmtree(kept, ignore_errors=True)
        aside.append(bad.rename(kept))
    return aside


def latest(checkpoints: Path) -> Path | None:
    """The whole checkpoint that is furthest, or None. A damaged one is passed over."""
    # Names are padded with zeros, so that they sort as positions do.
    found = sorted(checkpoints.glob("epoch-*"), reverse=True) if checkpoints.is_dir() else []
    return next((one for one in found if is_whole(one)), None)


def thin(checkpoints: Path, keep: int) -> None:
    """Leave the `keep` furthest checkpoints, and no hidden leftovers of dead processes."""
    for old in sorted(checkpoints.glob("epoch-*"), reverse=True)[keep:]:
        shutil.rmtree(old)
    for hidden in checkpoints.glob(".*"):
        shutil.rmtree(hidden, ignore_errors=True)


def _swap(hidden: Path, folder: Path) -> None:
    if folder.exists():
        # A folder cannot replace another in one step; between the two, the one before counts.
        old = folder.with_name(f".{folder.name}.old.{os.getpid()}")
        folder.rename(old)
        hidden.rename(folder)
        shutil.rmtree(old)
    else:
        hidden.rename(folder)
    # The new name is kept by the folder above, which must reach the disk as well.
    _sync(folder.parent)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "blake2b").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
