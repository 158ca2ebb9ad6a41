"""A checkpoint is whole or not there, whatever interrupts it."""

import subprocess
import sys

import pytest
import torch

from tandem.spec.errors import OutputFolderError
from tandem.train.engines import checkpoint
from tandem.train.engines.checkpoint import Saved, TrainingPosition

WEIGHTS = {"student.w": torch.arange(6.0).view(2, 3)}


def saved(**position) -> Saved:
    state = {"optimizer": {"state": {0: {"step": torch.tensor(3.0)}}}, "random": [torch.arange(4)]}
    return Saved(WEIGHTS, WEIGHTS, state, TrainingPosition(**position))


def test_what_is_saved_is_loaded_exactly(tmp_path):
    position = {"epoch": 3, "step": 2, "sums": {"loss": 0.1 + 0.2}, "best_accuracy": 1 / 3}
    checkpoint.save(tmp_path / "epoch-000003", saved(**position))
    back = checkpoint.load(tmp_path / "epoch-000003")
    assert torch.equal(back.model["student.w"], WEIGHTS["student.w"])
    assert back.position == TrainingPosition(**position)
    assert back.state["optimizer"]["state"][0]["step"] == 3


def test_the_latest_whole_one_is_found_and_a_damaged_one_passed_over(tmp_path):
    for epoch, step in ((1, 0), (2, 0), (2, 5)):
        position = TrainingPosition(epoch=epoch, step=step)
        checkpoint.save(tmp_path / checkpoint.name(position), saved(epoch=epoch, step=step))
    assert checkpoint.latest(tmp_path).name == "epoch-000002-step-000005"
    with (tmp_path / "epoch-000002-step-000005" / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    assert checkpoint.latest(tmp_path).name == "epoch-000002"


def test_a_checkpoint_without_its_manifest_is_not_there(tmp_path):
    checkpoint.save(tmp_path / "epoch-000001", saved(epoch=1))
    (tmp_path / "epoch-000001" / checkpoint.MANIFEST).unlink()
    assert checkpoint.latest(tmp_path) is None


def test_thinning_keeps_the_furthest(tmp_path):
    for epoch in range(1, 5):
        checkpoint.save(tmp_path / f"epoch-{epoch:06d}", saved(epoch=epoch))
    checkpoint.thin(tmp_path, 2)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["epoch-000003", "epoch-000004"]


def test_a_pickled_object_in_a_checkpoint_is_not_run(tmp_path):
    folder = checkpoint.save(tmp_path / "epoch-000001", saved(epoch=1))

    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    torch.save({"optimizer": Evil()}, folder / "state.pt")
    with pytest.raises(OutputFolderError, match="UnpicklingError"):
        checkpoint.load(folder)


FILL_THE_DISK = """
import resource, signal, sys, pathlib, torch
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from tandem.train.engines import checkpoint
from tandem.spec.errors import DiskFullError
big = {"w": torch.zeros(1_000_000)}
state = checkpoint.Saved(big, {}, {}, checkpoint.TrainingPosition(epoch=2))
try:
    checkpoint.save(pathlib.Path(sys.argv[1]) / "epoch-000002", state)
except DiskFullError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_earlier_checkpoint_and_no_half_one(tmp_path):
    checkpoint.save(tmp_path / "epoch-000001", saved(epoch=1))
    told = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(tmp_path)], capture_output=True, text=True
    )
    assert "The disk is full" in told.stdout, told.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["epoch-000001"]
    assert checkpoint.latest(tmp_path).name == "epoch-000001"
