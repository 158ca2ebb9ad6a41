"""Wherever in a checkpoint the disk fills up, the run says so in words and keeps the last one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import torch

from tandem.spec.errors import TandemError
from tandem.train.__main__ import named
from tandem.train.engines import checkpoint
from tandem.train.engines.checkpoint import Saved, TrainingPosition
from tests.small_disk import fill, small_disk

KILOBYTE = 1024


def saved(epoch: int) -> Saved:
    weights = {f"layer{n}": torch.full((64, 64), float(n)) for n in range(6)}
    state = {"optimizer": {n: torch.zeros(64, 64) for n in range(12)}, "random": torch.zeros(5000)}
    return Saved(weights, weights, state, TrainingPosition(epoch=epoch))


def refusal(write: Callable[[], object]) -> str | None:
    """What a full disk is called; None where there was room. The error itself is not held."""
    known = None
    try:
        write()
    except (RuntimeError, OSError, TandemError) as error:
        known = named(error)
        if known is None:
            raise
    return None if known is None else f"{known.failure_class}: {known.sentence()}"


def test_at_every_place_of_a_checkpoint(tmp_path: Path):
    with small_disk(tmp_path / "disk", "3m") as disk:
        checkpoint.save(disk / "epoch-000001", saved(1))
        before = {file.name for file in disk.iterdir()}
        for room in range(0, 400, 16):
            ballast = fill(disk, room * KILOBYTE)
            said = refusal(lambda: checkpoint.save(disk / "epoch-000002", saved(2)))
            ballast.unlink()
            assert said is not None, room
            assert re.search("^disk: The disk is full: .*epoch-000002 could not be", said)
            assert {file.name for file in disk.iterdir()} == before
            assert checkpoint.latest(disk) == disk / "epoch-000001"
        checkpoint.save(disk / "epoch-000002", saved(2))
        assert checkpoint.latest(disk) == disk / "epoch-000002"


def test_pytorch_alone_is_understood_wherever_it_is_cut(tmp_path: Path):
    """Others write through it too: Ultralytics, an adapter, an exporter."""
    with small_disk(tmp_path / "disk", "2m") as disk:
        for room in range(0, 200, 8):
            ballast = fill(disk, room * KILOBYTE)
            said = refusal(lambda: torch.save(saved(2).state, disk / "state.pt"))
            ballast.unlink()
            (disk / "state.pt").unlink(missing_ok=True)
            assert said is not None, room
            assert said.startswith("disk: ")
            assert not re.search(r"inline_container|enforce", said)
