"""Two CPU processes normalise like one that holds both halves of the batch."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tandem.spec.errors import StudentError
from tandem.spec.run import StudentSpec
from tandem.train.engines.accelerate.model.batch_norm import GlobalBatchNorm2d, synchronise

HALVES = (slice(0, 5), slice(5, 8))  # of different sizes on purpose
STEPS = 3


def student() -> nn.Module:
    torch.manual_seed(0)
    small = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3),
        nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2),
    )  # fmt: skip
    return small.train()


def data() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    images = torch.randn(8, 3, 8, 8)
    images[5:] += 2  # the halves' own statistics differ much
    return images, torch.randn(8, 2)


def one_process() -> dict[str, torch.Tensor]:
    module, (images, targets) = student(), data()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(STEPS):
        optimizer.zero_grad()
        (module(images) - targets).square().mean().backward()
        optimizer.step()
    return module.state_dict()


def work_in_a_new_process(number: int, folder: str) -> None:
    torch.set_num_threads(1)
    work(number + 1, folder)


def work(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    for together in (True, False):
        train(rank, folder, together)
    dist.destroy_process_group()


def train(rank: int, folder: str, together: bool) -> None:
    module, (images, targets) = student(), data()
    if together:
        module = synchronise(module, 2)
    wrapped = DistributedDataParallel(module)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    rows = HALVES[rank]
    for _ in range(STEPS):
        optimizer.zero_grad()
        squares = (wrapped(images[rows]) - targets[rows]).square().mean(dim=1)
        # Each process's sum over the mean number of rows: DDP's mean is then the global mean.
        (squares.sum() / 4).backward()
        optimizer.step()
    torch.save(module.state_dict(), f"{folder}/{together}{rank}.pt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("gloo")
    other = mp.spawn(work_in_a_new_process, args=(str(path),), nprocs=1, join=False)
    work(0, str(path))
    while not other.join():
        pass
    return path


def test_two_processes_end_where_one_does(folder):
    expected = one_process()
    for rank in (0, 1):
        state = torch.load(folder / f"True{rank}.pt", weights_only=True)
        assert state.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(state[name], value, atol=1e-5, rtol=1e-4)


def test_without_it_they_would_not(folder):
    expected = one_process()
    state = torch.load(folder / "False0.pt", weights_only=True)
    assert (state["1.running_mean"] - expected["1.running_mean"]).abs().max() > 1e-2
    assert (state["0.weight"] - expected["0.weight"]).abs().max() > 1e-3


def test_one_process_keeps_torchs_own():
    module = student()
    assert synchronise(module, 1) is module
    assert not any(isinstance(inner, GlobalBatchNorm2d) for inner in module.modules())


def test_a_resnets_keys_and_evaluation_stay_the_same():
    from tandem.train.registry import find  # here: the two processes need not load timm

    resnet = find("students", "resnet").make(StudentSpec(size="resnet18"), 4, 32).eval()
    images = torch.rand(2, 3, 32, 32)
    before, keys = resnet.logits(images), list(resnet.state_dict())
    together = synchronise(resnet, 2)
    assert list(together.state_dict()) == keys
    assert torch.equal(copy.deepcopy(together).logits(images), before)
    norms = [m for m in together.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 20
    assert all(type(norm) is GlobalBatchNorm2d for norm in norms)


def test_a_batch_norm_it_cannot_synchronise_is_named():
    with pytest.raises(StudentError, match=r"layer 0 \(BatchNorm1d\)"):
        synchronise(nn.Sequential(nn.BatchNorm1d(3)), 2)
