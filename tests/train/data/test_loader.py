from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from tandem.spec.errors import DataError
from tandem.spec.run import DataSpec, ViewSpec
from tandem.train.data import classification
from tandem.train.data.augment import Views
from tandem.train.data.loader import BatchLoader, BatchPlan, batches, worker_count
from tandem.train.types import Batch, ImageTable, SilentProgress
from tests.conftest import make_shapes


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> ImageTable:
    folder = make_shapes(tmp_path_factory.mktemp("d") / "s", train=12, val=1, unlabelled=12)
    spec = DataSpec(dataset=str(folder))
    return classification.read(spec, index_root=None, progress=SilentProgress()).train


def plan_of(table: ImageTable, size: int = 4) -> BatchPlan:
    order = np.random.default_rng(0).permutation(len(table))
    return [(order[at : at + size], np.arange(size) % 4) for at in range(0, len(order), size)]


def load(table: ImageTable, plan: BatchPlan, workers: int = 0, size: int = 24) -> list[Batch]:
    views = Views.draw(table, ViewSpec())
    stream = batches(table, views, plan, image_size=size, max_pixels=10**8, workers=workers)
    return list(stream)


def test_batches_are_the_plans(table: ImageTable) -> None:
    plan = plan_of(table)
    found = load(table, plan)
    assert len(found) == len(plan) == 12
    views = Views.draw(table, ViewSpec())
    for batch, (index_B, view_B) in zip(found, plan, strict=True):
        assert batch.inputs.shape == (4, 3, 24, 24)
        assert batch.inputs.dtype == torch.uint8
        assert (batch.index_B == index_B).all()
        assert (batch.view_B == view_B).all()
        assert batch.labels_B.tolist() == table.labels_N[index_B].tolist()
        for place in range(4):
            row, view = int(index_B[place]), int(view_B[place])
            alone = table.shown(views, row, views.params(row, [view]), 24, 10**8)[0]
            assert (batch.inputs[place].numpy() == alone).all()


def test_any_number_of_workers_gives_the_same_bytes(table: ImageTable) -> None:
    plan = plan_of(table)
    alone, many = load(table, plan), load(table, plan, workers=3)
    assert len(many) == len(alone)
    for one, other in zip(alone, many, strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.labels_B, other.labels_B)
        assert (one.index_B == other.index_B).all()


def test_workers_leave_the_random_state_that_dropout_goes_on_from(table: ImageTable) -> None:
    before = torch.get_rng_state()
    assert len(load(table, plan_of(table), workers=1)) == 12
    assert torch.equal(torch.get_rng_state(), before)


def test_workers_stay_for_the_next_epoch(table: ImageTable, monkeypatch) -> None:
    """Whatever its plan is: one that is shorter, and one that was left in the middle."""
    views, plan = Views.draw(table, ViewSpec()), plan_of(table)
    forks = []
    fork = multiprocessing.Process.start
    monkeypatch.setattr(
        multiprocessing.Process, "start", lambda self: (forks.append(1), fork(self))
    )
    loader = BatchLoader(table, views, image_size=24, max_pixels=10**8, workers=1)
    assert len(list(loader.batches(plan))) == 12
    next(iter(loader.batches(plan[5:])))
    other = [(index_B, (view_B + 1) % 4) for index_B, view_B in reversed(plan)]
    for epoch in (other, plan[:2]):
        for one, alone in zip(loader.batches(epoch), load(table, epoch), strict=True):
            assert torch.equal(one.inputs, alone.inputs)
            assert (one.view_B == alone.view_B).all()
    assert len(forks) == 1
    loader.close()


def test_batches_for_a_gpu_lie_in_page_locked_memory(table: ImageTable, monkeypatch) -> None:
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: (pinned.append(1), self)[1])
    views = Views.draw(table, ViewSpec())
    loader = BatchLoader(table, views, image_size=24, max_pixels=10**8, workers=0, pin=True)
    next(iter(loader.batches(plan_of(table))))
    assert len(pinned) == 2  # pictures and labels


def test_an_empty_plan_yields_nothing(table: ImageTable) -> None:
    assert load(table, [], workers=2) == []


def test_a_file_that_went_away_is_named(tmp_path: Path) -> None:
    folder = make_shapes(tmp_path / "s", train=6, val=1)
    spec = DataSpec(dataset=str(folder))
    gone = classification.read(spec, index_root=None, progress=SilentProgress()).train
    (folder / "train/cross/2.png").unlink()
    for workers in (0, 1):
        with pytest.raises(DataError, match=r"cross/2\.png cannot be read") as caught:
            load(gone, plan_of(gone), workers)
        assert "\n" not in str(caught.value)
        assert "Traceback" not in str(caught.value)


def test_workers_are_chosen_from_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    assert worker_count(5) == 5
    for cores, expected in ((1, 0), (2, 0), (4, 3), (64, 16)):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        assert worker_count(None) == expected
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    assert worker_count(None) == 7


def test_memory_stays_flat_over_many_batches(table: ImageTable) -> None:
    plan = plan_of(table) * 10
    load_all = lambda: [None for _ in map(len, (b.index_B for b in _stream(table, plan)))]  # noqa: E731
    load_all()
    before = psutil.Process().memory_info().rss
    load_all()
    assert psutil.Process().memory_info().rss - before < 8 * 2**20


def _stream(table: ImageTable, plan: BatchPlan):  # noqa: ANN202
    views = Views.draw(table, ViewSpec())
    return batches(table, views, plan, image_size=64, max_pixels=10**8, workers=0)
