"""Which server dispatches: a row that its holder keeps beating, and a standby watches.

No machine's clock is compared to another's: the standby takes over once the beat has not moved for
some seconds of its own monotonic clock.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tandem.server.db.database import Database, changed_rows
from tandem.server.db.tables import Lease

NOBODY = ""
BEAT_SECONDS = 1.0
PATIENCE_SECONDS = 8.0


class LeaseHolder:
    """`hold()` before each tick: whether this server may dispatch now."""

    def __init__(
        self,
        database: Database,
        *,
        name: str = "dispatcher",
        owner: str | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.database, self.name = database, name
        self.owner = owner or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.patience_seconds = patience_seconds
        self.held = False
        self._clock = clock
        self._acted_at: float | None = None
        self._seen: tuple[str, int] | None = None
        self._seen_at = 0.0

    def hold(self) -> bool:
        """Renew, acquire, or look on; the data base is asked once a second. DBAPIError if away."""
        now = self._clock()
        if self._acted_at is not None and now - self._acted_at < BEAT_SECONDS:
            return self.held
        # Should the data base not answer, this server must not go on as if it were the one.
        was_held, self.held = self.held, False  # until the data base says so
        self.held = (was_held and self._renew()) or self._acquire(now)
        self._acted_at = now
        return self.held

    def release(self) -> None:
        """A successor need not wait."""
        if self.held:
            self.held = False
            self._acted_at = None
            self.database.run(
                lambda session: self._update(session, Lease.owner == self.owner, NOBODY)
            )

    def _renew(self) -> bool:
        return self.database.run(
            lambda session: self._update(session, Lease.owner == self.owner, self.owner)
        )

    def _acquire(self, now: float) -> bool:
        with self.database.read() as session:
            found = session.execute(
                select(Lease.owner, Lease.beat).where(Lease.name == self.name)
            ).one_or_none()
        if found is None:
            return self._insert()
        owner, beat = found
        # It has moved since the last look: its holder lives, by our clock from now on.
        if (owner, beat) != self._seen:
            self._seen, self._seen_at = (owner, beat), now
            if owner not in (NOBODY, self.owner):
                return False
        if owner not in (NOBODY, self.owner) and now - self._seen_at < self.patience_seconds:
            return False
        # Compare and set: of two standbys that lost patience together one gets it.
        same = (Lease.owner == owner) & (Lease.beat == beat)
        return self.database.run(lambda session: self._update(session, same, self.owner))

    def _insert(self) -> bool:
        try:
            with self.database.write() as session:
                session.add(Lease(name=self.name, owner=self.owner, beat=1))
        except IntegrityError:  # another was quicker
            return False
        return True

    def _update(self, session: Session, where: ColumnElement[bool], owner: str) -> bool:
        beaten = changed_rows(
            session,
            update(Lease)
            .where(Lease.name == self.name, where)
            # Counted by the data base: a beat that was read before would hide another one's.
            .values(owner=owner, beat=Lease.beat + 1),
        )
        return beaten == 1
