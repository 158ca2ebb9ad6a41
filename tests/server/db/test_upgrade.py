"""An empty data base becomes this version's; again, at once, cut in the middle, and back."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, func, inspect, select, text

import tandem.server.db.upgrade as schema
from tandem.server.db.database import Database
from tandem.server.db.tables import PresetRow, Table, Task, TaskEvent
from tandem.server.db.upgrade import (
    REVISIONS,
    VERSION_TABLE,
    SchemaState,
    check_at_start,
    downgrade,
    head,
    status,
    upgrade,
)
from tandem.spec.errors import SpecError


@pytest.fixture
def empty(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


def differences(database: Database) -> list[object]:
    """What Alembic would still change to make the data base what tables.py says."""
    with database.engine.connect() as connection:
        options = {
            "version_table": VERSION_TABLE,
            "compare_type": True,
            "compare_server_default": same_default,
        }
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, Table.metadata))


def same_default(_context, _inspected, _column, has, _wanted, wants) -> bool:
    """False: the same. Servers write 3.0 as '3.00' or '3.0'::numeric."""

    def plain(value: str | None) -> object:
        if value is None or "nextval" in value:
            return None
        value = re.sub(r"::[\w ]+$", "", value).strip("'()")
        return float(value) if re.fullmatch(r"[\d.]+", value) else value

    return plain(has) != plain(wants)


def test_scripts_make_what_tables_say(empty: Database):
    assert status(empty).state is SchemaState.EMPTY
    assert "Created the table md_training_task." in upgrade(empty)
    assert differences(empty) == []
    assert status(empty).state is SchemaState.CURRENT


def test_a_column_that_no_script_makes_is_noticed(empty: Database):
    upgrade(empty)
    with empty.engine.begin() as connection:
        connection.execute(text("ALTER TABLE md_lease DROP COLUMN beat"))
        connection.execute(text("ALTER TABLE md_task_attempt DROP COLUMN message"))
    assert len(differences(empty)) == 2


def test_twice_is_once(empty: Database):
    upgrade(empty)
    before = rows(empty)
    assert upgrade(empty) == []
    assert rows(empty) == before
    with empty.read() as session:
        assert session.scalars(select(PresetRow.preset_name).order_by(PresetRow.id)).all() == [
            "标准配置",
            "高效配置",
            "高精度配置",
            "全参数配置",
        ]


def test_presets_that_a_user_deleted_stay_away(empty: Database):
    upgrade(empty)
    with empty.engine.begin() as connection:
        connection.execute(text("DELETE FROM md_lora_preset"))
    upgrade(empty)
    check_at_start(empty)
    with empty.read() as session:
        assert session.scalar(select(func.count()).select_from(PresetRow)) == 0


def test_the_constant_is_the_scripts_head():
    folder = Path(schema.__file__).with_name("migrations")
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert [one.revision for one in scripts.walk_revisions()] == list(reversed(REVISIONS))
    assert scripts.get_heads() == [head()]


def test_two_at_once_make_it_once(empty: Database):
    """In two processes, and two threads beside: one works, the others find it done."""
    url = empty.url.render_as_string(hide_password=False)
    code = "import sys; from tandem.server.db.database import Database; "
    code += "from tandem.server.db.upgrade import upgrade; "
    code += "print(len(upgrade(Database(sys.argv[1]))))"
    others = [
        subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    counts: list[int] = []

    def work() -> None:
        database = Database(url)
        counts.append(len(upgrade(database)))
        database.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts += [int(other.communicate(timeout=60)[0]) for other in others]
    assert sorted(counts)[:3] == [0, 0, 0]
    assert max(counts) > 0
    assert differences(empty) == []


# MySQL and MariaDB keep what was done before the cut; the others take all back, wherever it is.
CUTS = [("mariadb", at) for at in (1, 3, 6, 12, 20, 27)]
CUTS += [("mysql", at) for at in (6, 20)]
CUTS += [(kind, at) for kind in ("sqlite", "postgresql") for at in (1, 27)]


@pytest.mark.parametrize(("url", "at"), CUTS, indirect=["url"])
def test_an_upgrade_that_was_cut_is_finished_by_the_next(empty: Database, at: int, monkeypatch):
    """The connection dies before its `at`th change, as with a killed process."""
    cut_at(monkeypatch, at)
    with pytest.raises((ConnectionAbortedError, SpecError)):
        upgrade(empty)
    monkeypatch.undo()
    assert status(empty).state is not SchemaState.CURRENT
    upgrade(empty)
    assert differences(empty) == []
    with empty.read() as session:
        assert session.scalar(select(func.count()).select_from(PresetRow)) == 4


def cut_at(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    changes = 0
    config = schema._config

    def with_scissors(connection: Connection) -> Config:
        def cut(connection, cursor, statement, *_rest) -> None:
            nonlocal changes
            if re.match(r"\s*(CREATE|ALTER|INSERT|UPDATE|DROP)", statement):
                changes += 1
                if changes == at:
                    cursor.connection.close()
                    raise ConnectionAbortedError

        event.listen(connection, "before_cursor_execute", cut)
        return config(connection)

    monkeypatch.setattr(schema, "_config", with_scissors)


def test_a_newer_data_base_is_left_alone(empty: Database):
    upgrade(empty)
    with empty.engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0999'"))
    assert status(empty).state is SchemaState.NEWER
    for refused in (upgrade, check_at_start, lambda database: downgrade(database, "0001")):
        with pytest.raises(SpecError, match="0999, made by a newer Tandem"):
            refused(empty)


def test_the_way_back_loses_nothing(empty: Database):
    upgrade(empty)
    with empty.write() as session:
        session.add(Task(task_id="T", task_name="一🙂", teacher_model="t", student_model="s"))
        session.add(TaskEvent(task_id="T", at=schema_time(), type="asked", body="{}"))
    before = rows(empty)
    for revision in ("0001", "base", "0000", "'; DROP TABLE md_task_event; --"):
        with pytest.raises(SpecError):
            downgrade(empty, revision)
    assert rows(empty) == before
    assert downgrade(empty, head()) == []
    with empty.engine.begin() as connection:
        connection.execute(text("DELETE FROM md_task_event"))
    downgrade(empty, "0001")
    assert set(inspect(empty.engine).get_table_names()) == schema.CONTRACT | {VERSION_TABLE}
    assert status(empty).state is SchemaState.BEHIND
    upgrade(empty)
    assert differences(empty) == []
    with empty.read() as session:
        assert session.scalars(select(Task.task_name)).all() == ["一🙂"]


def test_a_server_starts_only_on_a_current_schema(empty: Database):
    if empty.dialect == "sqlite":
        assert check_at_start(empty)
    else:
        with pytest.raises(SpecError, match="tandem db upgrade"):
            check_at_start(empty)
        assert inspect(empty.engine).get_table_names() == []
        upgrade(empty)
    assert check_at_start(empty) == []


def test_a_current_schema_is_seen_without_alembic(make_url: Callable[[str], str]):
    url = make_url("sqlite")
    check_at_start(Database(url))
    code = "import sys; from tandem.server.db.database import Database; "
    code += "from tandem.server.db.upgrade import check_at_start; "
    code += "check_at_start(Database(sys.argv[1])); "
    code += "sys.exit('alembic' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code, url], check=False).returncode == 0


def rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables."""
    with database.engine.connect() as connection:
        names = inspect(connection).get_table_names()
        return {
            name: sorted(tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}")))
            for name in names
        }


def schema_time():
    from tandem.server.host.clock import now

    return now()
