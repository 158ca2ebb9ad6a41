"""`tandem db`: what it prints and how it exits; the sample rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from tandem.commands.guard import guarded
from tandem.commands.service import db
from tandem.server.db.database import Database
from tandem.server.db.sample_rows import REMARK, add_samples
from tandem.server.db.tables import EvaluationRow, History, Task
from tandem.server.db.upgrade import head, upgrade


@pytest.fixture
def address(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TANDEM_DATABASE_URL", url)
    return url


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_from_empty_to_samples(address: str, capsys: pytest.CaptureFixture[str]):
    assert db.status(False) == 1
    assert "It is empty" in printed(capsys)
    assert guarded(lambda: db.sample_data(False)) == 2
    assert "tandem db upgrade" in capsys.readouterr().err
    assert db.upgrade(True, False) == 0
    out = printed(capsys)
    assert "Created the table md_training_task." in out
    assert "Added the sample tasks TASK_001" in out
    assert db.status(False) == 0
    assert f"revision {head()}" in printed(capsys)
    assert db.upgrade(True, False) == 0
    assert printed(capsys).splitlines()[0] == "Nothing to do."
    assert db.sample_data(False) == 0
    assert "there already" in printed(capsys)


def test_as_json(address: str, capsys: pytest.CaptureFixture[str]):
    assert db.upgrade(False, True) == 0
    done = json.loads(printed(capsys))
    assert (done["revision"], done["samples"]) == (head(), [])
    assert db.status(True) == 0
    assert json.loads(printed(capsys))["state"] == "current"
    assert db.sample_data(True) == 0
    assert len(json.loads(printed(capsys))["samples"]) == 5
    assert db.downgrade("0001", True) == 0
    assert json.loads(printed(capsys))["done"]
    assert db.status(True) == 1
    assert json.loads(printed(capsys))["state"] == "behind"
    assert guarded(lambda: db.downgrade("base", True)) == 2


def test_status_makes_nothing_and_shows_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "home"))
    assert db.status(False) == 1
    assert not (tmp_path / "home").exists()
    capsys.readouterr()
    monkeypatch.setenv("TANDEM_DATABASE_URL", "mysql://root:s3cr3t@127.0.0.1:1/mark")
    assert guarded(lambda: db.status(False)) == 2
    said = capsys.readouterr()
    assert "s3cr3t" not in said.out + said.err


def test_samples_say_so_and_come_once(url: str):
    database = Database(url)
    upgrade(database)
    with database.write() as session:
        mine = Task(task_id="TASK_003", task_name="mine", teacher_model="t", student_model="s")
        session.add(mine)
    assert add_samples(database) == ["TASK_001", "TASK_002", "TASK_004", "TASK_005"]
    assert add_samples(database) == []
    with database.read() as session:
        tasks = {task.task_id: task for task in session.scalars(select(Task))}
        assert tasks["TASK_003"].task_name == "mine"
        assert {task.remark for key, task in tasks.items() if key != "TASK_003"} == {REMARK}
        assert [tasks[f"TASK_00{n}"].status for n in (1, 2, 4)] == ["COMPLETED"] * 3
        half = tasks["TASK_005"]
        assert (half.status, half.progress, half.current_epoch) == ("RUNNING", 50, 20)
        assert session.scalars(select(History.task_id)).all() == ["TASK_001"] * 5
        assert session.scalars(select(EvaluationRow.task_id)).all() == ["TASK_001"]
        total = session.scalar(select(func.count()).select_from(Task))
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE md_training_task SET del_flag = 1"))
    assert add_samples(database) == [], "a sample that a user deleted stays away"
    assert total == 5
    database.close()
