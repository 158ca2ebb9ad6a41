"""`tandem demo` in small: one epoch of one seed, through the real engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tandem.train import final_model, report
from tandem.train.demo import recipe, run, teach
from tandem.train.demo.summary import spread


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_LANG", "en")
    monkeypatch.setattr(recipe, "EPOCHS", 1)
    lesson = teach.Lesson(epochs=1)
    taught = teach.teach
    monkeypatch.setattr(
        teach, "teach", lambda folder, data, watcher: taught(folder, data, lesson, watcher)
    )


@pytest.mark.usefixtures("short")
def test_it_teaches_compares_and_leaves_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(tmp_path, seeds=1) == 0
    said = capsys.readouterr().out
    folder = tmp_path / "demo" / "runs" / "demo-seed-0"
    table = said[said.index("accuracy on val") :]
    for who in ("teacher (tower, probe)  ", "resnet18, taught  ", "resnet18, labels only  "):
        assert who in table
    assert "stands in for a pretrained one" in said
    assert "--teacher_path" in said
    assert "has seen all 1297 train labels" in table
    assert str(folder / "final_model") in table
    assert str(folder / "report.json") in table
    student, config = final_model.load(folder / "final_model")
    assert config.classes == list("0123456789")
    assert student.image_size == 32
    written = report.read(folder)
    assert written.baseline is not None
    assert written.data.labelled_images == 100
    # As many steps on labels alone: 41 batches against 4 an epoch.
    assert written.baseline.epochs == 11

    before = (folder / "events.jsonl").read_bytes()
    assert run.main(tmp_path, seeds=1) == 0
    again = capsys.readouterr().out
    assert (folder / "events.jsonl").read_bytes() == before
    assert table.splitlines()[0] in again


@pytest.mark.parametrize("ours", [True, False])
def test_only_a_run_of_its_own_makes_room_for_a_later_version(
    ours: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "demo-seed-0"
    places = {name: tmp_path / name for name in ("datasets", "teacher", "cache")}
    spec = recipe.make_spec(folder, **places, seed=0)
    folder.mkdir()
    (folder / "spec.json").write_text(spec.model_dump_json(indent=1))
    (folder / "kept").touch()
    given: list[str] = []
    monkeypatch.setattr(run, "train", lambda argv: given.append(Path(argv[0]).read_text()) or 0)
    assert run._train(spec, ours=ours) == 0
    assert (folder / "kept").exists()
    later = spec.model_copy(update={"mode": "direct", "teacher": None})
    assert run._train(later, ours=ours) == 0
    assert (folder / "kept").exists() is not ours
    assert given == [one.model_dump_json(indent=1) for one in (spec, later)]


def test_spread_is_the_mean_and_the_sample_deviation() -> None:
    assert spread([0.9, 0.92, 0.94]) == "92.0 ± 2.0"
    assert spread([0.5]) == "50.0"
