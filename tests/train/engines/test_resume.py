"""A run that is stopped or killed goes on as if it never had been: the same weights, bitwise."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tandem.spec.save_request import SAVE_NOW
from tandem.train.engines.accelerate.optimizer_step import OptimizerStep
from tandem.train.engines.stoppable_progress import StoppableProgress
from tests.train.engines.runs import events, run_here, start, wait_until, weights

# What could tell a resumed run from another: views, mixing, dropout, averaging, momentum.
CHANGES = {
    "optim__epochs": 3,
    "optim__batch_size": 8,
    "optim__learning_rate": 1e-3,
    "optim__ema_decay": 0.9,
    "optim__warmup_epochs": 0.5,
    "student__dropout": 0.2,
    "views__mixup": 0.2,
    "run__checkpoint_interval": 1,
    "run__log_interval": 1,
}


def spec_in(spec_of, tmp_path: Path, name: str) -> dict:
    spec = spec_of(**CHANGES)
    spec["run"]["output_dir"] = str(tmp_path / name)
    return spec


def in_middle_of_epoch(spec: dict, epoch: int) -> bool:
    return any(one["epoch"] == epoch for one in events(spec, "metric"))


def killed(spec: dict, folder: Path, when: Callable[[], bool]) -> None:
    """A run in a process of its own, with two threads as a person's machine has."""
    process = start(spec, folder, env={**os.environ, "OMP_NUM_THREADS": "2"})
    wait_until(process, when)
    process.kill()
    output, _ = process.communicate()
    assert "Traceback" not in output, output
    assert process.returncode == -signal.SIGKILL


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_a_killed_and_stopped_run_ends_with_the_weights_of_one_never_interrupted(
    spec_of, tmp_path, monkeypatch
):
    # First, and in a new process: the threads that decode for the cache start before any sum.
    broken = spec_in(spec_of, tmp_path, "broken")
    killed(broken, tmp_path, lambda: in_middle_of_epoch(broken, 2))
    assert not (tmp_path / "broken" / "final_model").exists()

    step = OptimizerStep.step

    def terminated(self: OptimizerStep, group, totals, position, requests) -> object:
        if position.epoch == 2 and position.step == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, group, totals, position, requests)

    with monkeypatch.context() as patch:
        patch.setattr(OptimizerStep, "step", terminated)
        assert run_here(broken, tmp_path) == 75
    assert events(broken, "started")[-1]["resumed_from_epoch"] in (1, 2)
    end = events(broken)[-1]
    assert end["type"] == "stopped"
    assert Path(end["checkpoint"]).name.startswith("epoch-000002-step-")
    assert run_here(broken, tmp_path) == 0
    assert events(broken, "started")[-1]["resumed_from_epoch"] == 2

    whole = spec_in(spec_of, tmp_path, "whole")
    assert run_here(whole, tmp_path) == 0
    assert weights(broken) == weights(whole)


def test_a_finished_run_says_so_and_is_not_trained_again(spec_of, tmp_path, capsys):
    spec = spec_of(optim__epochs=1)
    assert run_here(spec, tmp_path) == 0
    before = weights(spec)
    capsys.readouterr()
    assert run_here(spec, tmp_path) == 0
    assert "This run is finished" in capsys.readouterr().out
    assert weights(spec) == before


def test_an_output_folder_that_holds_another_run_is_refused(spec_of, tmp_path, capsys):
    spec = spec_of(optim__epochs=1)
    assert run_here(spec, tmp_path) == 0
    said = len(events(spec))
    assert run_here(spec_of(optim__epochs=1, optim__learning_rate=0.5), tmp_path) == 2
    told = capsys.readouterr().err
    assert "holds another run" in told
    assert "optim.learning_rate" in told
    assert len(events(spec)) == said


def test_a_stop_while_the_teacher_is_asked_keeps_what_is_cached(spec_of, tmp_path, monkeypatch):
    monkeypatch.setattr("tandem.train.cache.fill.SHARD_ROWS", 16)
    spec = spec_of(optim__epochs=1, teacher__batch_size=8)
    progress = StoppableProgress.progress

    def terminated(self: StoppableProgress, doing: str, done: int, total: int) -> None:
        if doing == "asking the teacher" and done == 24:
            os.kill(os.getpid(), signal.SIGTERM)
        progress(self, doing, done, total)

    with monkeypatch.context() as patch:
        patch.setattr(StoppableProgress, "progress", terminated)
        assert run_here(spec, tmp_path) == 75
    assert events(spec)[-1]["type"] == "stopped"
    assert run_here(spec, tmp_path) == 0
    said = [one["message"] for one in events(spec, "notice")]
    first, second = [
        int(found[1]) for one in said if (found := re.match(r"The cache lacks (\d+) of", one))
    ][:2]
    assert second == first - 16


def test_asked_to_save_it_does_so_after_the_step_and_learns_the_same(spec_of, tmp_path):
    plain, asked = (spec_in(spec_of, tmp_path, name) for name in ("plain", "asked"))
    for spec in (plain, asked):
        spec["optim"]["epochs"] = 1
        spec["run"]["checkpoint_interval"] = 100
    folder = tmp_path / "asked"
    folder.mkdir()
    (folder / SAVE_NOW).touch()
    assert run_here(plain, tmp_path) == run_here(asked, tmp_path) == 0
    steps = [[one["step"] for one in events(spec, "checkpoint")] for spec in (plain, asked)]
    assert steps[1] == [1, *steps[0]]
    assert not (folder / SAVE_NOW).exists()
    assert weights(asked) == weights(plain)
