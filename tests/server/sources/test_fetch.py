"""Rows of a real data base as a data set: read only, below a root, each fault with its row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from tandem.cli import app
from tandem.commands.data.fetch import write_rows
from tandem.config.data_sources import DataSource, find_source
from tandem.config.settings import load
from tandem.config.settings_file import masked_in_table
from tandem.data.inspection.check import report
from tandem.server.db.database import Database
from tandem.spec.errors import DataError, SpecError
from tandem.spec.run import DataSpec
from tandem.train.data import classification
from tandem.train.types import SilentProgress
from tests.data import make

QUERY = "SELECT path, label, split FROM told ORDER BY number"
ROWS = [("a/1.png", "cat", "train"), ("a/2.png", "狗", None), ("a/3.png", "cat", "valid"),
        ("4.png", "狗", "val"), ("5.png", None, "train")]  # fmt: skip


def source(database: Database, root: Path | None, query: str = QUERY) -> DataSource:
    url = database.url.render_as_string(hide_password=False)
    return DataSource("told", url, query, root, "classification" if root else "text")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for seed, (name, *_) in enumerate(ROWS):
        make.draw(tmp_path / "pictures" / name, [], seed)
    return tmp_path / "pictures"


def fill(database: Database, rows: list[tuple[str | None, str | None, str | None]]) -> None:
    with database.write() as session:
        session.execute(text("DROP TABLE IF EXISTS told"))
        session.execute(text("CREATE TABLE told (number INTEGER, path VARCHAR(200), "
                             "label VARCHAR(50), split VARCHAR(20))"))  # fmt: skip
        for number, (path, label, split) in enumerate(rows):
            values = {"n": number, "p": path, "l": label, "s": split}
            session.execute(text("INSERT INTO told VALUES (:n, :p, :l, :s)"), values)


@pytest.fixture
def filled(database: Database) -> Database:
    fill(database, list(ROWS))
    return database


def test_rows_become_a_dataset_and_are_fetched_anew(
    filled: Database, root: Path, tmp_path: Path
) -> None:
    target = tmp_path / "told"
    said = write_rows(source(filled, root), target)
    assert (said.items, said.classes) == ({"train": 3, "val": 2}, ["cat", "狗"])
    checked = report(target)
    assert checked.ok, checked.faults
    assert checked.items == {"train": 3, "val": 2}
    fill(filled, [*ROWS[:4]])
    assert write_rows(source(filled, root), target).items == {"train": 2, "val": 2}
    query = "SELECT path, label, split FROM told WHERE path LIKE 'a%' ORDER BY number"
    assert write_rows(source(filled, root, query), target).items == {"train": 2, "val": 1}
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".told")] == []


def test_a_fault_names_its_row_and_no_path_leaves_the_root(
    database: Database, root: Path, tmp_path: Path
) -> None:
    make.draw(tmp_path / "outside.png", [], 9)
    wrong = [("../outside.png", "cat", None), ("gone.png", "cat", None), ("a/1.png", "狗", None),
             ("4.png", "cat", "holdout"), (None, "cat", None)]  # fmt: skip
    fill(database, [*ROWS, *wrong])
    target = tmp_path / "told"
    with pytest.raises(DataError, match="told:6"):
        write_rows(source(database, root), target)
    assert not target.exists()
    said = write_rows(source(database, root), target, leave_out=True)
    assert [one.split(": ")[0] for one in said.left_out] == [f"told:{n}" for n in range(6, 11)]
    assert "lies outside" in said.left_out[0]


def test_it_only_reads(filled: Database, root: Path, tmp_path: Path) -> None:
    for query in ("DELETE FROM told", "DROP TABLE told", "SELECT 1"):
        with pytest.raises((DataError, SpecError)):
            write_rows(source(filled, root, query), tmp_path / "told")
    with filled.read() as session:
        assert session.execute(text("SELECT COUNT(*) FROM told")).scalar() == len(ROWS)


def test_texts_and_what_was_not_fetched_stays(filled: Database, tmp_path: Path) -> None:
    said = write_rows(source(filled, None), tmp_path / "told")
    assert (said.format, said.items) == ("text", {"train": 3, "val": 2})
    make.text(tmp_path / "mine")
    with pytest.raises(DataError, match="was not fetched"):
        write_rows(source(filled, None), tmp_path / "mine")


def test_the_configuration_says_it_and_no_password_is_shown(tmp_path: Path) -> None:
    make.write(tmp_path / "tandem.yaml",
               "data_sources:\n  told:\n    url: mysql://r:${PW}@127.0.0.1:1/x\n"
               "    query: SELECT a, b FROM c\n    root: ./pictures\n")  # fmt: skip
    settings = load({"PW": "geheim", "TANDEM_HOME": str(tmp_path)}, tmp_path)
    found = find_source("told", settings.data_sources)
    assert (found.root, found.kind) == (tmp_path / "pictures", "classification")
    assert "geheim" in found.url
    assert "geheim" not in repr(found)
    assert masked_in_table("data_sources", found.url) == "mysql://r:********@127.0.0.1:1/x"
    with pytest.raises(DataError) as caught:
        write_rows(found, tmp_path / "told")
    assert "geheim" not in f"{caught.value.sentence()} {caught.value.__cause__}"
    with pytest.raises(SpecError, match="no data source"):
        find_source("other", settings.data_sources)


def test_the_command_fetches_what_can_be_trained_on(
    make_url: Callable[[str], str], root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_HOME", str(home))
    url = make_url("sqlite")
    fill(Database(url), list(ROWS))
    make.write(home / "tandem.yaml",
               f"data_sources:\n  told:\n    url: {url}\n    query: {QUERY}\n"
               f"    root: {root}\n")  # fmt: skip
    done = CliRunner().invoke(app, ["data", "fetch", "told", "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["items"] == {"train": 3, "val": 2}
    spec = DataSpec(dataset=str(home / "datasets" / "told"))
    splits = classification.read(spec, index_root=None, progress=SilentProgress())
    assert (splits.train.classes, sorted(splits.train.labels_N.tolist())) == (
        ("cat", "狗"), [-1, 0, 1],
    )  # fmt: skip
