"""Data sets validated, and runs' versions recorded, beside the dispatcher."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from typing import Required, TypedDict

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.datasets import recording, splitting, sweeping
from tandem.server.datasets.uploads import CHECKING, FAULTY, READY
from tandem.server.db.dataset_tables import DatasetRow
from tandem.server.host.clock import now
from tandem.spec.i18n import t

log = logging.getLogger(__name__)
REST_SECONDS = 1.0
LONGEST_SECONDS = 24 * 3600.0
MOST_FAULTS = 1000
"""Kept of one data set; the rest are counted."""


class CheckSaid(TypedDict, total=False):
    """What a process of ours prints: the check's report, or why a data set could not be made."""

    ok: Required[bool]
    format: str
    kind: str
    errors: int
    warnings: int
    items: dict[str, int]
    faults: list[dict[str, object]]
    message: str


class Checker:
    """A thread of its own: reading a large data set must hold nobody up. It survives a restart:

    what is CHECKING in its row is checked by the next server.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self._ending = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._loop, name="checker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._child is not None:
            self._child.kill()
        self._thread.join(10)

    def _loop(self) -> None:
        swept = False
        while not self._ending.wait(REST_SECONDS):
            dispatcher = self.context.dispatcher
            if dispatcher is None or not dispatcher.holds_lease:
                continue
            try:
                if not swept:
                    sweeping.sweep(self.context)
                    swept = True
                while not self._ending.is_set() and (self._check_one() or self._record_one()):
                    pass
            except (DBAPIError, OSError) as error:
                log.warning("A data set could not be looked at: %s", error)

    def _check_one(self) -> bool:
        with self.context.database.read() as session:
            found = select(DatasetRow.name_hash, DatasetRow.name).where(
                DatasetRow.status == CHECKING
            )
            row = session.execute(found.order_by(DatasetRow.created_at).limit(1)).one_or_none()
        if row is None:
            return False
        said = self._made(row.name) or self._report(row.name)
        if said is None or self._ending.is_set():  # the server is ending: the next one checks it
            return False
        self.context.database.run(lambda session: _keep(session, row.name_hash, said))
        return True

    def _report(self, name: str) -> CheckSaid | None:
        folder = self.context.settings.datasets_root / name
        return self._said(["-m", "tandem.data.inspection.check", str(folder)])

    def _made(self, name: str) -> CheckSaid | None:
        """Why what is to be split off from another one could not be; None: there is no such why."""
        job = splitting.waiting(self.context, name)
        if job is None:
            return None
        if not splitting.is_made(self.context, name):
            said = self._said(splitting.command(self.context, name, job))
            if said is None or not said["ok"]:
                return said
        splitting.done(self.context, name)
        return None

    def _said(self, arguments: list[str]) -> CheckSaid | None:
        """What a process of ours prints; None where the server is ending."""
        if self._ending.is_set():
            return None
        command = [sys.executable, *arguments]
        self._child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            out, _ = self._child.communicate(timeout=LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            out = b""
        if self._ending.is_set():
            return None
        try:
            found: CheckSaid = json.loads(out)
        except ValueError:
            return {"ok": False, "message": t("The check did not end as it should.")}
        return found

    def _record_one(self) -> bool:
        return recording.one(self.context)


def _keep(session: Session, name_hash: str, said: CheckSaid) -> None:
    row = session.get(DatasetRow, name_hash)
    if row is None or row.status != CHECKING:
        return
    row.status = READY if said.get("ok") else FAULTY
    row.type, row.kind = said.get("format") or row.type, said.get("kind") or None
    row.errors, row.warnings = said.get("errors"), said.get("warnings")
    row.samples = sum((said.get("items") or {}).values()) or row.samples
    faults = (said.get("faults") or [])[:MOST_FAULTS]
    row.summary = json.dumps({**said, "faults": faults}, ensure_ascii=False)
    row.message = said.get("message") or (str(faults[0]["sentence"]) if faults else None)
    row.checked_at = now()
