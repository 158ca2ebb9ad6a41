"""A run that goes on compares its data and its settings with those it began with."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tandem.train.data import data_record
from tandem.train.engines import checkpoint
from tandem.train.engines.accelerate.evaluate import Evaluator
from tandem.train.engines.accelerate.optimizer_step import OptimizerStep
from tests.conftest import make_shapes, make_texts
from tests.train.engines.runs import events, run_here


def stopped(spec: dict, folder: Path, epoch: int = 1, step: int = 1) -> None:
    """Begin the run, and stop it in the middle of an epoch."""
    whole = OptimizerStep.step

    def terminated(self: OptimizerStep, group, totals, position, requests) -> object:
        if (position.epoch, position.step) == (epoch, step - 1):
            os.kill(os.getpid(), signal.SIGTERM)
        return whole(self, group, totals, position, requests)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OptimizerStep, "step", terminated)
        assert run_here(spec, folder) == 75


def spec_of(**changes: object) -> dict:
    """Of a run in the working folder, which may be moved."""
    spec: dict = {
        "task_id": "test",
        "mode": "direct",
        "data": {"dataset": "data", "image_size": 32},
        "student": {"type": "resnet", "size": "resnet18"},
        "optim": {"epochs": 4, "batch_size": 4, "learning_rate": 1e-3},
        "run": {"output_dir": "run", "devices": "cpu", "checkpoint_interval": 1},
        "cache": {"root": "cache"},
        "report": {"tensorboard": False},
    }
    for key, value in changes.items():
        section, _, field = key.partition("__")
        spec[section] = {**spec[section], field: value}
    return spec


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("begun")
    make_shapes(folder / "data", train=4, val=2)
    with contextlib.chdir(folder):
        stopped(spec_of(), folder)
    return folder


@pytest.fixture
def home(begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a run that was stopped in its second epoch, with its data."""
    shutil.copytree(begun, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def notices(spec: dict) -> list[str]:
    return [one["message"] for one in events(spec, "notice")]


def added(home: Path) -> None:
    for split in ("train", "val"):
        shutil.copytree(home / "data" / split / "cross", home / "data" / split / "ant")


def renamed(home: Path) -> None:
    for split in ("train", "val"):
        (home / "data" / split / "circle").rename(home / "data" / split / "zebra")


def taken(home: Path) -> None:
    for split in ("train", "val"):
        shutil.rmtree(home / "data" / split / "square")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (added, "(new: ant; gone: -)"),
        (renamed, "(new: zebra; gone: circle)"),
        (taken, "(new: -; gone: square)"),
    ],
)
def test_other_classes_are_refused_in_a_sentence_and_nothing_is_lost(
    home: Path, capsys: pytest.CaptureFixture, change: Callable[[Path], None], said: str
):
    change(home)
    before = sorted(one.name for one in (home / "run" / "checkpoints").iterdir())
    capsys.readouterr()
    assert run_here(spec_of(), home) == 2
    told = capsys.readouterr().err
    assert "holds another run: the classes of its data differ" in told
    assert said in told
    assert len(told.strip().splitlines()) == 1
    assert sorted(one.name for one in (home / "run" / "checkpoints").iterdir()) == before


def test_classes_in_another_order_are_refused(home: Path, capsys: pytest.CaptureFixture):
    kept = data_record.load(home / "run")
    assert kept is not None
    turned = tuple(reversed(kept.classes))
    data_record.save(
        data_record.DataRecord(kept.kind, turned, kept.rows, kept.files, kept.tokens), home / "run"
    )
    assert run_here(spec_of(), home) == 2
    assert "stood in another order (square, cross, circle; now circle, cross, square)" in (
        capsys.readouterr().err
    )


def test_other_images_are_told_with_counts_and_the_run_goes_on(home: Path):
    data = home / "data"
    shutil.copy(data / "train" / "cross" / "0.png", data / "train" / "cross" / "9.png")
    (data / "train" / "square" / "0.png").unlink()
    (data / "train" / "circle" / "1.png").write_bytes(
        (data / "train" / "circle" / "2.png").read_bytes()
    )
    (data / "val" / "circle" / "1.png").unlink()
    spec = spec_of()
    assert run_here(spec, home) == 0
    said = "\n".join(notices(spec))
    assert "train: 1 added, 1 gone, 1 with other content, 0 with another label" in said
    assert "val: 0 added, 1 gone, 0 with other content, 0 with another label" in said
    assert "The batches of epoch 2 are others now: it begins again." in said
    assert events(spec, "started")[-1]["resumed_from_epoch"] == 1
    assert [one["epoch"] for one in events(spec, "epoch")] == [1, 2, 3, 4]
    assert events(spec, "metric") == [] or events(spec)[-1]["type"] == "finished"


def test_a_stop_in_the_last_evaluation_loses_nothing(home: Path, monkeypatch: pytest.MonkeyPatch):
    evaluate = Evaluator.evaluate

    def terminated(self: Evaluator, student, stop=None, *, keep=False, **how) -> object:
        if keep:
            os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(self, student, stop, keep=keep, **how)

    spec = spec_of(optim__epochs=2)
    with monkeypatch.context() as patch:
        patch.setattr(Evaluator, "evaluate", terminated)
        assert run_here(spec, home) == 75
    end = events(spec)[-1]
    assert (end["type"], Path(end["checkpoint"]).name) == ("stopped", "epoch-000002")
    assert run_here(spec, home) == 0
    assert [one["epoch"] for one in events(spec, "epoch")] == [1, 2]
    assert events(spec)[-1]["type"] == "finished"


def test_what_is_as_it_was_is_not_told(home: Path):
    spec = spec_of()
    assert run_here(spec, home) == 0
    said = "\n".join(notices(spec))
    assert "has changed" not in said
    assert "begins again" not in said


def test_a_run_of_before_that_noted_nothing_goes_on_and_notes_it(home: Path):
    (home / "run" / data_record.NAME).unlink()
    spec = spec_of()
    assert run_here(spec, home) == 0
    assert data_record.load(home / "run") is not None


def test_a_note_that_cannot_be_read_is_told_and_made_anew(home: Path):
    (home / "run" / data_record.NAME).write_bytes(b"PK half")
    spec = spec_of()
    assert run_here(spec, home) == 0
    assert any("data.npz cannot be read" in one for one in notices(spec))
    assert data_record.load(home / "run") is not None


def test_a_checkpoint_of_another_network_is_refused_in_a_sentence(
    home: Path, capsys: pytest.CaptureFixture
):
    (home / "run" / data_record.NAME).unlink()
    added(home)
    assert run_here(spec_of(), home) == 2
    told = capsys.readouterr().err
    assert "The checkpoint is of another network: size mismatch" in told
    assert len(told.strip().splitlines()) == 1


def test_rate_epochs_and_batch_are_applied_and_said(home: Path):
    spec = spec_of(optim__epochs=3, optim__batch_size=6, optim__learning_rate=2e-4)
    spec["optim"]["scheduler"] = "constant"
    spec["run"]["log_interval"] = 1
    assert run_here(spec, home) == 0
    said = "\n".join(notices(spec))
    for change in (
        "optim.batch_size 4 → 6",
        "optim.epochs 4 → 3",
        "optim.learning_rate 0.001 → 0.0002",
    ):
        assert change in said
    assert [one["epoch"] for one in events(spec, "epoch")] == [1, 2, 3]
    later = [one for one in events(spec, "metric") if one["epoch"] > 1]
    assert [one["step"] for one in later] == [3, 4, 5, 6]
    assert {one["values"]["learning_rate"] for one in later} == {2e-4}
    kept = json.loads((home / "run" / "spec.json").read_text())
    assert kept["optim"]["batch_size"] == 6


def test_a_setting_that_changes_what_was_learnt_is_refused(
    home: Path, capsys: pytest.CaptureFixture
):
    assert run_here(spec_of(data__image_size=48, optim__epochs=5), home) == 2
    assert "holds another run: data.image_size, optim.epochs differ" in capsys.readouterr().err


def test_more_texts_are_read_with_the_tokenizer_that_the_run_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    make_texts(tmp_path / "data")
    spec = spec_of()
    spec["student"] = {"type": "bert", "size": "bert-mini", "init": "random"}
    stopped(spec, tmp_path)
    before = data_record.load(tmp_path / "run")
    assert before is not None
    file = tmp_path / "data" / "train.jsonl"
    more = {"text": "unheard words unheard words " * 8, "label": "positive"}
    lines = [*file.read_text().splitlines()[1:], json.dumps(more), json.dumps(more)]
    file.write_text("\n".join(lines) + "\n")
    assert run_here(spec, tmp_path) == 0
    assert "train: 2 added, 1 gone" in "\n".join(notices(spec))
    after = data_record.load(tmp_path / "run")
    assert after is not None
    assert (after.files, after.tokens) == (before.files, before.tokens)


def test_each_change_of_rows_is_counted_once():
    before = np.array([[1, 1, 0], [2, 2, 0], [3, 3, 1], [4, 4, 1], [5, 5, 0], [5, 5, 0]], np.uint64)
    now = np.array([[5, 5, 0], [1, 1, 1], [2, 9, 0], [4, 4, 1], [6, 6, 0]], np.uint64)
    found = data_record.compared(before, now)
    assert found == data_record.RowChanges(added=1, gone=2, changed=1, relabelled=1)
    assert not data_record.compared(before, before[::-1])


def test_a_checkpoint_of_before_has_no_plan():
    assert checkpoint.TrainingPosition().plan == ""
