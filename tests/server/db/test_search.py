"""Keywords find what a look at every text finds, by an index that the data base keeps itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import insert, select, text, update

from tandem.server.db import search
from tandem.server.db.database import Database
from tandem.server.db.migrations import search_index
from tandem.server.db.tables import SearchGram, SearchNumber, Task
from tandem.server.db.upgrade import downgrade, upgrade
from tandem.server.tasks import queries
from tandem.server.tasks.list_query import TaskFilter

LETTERS = [
    "a",
    "A",
    "b",
    "é",
    "É",
    "%",
    "_",
    "/",
    "\\",
    "'",
    " ",
    "-",
    "9",
    "检",
    "测",
    "🙂",
    "ß",
    "ı",
]
TEXTS = [
    "net-9999",
    "NET-9",
    "检测任务",
    "花卉分类 ResNet-50",
    "100%_done",
    "a  b",
    "x" * 250,
    "é" * 4,
]
KEYWORDS = [
    "net-9",
    "NET",
    "检测",
    "任务",
    "测任",
    "%_d",
    "100%",
    "a  ",
    "  b",
    "xxxx",
    "éé",
    "ééé",
    "_0",
]


@pytest.fixture
def base(url: str) -> Iterator[Database]:
    database = Database(url)
    upgrade(database)
    yield database
    database.close()


def add(database: Database, names: list[str], first: int = 0) -> None:
    """As any program would, by SQL alone."""
    rows = [
        {"task_id": f"TASK_{n:08X}", "task_name": name, "teacher_model": "t", "del_flag": 0,
         "student_model": "s", "description": None if n % 3 else name[::-1]}
        for n, name in enumerate(names, first)
    ]  # fmt: skip
    with database.write() as session:
        session.execute(insert(Task), rows)


def by_index_and_without(database: Database, keyword: str) -> tuple[list[int], list[int]]:
    wanted = TaskFilter(keyword=keyword)
    with database.read() as session:
        every = select(Task.id).where(search.holds(keyword)).order_by(Task.id.desc())
        plain = list(session.scalars(every))
        found = queries.keys_of(session, wanted)
        assert queries.count(session, wanted) == len(found)
        assert [row["id"] for row in queries.page(session, wanted, 0, 7)] == found[:7]
        assert [row["id"] for row in queries.after(session, wanted, None, 5)] == found[:5]
        if len(found) > 2:
            rest = queries.after(session, wanted, found[1], 99)
            assert [row["id"] for row in rest] == found[2:]
    return found, plain


def test_nothing_is_missed_and_nothing_is_too_much(base: Database, monkeypatch):
    chance = random.Random(3)
    names = TEXTS + ["".join(chance.choices(LETTERS, k=chance.randint(1, 12))) for _ in range(40)]
    add(base, names)
    parts = [name[at : at + size] for name in names for at in (0, 1, 3) for size in (2, 3, 5)]
    parts = chance.sample([part for part in parts if part.strip()], 40)
    keywords = {*KEYWORDS, *parts, "zzzz", "TASK_00"}
    used = 0
    for keyword in sorted(keywords):
        found, plain = by_index_and_without(base, keyword)
        assert found == plain, keyword
        with base.read() as session:
            used += search.rarest_gram(session, keyword) is not None
    assert used > len(keywords) / 3
    monkeypatch.setattr(search, "COUNTED", ((8, 2), (3, 3)))  # all are too common
    for keyword in KEYWORDS:
        found, plain = by_index_and_without(base, keyword)
        assert found == plain, keyword


def test_what_changes_is_found_by_its_new_name(base: Database):
    add(base, ["first name", "second name"])
    with base.write() as session:
        session.execute(
            update(Task).where(Task.task_name == "first name").values(task_name="三 other words")
        )
        session.execute(update(Task).values(description="DESCRIBED"))
    for keyword, many in (("other", 1), ("first", 0), ("second", 1), ("described", 2)):
        found, plain = by_index_and_without(base, keyword)
        assert found == plain
        assert len(found) == many


def test_tasks_from_before_the_index_are_found_and_the_way_back_leaves_nothing(base: Database):
    downgrade(base, "0003")
    add(base, TEXTS)
    upgrade(base)
    for keyword in KEYWORDS:
        found, plain = by_index_and_without(base, keyword)
        assert found == plain
    assert by_index_and_without(base, "net-9")[0]
    with base.read() as session:
        assert search.rarest_gram(session, "net-9") is not None


def test_a_text_that_is_too_long_for_the_index_is_found(base: Database, monkeypatch):
    downgrade(base, "0003")
    monkeypatch.setattr(search_index, "MOST_LETTERS", 20)
    upgrade(base)
    add(base, ["short", "x" * 30 + " the end"])
    for keyword in ("the end", "short", "nowhere"):
        found, plain = by_index_and_without(base, keyword)
        assert found == plain


def test_without_the_right_to_a_trigger_every_text_is_read(
    base: Database, monkeypatch: pytest.MonkeyPatch
):
    downgrade(base, "0003")
    made = search_index._made
    monkeypatch.setattr(
        search_index, "_made", lambda connection: [*made(connection), "CREATE TRIGGER no rights"]
    )
    assert "without an index" in upgrade(base)[-1]
    add(base, TEXTS)
    with base.read() as session:
        assert session.scalars(select(SearchGram.gram)).first() is None
        assert session.scalars(select(SearchNumber.n)).first() is None
        assert search.rarest_gram(session, "net-9") is None
    found, plain = by_index_and_without(base, "net-9")
    assert found == plain
    assert len(found) == 2


def test_few_rows_are_read(make_url: Callable[[str], str]):
    database = Database(make_url("sqlite"))
    upgrade(database)
    add(database, [f"net-{n}" for n in range(300)])
    with database.read() as session:
        gram = search.rarest_gram(session, "net-299")
        wanted = TaskFilter(keyword="net-299")
        keys = queries._keys(wanted, None, 20, gram).order_by(*queries._order(wanted, gram))
        asked = keys.compile(session.connection(), compile_kwargs={"literal_binds": True})
        plan = " | ".join(row[3] for row in session.execute(text(f"EXPLAIN QUERY PLAN {asked}")))
    assert gram == "299"
    assert "md_search_gram USING PRIMARY KEY (gram=?)" in plan, plan
    assert "SCAN" not in plan
    database.close()
