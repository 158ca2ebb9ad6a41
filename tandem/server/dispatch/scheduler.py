"""The queue in the rows: who is placed now, and what the others are told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from pydantic import ValidationError
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.db.tables import THERE, Job, Task
from tandem.server.dispatch.launch import Launcher, environment
from tandem.server.dispatch.placement import Machine, Placement, QueuedRun, SlotHolder, plan, wants
from tandem.server.host import machine
from tandem.spec import annotation
from tandem.spec.i18n import t
from tandem.spec.run import ExecutionSpec, RunSpec
from tandem.spec.state import State

REASON_LETTERS = 500


class _QueueRow(NamedTuple):
    """A task that waits, as it is placed."""

    task_id: str
    create_by: str | None
    priority: int
    position: int | None
    spec: str | None
    live: int
    waiting_reason: str | None


@dataclass
class Scheduler:
    """One per server; `tick` launches what fits."""

    context: Context
    launcher: Launcher
    visible: tuple[str, ...] | None = None
    """The GPUs, by the names CUDA knows them by; asked of the driver once."""
    launches: int = 0
    waiting: int = 0
    """Tasks in the queue that did not fit."""

    @property
    def machine(self) -> Machine:
        if self.visible is None:
            self.visible = machine.visible_gpus()
        return Machine(len(self.visible), self.context.settings.cpu_slots)

    def tick(self, live: Sequence[Job]) -> int:
        """How many were launched, or refused, beside those that are there."""
        rows = self._queue()
        found, runs, reasons = self._plan(rows, live)
        if not rows:
            self.waiting = 0
            return 0
        done = 0
        for task_id, error in found.impossible.items():
            self.launcher.refuse(task_id, error.sentence(), error.failure_class)
            done += 1
        for task_id, slots in found.placed.items():
            # Each sees its own GPUs only, and counts them from 0.
            env = environment(runs[task_id].devices, slots, self.visible or ())
            if self.launcher.run(task_id, slots, env):
                done += 1
                self.launches += 1
        self.waiting = len(found.waiting)
        self._tell({**reasons, **found.waiting}, {row.task_id: row.waiting_reason for row in rows})
        if done:
            self.context.hub.wake()
        return done

    def _queue(self) -> list[_QueueRow]:
        with self.context.database.read() as session:
            found = session.execute(
                select(
                    Task.task_id,
                    Task.create_by,
                    Job.priority,
                    Job.position,
                    Job.spec,
                    Job.live,
                    Job.waiting_reason,
                )
                .join(Job, Job.task_id == Task.task_id)
                .where(Task.status == State.QUEUED, Task.del_flag.in_(THERE))
            ).all()
        return [_QueueRow(*row) for row in found]

    def _plan(
        self, rows: Sequence[_QueueRow], live: Sequence[Job]
    ) -> tuple[Placement, dict[str, ExecutionSpec], dict[str, str]]:
        queue, runs, reasons = [], {}, {}
        for row in rows:
            # Resumed while the process before still saves: two would write into one folder.
            if row.live:
                reasons[row.task_id] = t("Its previous process is still ending.")
                continue
            run = _execution(row.spec)
            if run is None:
                reason = t("This task has no specification that Tandem can run.")
                self.launcher.refuse(row.task_id, reason)
                continue
            runs[row.task_id] = run
            queue.append(
                QueuedRun(
                    row.task_id,
                    wants(run, self.machine),
                    row.priority,
                    row.position or 0,
                    row.create_by,
                )
            )
        return plan(queue, self.machine, self._busy(live)), runs, reasons

    def _busy(self, live: Sequence[Job]) -> list[SlotHolder]:
        if not live:
            return []
        ids = [job.task_id for job in live]
        with self.context.database.read() as session:
            pairs = session.execute(
                select(Task.task_id, Task.create_by).where(Task.task_id.in_(ids))
            ).all()
        owners = {pair.task_id: pair.create_by for pair in pairs}
        return [
            SlotHolder(tuple(json.loads(job.devices or "[]")), owners.get(job.task_id))
            for job in live
        ]

    def _tell(self, reasons: dict[str, str], told: dict[str, str | None]) -> None:
        """Why each waits, into its row; only what has changed."""
        new = {
            task_id: reason[:REASON_LETTERS]
            for task_id, reason in reasons.items()
            # Compared as it is stored: one that was cut would be written anew in every round.
            if told.get(task_id) != reason[:REASON_LETTERS]
        }
        if not new:
            return

        def work(session: Session) -> None:
            # In one order: two servers at it do not wait for each other in a ring.
            for task_id, reason in sorted(new.items()):
                session.execute(
                    update(Job)
                    .where(Job.task_id == task_id)
                    .values(waiting_reason=reason)
                    .execution_options(synchronize_session=False)
                )

        self.context.database.run(work)


# The queue is read twice a second; what does not change is parsed once.
@lru_cache(maxsize=4096)
def _execution(spec: str | None) -> ExecutionSpec | None:
    """The part that says on what it runs; None of a spec that is none."""
    job = annotation.parse(spec)
    if job is not None:
        return ExecutionSpec(output_dir=job.run_dir, devices=job.devices)
    try:
        return RunSpec.model_validate_json(spec or "").run
    except ValidationError:
        return None
