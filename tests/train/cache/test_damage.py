"""A shard whose bytes have turned is told and made again; two processes fill one cache."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tandem.train.cache.shards import damage, read_shards
from tests.train.cache.conftest import Shop
from tests.train.cache.fake_teacher import FakeTeacher


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tandem.train.cache.fill.SHARD_ROWS", 32)


def test_a_byte_that_has_turned_is_not_learnt_from(shop: Shop) -> None:
    rows = np.arange(20)
    before = shop.open(FakeTeacher()).signals(rows, np.zeros_like(rows)).pooled_BD
    file = sorted(shop.root.rglob("pooled/shard-*.data.npy"))[2]
    with file.open("r+b") as stream:
        stream.seek(-3, 2)
        byte = stream.read(1)[0]
        stream.seek(-3, 2)
        stream.write(bytes([byte ^ 0x40]))
    teacher = FakeTeacher()
    source = shop.open(teacher)
    assert any("has changed since it was written" in said for said in shop.listener.warnings)
    assert teacher.shown > 0
    after = source.signals(rows, np.zeros_like(rows)).pooled_BD
    assert torch.equal(before, after)
    shards, bad = read_shards(file.parent)
    assert bad == []
    assert [damage(one) for one in shards] == [None] * len(shards)


FILL = """
import sys
from pathlib import Path
import torch
import tandem.train.cache.fill
from tandem.spec.run import CacheSpec, DataSpec, ViewSpec
from tandem.train.cache import SourceRequest, SourceSetup, WantedSignals, open_source
from tandem.train.data import classification as data
from tandem.train.data.augment import Views
from tandem.train.types import SilentProgress
from tests.train.cache.fake_teacher import FakeTeacher

tandem.train.cache.fill.SHARD_ROWS = 32
folder, root = sys.argv[1:]
listener = SilentProgress()
table = data.read(DataSpec(dataset=folder), index_root=None, progress=listener).train
cache = CacheSpec(root=Path(root), verify_samples=0)
setup = SourceSetup(cache, torch.device("cpu"), 8, 10**8, listener)
views, teacher = Views.draw(table, ViewSpec()), FakeTeacher()
request = SourceRequest(table, views, 3, WantedSignals(tokens=True, grid=4))
print("ready", flush=True)
sys.stdin.readline()
source = open_source(teacher, request, setup)
print(teacher.shown, float(source.pooled_ND(1).sum()), flush=True)
"""


def test_two_processes_fill_one_cache_and_ask_for_everything_once(
    shop: Shop, tmp_path: Path
) -> None:
    root = tmp_path / "shared"
    command = [sys.executable, "-c", FILL, str(shop.table.root), str(root)]
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    runs = [subprocess.Popen(command, **pipe) for _ in range(2)]  # type: ignore[call-overload]
    for one in runs:
        assert one.stdout.readline() == "ready\n"
    for one in runs:
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [one.communicate()[0].split() for one in runs]
    assert [one.returncode for one in runs] == [0, 0]
    # One has asked for all, and the other for nothing.
    assert min(int(shown) for shown, _ in said) == 0
    assert said[0][1] == said[1][1]
    for folder in {file.parent for file in root.rglob("shard-*.json")}:
        shards, bad = read_shards(folder)
        assert bad == []
        assert [damage(one) for one in shards] == [None] * len(shards)
