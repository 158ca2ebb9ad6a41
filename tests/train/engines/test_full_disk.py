"""Wherever in a checkpoint the disk fills up, the run says so in words and keeps the last one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from tandem.spec.errors import DiskFullError
from tandem.train.__main__ import named
from tandem.train.engines import checkpoint
from tandem.train.engines.checkpoint import Saved, TrainingPosition
from tests.small_disk import fill, small_disk

KILOBYTE = 1024


def saved(epoch: int) -> Saved:
    weights = {f"layer{n}": torch.full((64, 64), float(n)) for n in range(6)}
    state = {"optimizer": {n: torch.zeros(64, 64) for n in range(12)}, "random": torch.zeros(5000)}
    return Saved(weights, weights, state, TrainingPosition(epoch=epoch))


def test_at_every_place_of_a_checkpoint(tmp_path: Path):
    with small_disk(tmp_path / "disk", "3m") as disk:
        checkpoint.save(disk / "epoch-000001", saved(1))
        before = {file.name for file in disk.iterdir()}
        for room in range(0, 420, 20):
            ballast = fill(disk, room * KILOBYTE)
            with pytest.raises(DiskFullError, match=r"disk is full: .*epoch-000002 could not be"):
                checkpoint.save(disk / "epoch-000002", saved(2))
            ballast.unlink()
            assert {file.name for file in disk.iterdir()} == before
            assert checkpoint.latest(disk) == disk / "epoch-000001"
        checkpoint.save(disk / "epoch-000002", saved(2))
        assert checkpoint.latest(disk) == disk / "epoch-000002"


def test_pytorch_alone_is_understood_wherever_it_is_cut(tmp_path: Path):
    """Others write through it too: Ultralytics, an adapter, an exporter."""
    with small_disk(tmp_path / "disk", "2m") as disk:
        for room in range(0, 200, 8):
            ballast = fill(disk, room * KILOBYTE)
            with pytest.raises(Exception) as met:  # noqa: PT011  whatever PyTorch has for it
                torch.save(saved(2).state, disk / "state.pt")
            ballast.unlink()
            (disk / "state.pt").unlink(missing_ok=True)
            known = named(met.value)
            assert known is not None, met.value
            assert known.failure_class == "disk"
            assert not re.search(r"inline_container|enforce", known.sentence())
