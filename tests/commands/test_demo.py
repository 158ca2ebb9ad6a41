"""`tandem demo` in small: one epoch of one seed, through a real service and the real engine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tandem.commands.service import demo
from tandem.commands.service.child import NoServiceError
from tandem.spec.errors import OutputFolderError
from tandem.spec.run import RunSpec
from tandem.train.demo import digits_teacher, prepare, recipe
from tandem.train.demo.summary import mean_and_deviation
from tandem.train.export import final_model
from tandem.train.pipeline import report

SEVENTEEN = 17


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_PORT", "0")
    monkeypatch.setattr(recipe, "EPOCHS", 1)
    make = prepare.make_spec

    def of_one_view(*given: Any, **named: Any) -> RunSpec:
        spec = make(*given, **named)
        return spec.model_copy(update={"views": spec.views.model_copy(update={"count": 1})})

    monkeypatch.setattr(prepare, "make_spec", of_one_view)
    short_recipe = digits_teacher.TeacherRecipe(epochs=1)
    taught = digits_teacher.make_teacher
    monkeypatch.setattr(
        digits_teacher,
        "make_teacher",
        lambda folder, data, progress: taught(folder, data, short_recipe, progress),
    )


@pytest.mark.usefixtures("short")
def test_it_teaches_compares_and_leaves_a_model(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.demo(None, 1) == 0
    said = capsys.readouterr().out
    [folder] = (home / "runs").glob("TASK_*")
    table = said[said.index("accuracy on val") :]
    for who in ("teacher (tower, probe)  ", "resnet18, taught  ", "resnet18, labels only  "):
        assert who in table
    assert "Epoch 1/1" in said
    assert "stands in for a pretrained one" in said
    assert "has seen all 1297 train labels" in table
    assert str(folder / "final_model") in table
    assert re.search(rf"demo-seed-0: http://127.0.0.1:\d+/api/v1/tasks/{folder.name}\n", table)
    student, config = final_model.load(folder / "final_model")
    assert config.classes == list("0123456789")
    assert student.image_size == 32
    written = report.read(folder)
    assert written.baseline is not None
    assert written.data.labelled_images == 100
    # As many steps on labels alone: 41 batches against 4 an epoch.
    assert written.baseline.epochs == written.student.epochs == 1  # as many steps as the student

    before = (folder / "events.jsonl").read_bytes()
    assert demo.demo(None, 1) == 0
    again = capsys.readouterr().out
    assert (folder / "events.jsonl").read_bytes() == before
    assert [folder] == list((home / "runs").glob("TASK_*"))
    assert table.splitlines()[0] in again


def test_a_request_says_nothing_of_places_and_another_recipe_is_another(tmp_path: Path) -> None:
    places = tmp_path / "digits", tmp_path / "teacher"
    one, same, other = (prepare.make_request(*places, seed) for seed in (0, 0, SEVENTEEN))
    assert "task_id" not in one
    assert "output_dir" not in one["run"]
    assert one["run"]["seed"] == 0
    json.dumps(one)
    assert prepare.recipe_of(one) == prepare.recipe_of(same) != prepare.recipe_of(other)


def test_a_service_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_URL", "postgresql://nobody:wrong@127.0.0.1:1/none")
    with pytest.raises(NoServiceError, match=r"did not start: .*127\.0\.0\.1"):
        demo.demo(None, 1)


def test_a_root_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    plan = demo.DemoPaths(tmp_path / "file" / "digits", tmp_path / "teacher", tmp_path / "runs")
    with pytest.raises(OutputFolderError, match="file"):
        demo._prepare(plan)


def test_spread_is_the_mean_and_the_sample_deviation() -> None:
    assert mean_and_deviation([0.9, 0.92, 0.94]) == "92.0 ± 2.0"
    assert mean_and_deviation([0.5]) == "50.0"
