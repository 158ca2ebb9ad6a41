"""A data base that dies and comes back: what was written is there, connections heal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from tandem.server.db.database import Database
from tandem.server.db.tables import Lease, Table
from tests.server.private_servers import SERVERS, PrivateServer, private_server


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[PrivateServer]:
    with private_server(request.param) as server:
        yield server


def test_connections_survive_a_restart(server: PrivateServer):
    database = Database(server.url)
    Table.metadata.create_all(database.engine)
    held = [database.engine.connect() for _ in range(3)]
    for one in held:  # so that the pool keeps more than one connection, all of them dead below
        one.close()
    for end, name in ((server.kill, "one"), (server.stop, "two")):
        with database.write() as session:
            session.add(Lease(name=name, owner="me"))
        end()
        assert not database.answers()
        with pytest.raises(OperationalError), database.write() as session:
            session.add(Lease(name=f"{name} lost", owner="me"))
        server.start()
        with database.read() as session:
            assert name in session.scalars(select(Lease.name)).all()
    database.close()
