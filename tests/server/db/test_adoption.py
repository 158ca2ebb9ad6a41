"""An installed system's data base is adopted: nothing lost, nothing changed, all there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import inspect, select, text

from tandem.server.db.database import Database
from tandem.server.db.tables import Job, PresetRow, Table, Task
from tandem.server.db.upgrade import SchemaState, check_at_start, status, upgrade
from tandem.spec.errors import SpecError
from tests.server.db.installed import IDS, contents, install


@pytest.fixture
def installed(url: str) -> Iterator[Database]:
    database = Database(url)
    install(database)
    yield database
    database.close()


def test_nothing_is_lost_or_changed(installed: Database):
    before = contents(installed)
    assert before["md_training_task"][0]["dataset_id"] == "9007199254740993"
    done = upgrade(installed)
    after = contents(installed)
    for table, rows in before.items():
        columns = rows[0]
        kept = [{name: row[name] for name in columns} for row in after[table][: len(rows)]]
        assert kept == rows, table
    assert "Added the column md_training_task.task_type." in done
    assert "Created the table md_model_evaluation." in done
    assert status(installed).state is SchemaState.CURRENT
    assert upgrade(installed) == []
    assert contents(installed) == after


def test_what_was_missing_is_there(installed: Database):
    upgrade(installed)
    with installed.engine.connect() as connection:
        there = inspect(connection)
        for table in Table.metadata.tables.values():
            have = {column["name"]: column for column in there.get_columns(table.name)}
            assert have.keys() >= set(table.columns.keys())
        columns = {column["name"]: column for column in there.get_columns("md_training_task")}
        assert "tenant_code" in columns
        if installed.dialect != "sqlite":
            assert columns["dataset_id"]["type"].length == 100
            assert columns["model_path"]["type"].length == 500
        assert "b%" in str(columns["model_path"]["default"])
        assert "7" in columns["val_dataset_id"]["default"]
        assert columns["total_epochs"]["default"] is not None
        firsts = [one["column_names"][0] for one in there.get_indexes("md_training_task")]
        for column in ("create_time", "teacher_model", "student_model", "task_id", "dataset_id"):
            assert column in firsts
        assert firsts.count("status") == 1, "an index of another name does"
        if installed.dialect == "mysql":
            assert columns["dataset_id"]["comment"] == "数据集: 100% 的"
            assert columns["model_path"]["type"].collation == "latin1_bin"


def test_the_service_works_on_it(installed: Database):
    upgrade(installed)
    check_at_start(installed)
    with installed.write() as session:
        session.add(Task(task_id="n", task_name="新", teacher_model="t", student_model="s"))
        session.add(Job(task_id="TASK_9", priority=3))
    with installed.read() as session:
        old = session.scalars(select(Task).where(Task.task_id == "TASK_9")).one()
        assert (old.dataset_id, old.del_flag, old.progress) == ("9007199254740993", 0, 0)
        assert old.task_name == "检测 🙂 'x'"
        # MySQL refuses to compare two texts of different collations.
        joined = select(Job.priority).join(Task, Task.task_id == Job.task_id)
        assert session.scalars(joined).all() == [3]
        names = session.execute(select(PresetRow.preset_name, PresetRow.lora_rank)).all()
    assert sorted(name for name, _ in names) == sorted(
        ["高效配置", "我的", "标准配置", "高精度配置", "全参数配置"]
    )
    assert ("高效配置", 99) in [tuple(row) for row in names], "the user's own, though deleted"


def test_a_file_keeps_its_triggers_views_and_children(make_url):
    database = Database(make_url("sqlite"))
    install(database)
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM md_training_task WHERE id = 3"))
    upgrade(database)
    with database.write() as session:
        task = Task(task_id="n", task_name="n", teacher_model="t", student_model="s")
        task.dataset_id = "007"
        session.add(task)
    with database.engine.connect() as connection:
        assert connection.scalar(text("SELECT task FROM sys_user")) == 4, "3 was given before"
        assert connection.scalar(text("SELECT COUNT(*) FROM child")) == 1
        seen = connection.execute(text("SELECT dataset_id FROM seen ORDER BY task_id")).scalars()
        assert list(seen) == [None, "9007199254740993", "007"]
        assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
    database.close()


def test_rows_that_share_a_key_are_kept(installed: Database):
    with installed.engine.begin() as connection:
        again = "INSERT INTO md_lora_preset (preset_name, del_flag) VALUES ('我的', 1)"
        connection.execute(text(again))
    done = upgrade(installed)
    assert any("share a value of preset_name" in one for one in done)
    with installed.read() as session:
        assert list(session.scalars(select(PresetRow.preset_name))).count("我的") == 2


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE sys_user RENAME TO md_model_evaluation", "no column task_id"),
        (
            "CREATE TABLE md_model_evaluation (id {id}, task_id VARCHAR(64), who INT NOT NULL)",
            "evaluation.who is not",
        ),
        ("CREATE TABLE md_model_evaluation (id VARCHAR(9), task_id VARCHAR(64))", "count up"),
    ],
)
def test_what_cannot_be_adopted_is_left_as_it_is(installed: Database, statement: str, said: str):
    with installed.engine.begin() as connection:
        connection.execute(text(statement.format(id=IDS[installed.dialect])))
    before = contents(installed)
    with pytest.raises(SpecError, match=said):
        upgrade(installed)
    after = contents(installed)
    assert {name: after[name] for name in before} == before
    assert status(installed).state is SchemaState.UNADOPTED
