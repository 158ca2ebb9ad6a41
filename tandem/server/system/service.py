"""What is known of this server and its machine."""

from __future__ import annotations

import platform
import time
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import select

from tandem.config import catalogue
from tandem.config.models import find_teacher
from tandem.config.settings import Settings
from tandem.server import machine
from tandem.server.context import Context
from tandem.server.health import VERSION
from tandem.server.system.schemas import Catalogue, MachineOut, System, TeacherOut
from tandem.server.tables import Lease
from tandem.spec.errors import TandemError
from tandem.spec.run import RunSpec

STARTED = time.monotonic()


def system(context: Context) -> System:
    """Now."""
    with context.database.read() as session:
        owner = session.scalar(select(Lease.owner).where(Lease.name == "dispatcher"))
    dispatcher = context.dispatcher
    return System(
        version=VERSION,
        python=platform.python_version(),
        database=context.database.kind,
        uptime_seconds=round(time.monotonic() - STARTED, 1),
        dispatches=dispatcher is not None and dispatcher.holds_lease,
        dispatcher=owner or None,
        cpu_slots=context.settings.cpu_slots,
        machine=state(context),
    )


def state(context: Context) -> MachineOut:
    """The machine now."""
    return MachineOut.model_validate(machine.state(context.settings.home))


def choices(context: Context) -> Catalogue:
    """The catalogue, and the teachers with where they are."""
    known = catalogue.read()
    names = dict.fromkeys([*context.settings.everything.teachers, *known["teacher_names"]])
    return Catalogue(
        students=known["students"],
        teachers=known["teachers"],
        losses=known["losses"],
        formats=known["formats"],
        named_teachers=[_teacher(name, context.settings.everything) for name in names],
        run_schema=_schema(),
    )


def _teacher(name: str, settings: Settings) -> TeacherOut:
    try:
        found = find_teacher(name, None, settings)
    except (TandemError, OSError):
        found = None
    path = found.path if found else None
    return TeacherOut(name=name, path=path, here=path is not None and Path(path).is_dir())


@cache
def _schema() -> dict[str, Any]:
    return RunSpec.model_json_schema()
