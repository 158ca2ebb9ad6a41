"""`teacher.others` of a client: names found as the first teacher's, paths confined as its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from tandem.config.fill import fill
from tandem.config.settings import Settings, load
from tandem.server.errors import ForbiddenError
from tandem.server.tasks.creation.allowed_paths import confine
from tandem.server.tasks.creation.requirements import missing_requirements


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    models = tmp_path / "models"
    (models / "second").mkdir(parents=True)
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TANDEM_MODELS_ROOT", str(models))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    return load()


def tree(*others: str) -> dict:
    return {
        "task_id": "T", "data": {"dataset": "d"}, "run": {"output_dir": "/tmp/out"},
        "teacher": {"path": "second", "others": list(others)},
    }  # fmt: skip


@pytest.mark.parametrize("name", ["/etc", "../x", "second/../../x", "~/x"])
def test_one_outside_of_the_models_root_is_refused(settings: Settings, name: str) -> None:
    with pytest.raises(ForbiddenError):
        confine(tree(name), {}, settings)


def test_one_inside_becomes_its_folder_and_a_catalog_name_its_hub_id(
    settings: Settings, tmp_path: Path
) -> None:
    given = tree("second", "dinov2-base")
    confine(given, {}, settings)
    spec = fill(given, {}, settings)[0]
    assert spec.teacher is not None
    folder, hub_id = spec.teacher.others
    assert folder == str(tmp_path / "models" / "second")
    assert hub_id == "facebook/dinov2-base"
    lacking = [one.what for one in missing_requirements(spec, settings)]
    assert any("dinov2-base" in one for one in lacking)
    assert not any("second" in one for one in lacking)
