"""A run is asked to save now: a file in its folder, and nothing else of it is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tandem.spec.save_request import SAVE_NOW
from tests.server.tasks.conftest import V1, make, set_row


@pytest.fixture
def running(one: TestClient) -> tuple[str, Path]:
    task_id = make(one)["taskId"]
    folder = one.app.state.context.settings.output_root / task_id
    folder.mkdir(parents=True)
    set_row(one, task_id, status="RUNNING", live=1)
    return task_id, folder


def test_a_run_is_asked_by_a_file_in_its_folder(one: TestClient, running: tuple[str, Path]):
    task_id, folder = running
    for _ in range(2):
        said = one.post(f"{V1}/{task_id}/save")
        assert (said.status_code, said.json()["status"]) == (202, "RUNNING")
        assert [file.name for file in folder.iterdir()] == [SAVE_NOW]


@pytest.mark.parametrize(
    "columns",
    [{"status": "PENDING"}, {"status": "COMPLETED"}, {"live": 0}, {"wanted": "stop"}],
)
def test_what_does_not_run_here_is_not_asked(
    one: TestClient, running: tuple[str, Path], columns: dict[str, object]
):
    task_id, folder = running
    set_row(one, task_id, **columns)
    refused = one.post(f"{V1}/{task_id}/save")
    assert refused.status_code == 409
    assert refused.json()["detail"]
    assert list(folder.iterdir()) == []


def test_nothing_is_written_elsewhere(one: TestClient, running: tuple[str, Path], tmp_path: Path):
    task_id, folder = running
    (tmp_path / "elsewhere").mkdir()
    set_row(one, task_id, run_dir=str(tmp_path / "elsewhere"))
    assert one.post(f"{V1}/{task_id}/save").status_code == 409
    set_row(one, task_id, run_dir=str(folder))
    (folder / SAVE_NOW).symlink_to(tmp_path / "elsewhere" / "made")
    assert one.post(f"{V1}/{task_id}/save").status_code == 409
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert one.post(f"{V1}/none/save").status_code == 404
