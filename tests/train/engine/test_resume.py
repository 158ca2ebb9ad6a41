"""A run that is stopped or killed goes on as if it never had been: the same weights, bitwise."""

import os
import signal
from pathlib import Path

from tests.train.engine.runs import events, run_here, start, wait_until, weights

# What could tell a resumed run from another: views, mixing, dropout, averaging, momentum.
CHANGES = {
    "optim__epochs": 4,
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


def ended(spec: dict, folder: Path, killed_by=None, when=lambda: False) -> int:
    """A run in a process of its own, with two threads as a person's machine has."""
    process = start(spec, folder, env={**os.environ, "OMP_NUM_THREADS": "2"})
    if killed_by is not None:
        wait_until(process, when)
        process.send_signal(killed_by)
    output, _ = process.communicate()
    assert "Traceback" not in output, output
    return process.returncode


def test_killed_and_stopped_runs_end_with_the_weights_of_one_never_interrupted(spec_of, tmp_path):
    whole = spec_in(spec_of, tmp_path, "whole")
    assert ended(whole, tmp_path) == 0

    killed = spec_in(spec_of, tmp_path, "killed")
    code = ended(killed, tmp_path, signal.SIGKILL, lambda: in_middle_of_epoch(killed, 3))
    assert code == -signal.SIGKILL
    assert not (tmp_path / "killed" / "final_model").exists()
    assert ended(killed, tmp_path) == 0
    assert events(killed, "started")[-1]["resumed_from_epoch"] in (2, 3)
    assert weights(killed) == weights(whole)

    stopped = spec_in(spec_of, tmp_path, "stopped")
    code = ended(stopped, tmp_path, signal.SIGTERM, lambda: in_middle_of_epoch(stopped, 2))
    assert code == 75
    end = events(stopped)[-1]
    assert end["type"] == "stopped"
    assert Path(end["checkpoint"]).is_dir()
    assert ended(stopped, tmp_path) == 0
    assert weights(stopped) == weights(whole)


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


def test_a_stop_while_the_teacher_is_asked_keeps_what_is_cached(spec_of, tmp_path):
    spec = spec_of(optim__epochs=1, views__count=64, teacher__batch_size=1)
    process = start(spec, tmp_path)
    wait_until(process, lambda: any("lacks" in one["message"] for one in events(spec, "notice")))
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate()
    assert process.returncode == 75, output
    assert "Traceback" not in output
    assert events(spec)[-1]["type"] == "stopped"
    assert run_here(spec_of(optim__epochs=1, views__count=64, teacher__batch_size=1), tmp_path) == 0
