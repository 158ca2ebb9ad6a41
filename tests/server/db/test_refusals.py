"""A data base that cannot be used: one sentence, with the fix, and no password in it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url as parsed

from tandem.server.db.database import Database
from tandem.server.db.upgrade import check_at_start, status, upgrade
from tandem.spec.errors import SpecError
from tests.server.private_servers import SERVERS, private_server

PASSWORD = "s3cr3t-Wort"  # noqa: S105


def refusal(url: str) -> str:
    """What starting on it says, as upgrading and asking do."""
    said = set()
    for use in (check_at_start, status, upgrade):
        database = Database(url)
        with pytest.raises(SpecError) as caught:
            use(database)
        database.close()
        said.add(caught.value.sentence())
        assert caught.value.fix
    assert len(said) == 1
    sentence = said.pop()
    assert PASSWORD not in sentence
    assert "\n" not in sentence
    return sentence


def changed(url: str, **parts: object) -> str:
    return parsed(url).set(**parts).render_as_string(hide_password=False)


@pytest.mark.parametrize("kind", SERVERS)
def test_nobody_answers(kind: str, make_url: Callable[[str], str]):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        said = refusal(changed(make_url(kind), port=port, password=PASSWORD))
    assert "No data base answers at 127.0.0.1:" in said
    assert "Start it, or mend TANDEM_DATABASE_URL." in said


@pytest.mark.parametrize("kind", SERVERS)
def test_no_such_host(kind: str, make_url: Callable[[str], str]):
    assert "No data base answers at nowhere.invalid" in refusal(
        changed(make_url(kind), host="nowhere.invalid", password=PASSWORD)
    )


@pytest.mark.parametrize("kind", SERVERS)
def test_no_such_data_base(kind: str, make_url: Callable[[str], str]):
    said = refusal(changed(make_url(kind), database="nowhere_to_be_found"))
    assert "There is no data base nowhere_to_be_found" in said
    assert "CREATE DATABASE nowhere_to_be_found" in said


@pytest.mark.parametrize("kind", SERVERS)
def test_a_wrong_user(kind: str, make_url: Callable[[str], str]):
    said = refusal(changed(make_url(kind), username="nobody_here", password=PASSWORD))
    assert "refuses the user nobody_here or the password" in said


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_a_wrong_password(kind: str, make_url: Callable[[str], str]):
    said = refusal(changed(make_url(kind), password=PASSWORD))
    assert "refuses the user root or the password" in said


def test_a_wrong_password_and_a_missing_right_postgresql():
    with private_server("postgresql") as server:
        server.run(f"CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'")
        server.run("CREATE SCHEMA own", "tandem_test")
        server.run("REVOKE CREATE ON SCHEMA public FROM PUBLIC", "tandem_test")
        rules = server.data_folder / "pg_hba.conf"
        guard = "host all guarded 127.0.0.1/32 scram-sha-256\n"
        rules.write_text(guard + rules.read_text())
        server.run("SELECT pg_reload_conf()")
        guarded = changed(server.url, username="guarded", password=PASSWORD)
        assert "refuses the user guarded" in refusal(guarded.replace(PASSWORD, "wrong"))
        assert "refuses the user guarded" in refusal(changed(server.url, username="guarded"))
        database = Database(guarded)
        with pytest.raises(SpecError, match="lacks a right.* Grant all rights"):
            upgrade(database)
        database.close()


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_a_missing_right(kind: str, make_url: Callable[[str], str]):
    url = make_url(kind)
    name = parsed(url).database
    admin = Database(url)
    user = f"guarded_{name}"[:30]
    try:
        with admin.engine.begin() as connection:
            made = f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'"
            connection.execute(text(made))
        guarded = changed(url, username=user, password=PASSWORD)
        assert f"The user {user} lacks a right to the data base {name}" in refusal(guarded)
        with admin.engine.begin() as connection:
            connection.execute(text(f"GRANT SELECT ON {name}.* TO {user}@'127.0.0.1'"))
        database = Database(guarded)
        with pytest.raises(SpecError, match="lacks a right"):
            upgrade(database)
        database.close()
    finally:
        with admin.engine.begin() as connection:
            connection.execute(text(f"DROP USER IF EXISTS {user}@'127.0.0.1'"))
        admin.close()


def test_a_table_that_somebody_holds(make_url: Callable[[str], str], monkeypatch):
    monkeypatch.setattr("tandem.server.db.upgrade.LOCK_SECONDS", 1)
    for kind in SERVERS:
        database = Database(make_url(kind))
        with database.engine.begin() as connection:
            made = "CREATE TABLE md_training_task (id BIGINT {} PRIMARY KEY, task_id VARCHAR(64))"
            counting = {
                "mariadb": "AUTO_INCREMENT",
                "mysql": "AUTO_INCREMENT",
                "postgresql": "GENERATED ALWAYS AS IDENTITY",
            }
            connection.execute(text(made.format(counting[kind])))
        with database.engine.connect() as reader:
            reader.execute(text("SELECT * FROM md_training_task"))  # an open transaction
            with pytest.raises(SpecError, match="Somebody else holds"):
                upgrade(database)
        assert upgrade(database)
        database.close()


def test_a_file_that_is_no_data_base(tmp_path: Path):
    (tmp_path / "letter").write_text("Dear all,\n" * 1000)
    assert "is no sound SQLite data base" in refusal(f"sqlite:///{tmp_path / 'letter'}")
    assert (tmp_path / "letter").read_text() == "Dear all,\n" * 1000


def test_a_folder_as_the_file(tmp_path: Path):
    assert "cannot be opened for writing" in refusal(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_memory_is_no_place(url: str):
    with pytest.raises(SpecError, match="is lost with its process"):
        Database(url)


def test_a_folder_that_cannot_be(tmp_path: Path):
    (tmp_path / "file").touch()
    for use in (check_at_start, upgrade):
        with pytest.raises(SpecError, match="file cannot be written"):
            use(Database(f"sqlite:///{tmp_path / 'file' / 'tandem.db'}"))
    with pytest.raises(SpecError, match="cannot be written"):
        check_at_start(Database("sqlite:////proc/no/tandem.db"))


def test_the_first_start_makes_the_folder_for_its_owner(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'new' / 'tandem.db'}")
    assert check_at_start(database)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    database.close()
