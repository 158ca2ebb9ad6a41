"""From a row that waits to a process: claim it, start it, keep its handle, in this order.

A server may die between any two of these. A claimed row without a handle is looked up by its spec
file, whose name follows from task and attempt (`Executor.find`), so no run is started twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tandem.executors.base import RUN_TOKEN, TRAINER, Handle, Launch, LaunchError
from tandem.server.context import Context
from tandem.server.db.database import changed_rows
from tandem.server.db.tables import Attempt, Job
from tandem.server.host.clock import now
from tandem.server.tasks import apply
from tandem.server.tasks.advice import advice
from tandem.server.tasks.transitions import record_event
from tandem.spec import annotation
from tandem.spec.i18n import t
from tandem.spec.run import RunSpec
from tandem.spec.service_event import Launched
from tandem.spec.state import State

_PLAIN = re.compile(r"[^A-Za-z0-9_.-]")


class _OtherwiseError(Exception):
    """The row is not as it was read: nothing of the transaction stays."""


@dataclass(frozen=True)
class Claimed:
    """A row that is this server's to launch."""

    launch: Launch
    slots: tuple[str, ...]

    @property
    def token_hash(self) -> str:
        return digest(self.launch.token)


def digest(token: str) -> str:
    """What the row keeps of a run's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def spec_file(context: Context, task_id: str, attempt: int) -> Path:
    """Where the spec of one execution lies for its trainer."""
    return context.settings.home / "launch" / f"{_PLAIN.sub('_', task_id)}-{attempt}.json"


@dataclass
class Launcher:
    """Claims and launches; remembers handles that the data base could not take yet."""

    context: Context
    handles: dict[tuple[str, int], Handle] = field(default_factory=dict)
    launched: set[tuple[str, int]] = field(default_factory=set)
    """Executions, by task and attempt, that this server started and that are not seen ended."""

    def run(self, task_id: str, slots: tuple[str, ...], env: Mapping[str, str]) -> bool:
        """Launch a queued task on these slots; False when it was no longer queued."""
        claimed = self._claim(task_id, slots, env)
        if claimed is None:
            return False
        launch = claimed.launch
        try:
            handle = self.context.executor.launch(launch)
        except LaunchError as error:
            # Sure that nothing was started, so the slots are free at once. After any other fault
            # the row stays claimed, and the watcher finds by the spec file what came of it.
            self._give_up(launch, error.cause, error.sentence())
            return True
        # In memory first: should the data base be away now, the next tick stores it.
        self.handles[launch.task_id, launch.attempt] = handle
        self.launched.add((launch.task_id, launch.attempt))
        self.store_handle(launch.task_id, launch.attempt)
        return True

    def store_handle(self, task_id: str, attempt: int) -> None:
        """The handle into its row."""
        handle = self.handles[task_id, attempt]
        text = handle.model_dump_json()
        self.context.database.run(
            lambda session: _of_attempt(session, task_id, attempt, handle=text)
        )
        # Only now that the row has it: while the data base is away, each round tries again.
        del self.handles[task_id, attempt]

    def refuse(self, task_id: str, message: str, failure_class: str = "user_input") -> None:
        """A queued task that can never run here."""

        def work(session: Session) -> None:
            apply.failed(session, task_id, message, failure_class, advice(failure_class))

        self.context.database.run(work)

    def _claim(
        self, task_id: str, slots: tuple[str, ...], env: Mapping[str, str]
    ) -> Claimed | None:
        with self.context.database.read() as session:
            row = session.execute(
                select(Job.spec, Job.run_dir, Job.attempt).where(
                    Job.task_id == task_id, Job.live == 0
                )
            ).one_or_none()
        if row is None:
            return None
        attempt = row.attempt + 1
        file = spec_file(self.context, task_id, attempt)
        run_dir, text, module = _work(row.spec, row.run_dir, task_id)
        # Its hash alone is kept, so that who reads the data base cannot speak for a run.
        token = RUN_TOKEN + secrets.token_urlsafe(32)
        launch = Launch(task_id, attempt, file, run_dir, token, env, module)
        claimed = Claimed(launch, slots)
        try:
            # Before the claim: whoever finds the row claimed finds its spec.
            _write_private(file, text)
        except OSError as error:
            message = t(
                "The specification {path} cannot be written: {reason}.",
                path=file,
                reason=error.strerror,
            )
            self.refuse(task_id, message, "disk")
            return None
        name = self.context.executor.name
        try:
            won = self.context.database.run(lambda session: _take(session, claimed, name))
        except _OtherwiseError:
            return None
        return claimed if won else None

    def _give_up(self, launch: Launch, failure_class: str, message: str) -> None:
        def work(session: Session) -> None:
            # Only if the row is still this attempt's: another server may have found and ended it.
            free = {"live": 0, "devices": None, "token_hash": None}
            if _of_attempt(session, launch.task_id, launch.attempt, **free):
                apply.failed(session, launch.task_id, message, failure_class, advice(failure_class))
                close(
                    session, launch.task_id, launch.attempt, None, "failed", failure_class, message
                )

        self.context.database.run(work)


def _work(text: str, place: str | None, task_id: str) -> tuple[Path, str, str]:
    """The folder, what its file says, and what runs it: a training, or an annotation job."""
    job = annotation.parse(text)
    if job is not None:
        return job.run_dir, job.model_dump_json(indent=1), annotation.MODULE
    spec = RunSpec.model_validate_json(text)
    run_dir = Path(place or spec.run.output_dir)
    run = spec.run.model_copy(update={"output_dir": run_dir})
    spec = spec.model_copy(update={"task_id": task_id, "run": run})
    return run_dir, spec.model_dump_json(indent=1), TRAINER


def _take(session: Session, claimed: Claimed, executor: str) -> bool:
    """QUEUED to RUNNING, once: of two servers at it, one gets the row."""
    launch = claimed.launch
    if not apply.running(session, launch.task_id, out_of=[State.QUEUED]):
        return False
    devices = json.dumps(claimed.slots)
    claimed_rows = changed_rows(
        session,
        update(Job)
        # As it was read: a server that was quicker has counted the attempt up.
        .where(Job.task_id == launch.task_id, Job.attempt == launch.attempt - 1, Job.live == 0)
        .values(
            live=1,
            attempt=launch.attempt,
            run_dir=str(launch.run_dir),
            handle=None,
            devices=devices,
            token_hash=claimed.token_hash,
            # What the attempt before has left must not be taken for this one's.
            outcome=None,
            failure_class=None,
            advice=None,
            waiting_reason=None,
            wanted=None,
            wanted_at=None,
            doing=None,
        ),
    )
    if claimed_rows != 1:
        # Raised, not returned: the task's move to RUNNING just above must not stay either.
        raise _OtherwiseError
    session.add(
        Attempt(
            task_id=launch.task_id,
            attempt=launch.attempt,
            executor=executor,
            host=socket.gethostname(),
            devices=devices,
            started_at=now(),
        )
    )
    event = Launched(attempt=launch.attempt, devices=list(claimed.slots))
    record_event(session, launch.task_id, event)
    return True


def _of_attempt(session: Session, task_id: str, attempt: int, **columns: object) -> bool:
    its_row = (Job.task_id == task_id, Job.attempt == attempt, Job.live == 1)
    return changed_rows(session, update(Job).where(*its_row).values(**columns)) == 1


def close(
    session: Session,
    task_id: str,
    attempt: int,
    exit_code: int | None,
    outcome: str,
    failure_class: str | None,
    message: str | None,
) -> None:
    """How one execution ended, into its own row."""
    session.execute(
        update(Attempt)
        .where(Attempt.task_id == task_id, Attempt.attempt == attempt, Attempt.ended_at.is_(None))
        .values(
            ended_at=now(),
            exit_code=exit_code,
            outcome=outcome,
            failure_class=failure_class,
            message=message,
        )
        .execution_options(synchronize_session=False)
    )


def environment(
    run_devices: object, slots: Sequence[str], visible: Sequence[str]
) -> dict[str, str]:
    """What shows a run its GPUs. One that names them itself sees them all, under their numbers."""
    env = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # NVML counts them so, CUDA would by speed
    if run_devices == "cpu":
        # Empty, not left out: left out, CUDA shows every GPU to a run that has asked for none.
        return {"CUDA_VISIBLE_DEVICES": ""}
    if run_devices == "auto":
        mine = [visible[int(slot.partition(":")[2])] for slot in slots if slot.startswith("gpu:")]
        return {**env, "CUDA_VISIBLE_DEVICES": ",".join(mine)} if mine else {}
    return env


def _write_private(file: Path, text: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    hidden = file.with_suffix(".new")
    # The mode is given as the file is made: nobody else can open it before it is narrowed.
    descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    # Renamed when it is whole: neither trainer nor another server reads half of it.
    hidden.replace(file)
