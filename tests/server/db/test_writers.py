"""SQLite with many writers: each waits for its turn, none is refused, none is lost."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError, OperationalError

from tandem.server.db.database import Database, is_transient
from tandem.server.db.tables import Lease
from tests.server.private_servers import SERVERS

THREADS = 6
TIMES = 60

CODE = """
import sys
from tests.server.db.test_writers import add
add(sys.argv[1])
"""


def add(url: str) -> None:
    """THREADS threads count one row up TIMES times each: read, then write."""
    database = Database(url)

    def count(_thread: int) -> None:
        for _ in range(TIMES):
            with database.write() as session:
                lease = session.get_one(Lease, "count")
                lease.beat += 1
            with database.read() as session:
                assert session.get_one(Lease, "count").beat > 0

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(count, range(THREADS)))
    database.close()


def test_threads_and_processes_write_at_once(sqlite: Database):
    with sqlite.write() as session:
        session.add(Lease(name="count", owner="me"))
    url = sqlite.url.render_as_string(hide_password=False)
    others = [subprocess.Popen([sys.executable, "-c", CODE, url]) for _ in range(2)]
    add(url)
    assert [other.wait(60) for other in others] == [0, 0]
    with sqlite.read() as session:
        assert session.get_one(Lease, "count").beat == 3 * THREADS * TIMES
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA busy_timeout")) == 15_000


def test_readers_do_not_wait_for_a_writer(sqlite: Database):
    with sqlite.write() as writing:
        writing.add(Lease(name="a", owner="me"))
        writing.flush()
        with sqlite.read() as reading:
            assert reading.get(Lease, "a") is None
    with sqlite.read() as reading:
        assert reading.get(Lease, "a") is not None


@pytest.mark.parametrize("kind", SERVERS)
def test_a_lock_that_is_not_had_may_be_tried_again(make_url, kind: str):
    """Among them MySQL's 1205, whose SQLSTATE says nothing."""
    database = Database(make_url(kind))
    Lease.metadata.create_all(database.engine)
    with database.write() as session:
        session.add(Lease(name="a", owner="me"))
    patience = {
        "mariadb": "SET SESSION innodb_lock_wait_timeout = 1",
        "mysql": "SET SESSION innodb_lock_wait_timeout = 1",
        "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    }
    taken = update(Lease).values(owner="you")
    with database.engine.connect() as other:
        other.execute(text(patience[kind]))
        other.commit()
        other.execute(text("SELECT * FROM md_lease"))
        with pytest.raises((OperationalError, DBAPIError)) as caught:  # noqa: PT012
            with database.write() as session:
                session.execute(taken)
                if kind != "postgresql":
                    other.execute(taken)
            other.execute(taken)
        other.invalidate()
    assert is_transient(caught.value)
    database.close()
