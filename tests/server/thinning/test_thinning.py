"""What old runs can do without: shown first, then deleted, and never what is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tandem.server.db.tables import Job, Task
from tandem.server.thinning.rule import spare


def checkpoint(folder: Path, name: str, *, best: int = 2, whole: bool = True) -> Path:
    made = folder / "checkpoints" / name
    made.mkdir(parents=True)
    (made / "model.safetensors").write_bytes(b"x" * 100)
    (made / "position.json").write_text(json.dumps({"best_epoch": best}))
    if whole:
        files = {"model.safetensors": "…", "position.json": "…"}
        (made / "manifest.json").write_text(json.dumps(files))
    return made


@pytest.fixture
def run(home: Path) -> Path:
    folder = home / "runs" / "TASK_0000000A"
    for epoch in range(1, 7):
        checkpoint(folder, f"epoch-{epoch:06d}")
    checkpoint(folder, "epoch-000006-step-000003")
    checkpoint(folder, "epoch-000007", whole=False)
    checkpoint(folder, "damaged-epoch-000003")
    checkpoint(folder, ".epoch-000004.123")
    return folder


def left(folder: Path) -> list[str]:
    return sorted(one.name for one in (folder / "checkpoints").iterdir())


def names(folder: Path, every: int) -> set[str]:
    return {item.path.name for item in spare(folder / "checkpoints", every)}


def test_the_last_the_best_and_every_nth_stay(run: Path):
    gone = {"epoch-000007", "damaged-epoch-000003", ".epoch-000004.123"}
    plain = {f"epoch-{epoch:06d}" for epoch in (1, 3, 4, 5, 6)}
    assert names(run, 0) == gone | plain
    assert names(run, 3) == gone | (plain - {"epoch-000003", "epoch-000006"})


def test_nothing_goes_while_nothing_whole_is_there(home: Path):
    folder = home / "runs" / "x"
    checkpoint(folder, "epoch-000001", whole=False)
    assert names(folder, 0) == set()
    assert spare(home / "nothing", 0) == []


def test_where_the_best_cannot_be_told_all_stay(run: Path):
    (run / "checkpoints" / "epoch-000006-step-000003" / "position.json").write_text("{")
    assert not {f"epoch-{epoch:06d}" for epoch in range(1, 7)} & names(run, 0)


def add(client: TestClient, run: Path, **job: object) -> None:
    status = job.pop("status", "STOPPED")
    database = client.app.state.context.database
    with database.write() as session:
        task = Task(task_id=run.name, task_name="a", teacher_model="t", student_model="s")
        task.status = status
        session.add(task)
        session.add(Job(task_id=run.name, run_dir=str(run), **job))


def test_it_shows_before_it_deletes(client: TestClient, run: Path):
    add(client, run)
    before = left(run)
    shown = client.post("/api/v1/gc", json={}).json()
    assert (shown["deleted"], left(run)) == (False, before)
    assert shown["total_bytes"] == sum(item["size_bytes"] for item in shown["items"]) > 0
    done = client.post("/api/v1/gc", json={"dry_run": False}).json()
    assert done["items"] == shown["items"]
    assert left(run) == ["epoch-000002", "epoch-000006-step-000003"]
    assert client.post("/api/v1/gc", json={"dry_run": False}).json()["items"] == []


@pytest.mark.parametrize("job", [{"live": 1}, {"status": "RUNNING"}, {"status": "PAUSED"}])
def test_a_run_that_may_go_on_is_left_alone(client: TestClient, run: Path, job: dict):
    add(client, run, **job)
    assert client.post("/api/v1/gc", json={"dry_run": False}).json()["items"] == []


def test_nothing_outside_of_the_root_is_touched(client: TestClient, run: Path, tmp_path: Path):
    outside = run.rename(tmp_path / run.name)
    add(client, outside)
    assert client.post("/api/v1/gc", json={"dry_run": False}).json()["items"] == []
    run.symlink_to(outside)
    with client.app.state.context.database.write() as session:
        session.get(Job, run.name).run_dir = str(run)
    assert client.post("/api/v1/gc", json={"dry_run": False}).json()["items"] == []
    assert len(left(outside)) == 10
