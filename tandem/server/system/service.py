"""What is known of this server and its machine."""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import Any

from sqlalchemy import select

from tandem.config.findings import extras, roots, teachers
from tandem.config.findings import machine as machine_found
from tandem.config.models import find_student_weights, find_teacher
from tandem.config.settings import Settings
from tandem.server.context import Context
from tandem.server.db.tables import Lease
from tandem.server.host import machine
from tandem.server.http.console import WEB
from tandem.server.http.health import VERSION
from tandem.server.system.packages import licences
from tandem.server.system.schemas import Catalog, MachineOut, MissingPart, System, TeacherOut
from tandem.spec.errors import TandemError
from tandem.spec.i18n import t
from tandem.spec.plugins import catalog
from tandem.spec.plugins.students import memory_megabytes
from tandem.spec.run import fields

STARTED = time.monotonic()


def system(context: Context) -> System:
    """Now."""
    with context.database.read() as session:
        owner = session.scalar(select(Lease.owner).where(Lease.name == "dispatcher"))
    dispatcher = context.dispatcher
    return System(
        version=VERSION,
        python=platform.python_version(),
        database=context.database.dialect,
        uptime_seconds=round(time.monotonic() - STARTED, 1),
        dispatches=dispatcher is not None and dispatcher.holds_lease,
        dispatcher=owner or None,
        cpu_slots=context.settings.cpu_slots,
        machine=state(context),
        versions={one.name: one.version for one in licences()},
        licences=list(licences()),
        missing=_missing(context.settings.everything),
        web=((context.settings.web_root or WEB) / "index.html").is_file(),
    )


def _missing(settings: Settings) -> list[MissingPart]:
    found = [*machine_found(settings), *roots(settings), *extras(), *teachers(settings)]
    return [
        MissingPart(what=one.what, why=one.found, fix=one.fix)
        for one in found
        if one.ok is not True and one.fix
    ]


def state(context: Context) -> MachineOut:
    """The machine now."""
    return MachineOut.model_validate(machine.state(context.settings.home))


def choices(context: Context) -> Catalog:
    """The catalog, and the teachers with where they are."""
    known = catalog.read()
    names = dict.fromkeys([*context.settings.everything.teachers, *known["teacher_names"]])
    return Catalog(
        students=[_student(one, context.settings.everything) for one in known["students"]],
        teachers=[_localized(one) for one in known["teachers"]],
        losses=[_localized(one) for one in known["losses"]],
        formats=[_localized(one) for one in known["formats"]],
        named_teachers=[_teacher(name, context.settings.everything) for name in names],
        run_schema=fields.described(),
    )


def _teacher(name: str, settings: Settings) -> TeacherOut:
    try:
        found = find_teacher(name, None, settings)
    except (TandemError, OSError):
        found = None
    path = found.path if found else None
    return TeacherOut(name=name, path=path, here=path is not None and Path(path).is_dir())


def _student(entry: dict[str, Any], settings: Settings) -> dict[str, object]:
    memory = {size: memory_megabytes(millions) for size, millions in entry["sizes"].items()}
    found = {size: find_student_weights(size, settings) for size in entry["sizes"]}
    configured = {size: weights for size, weights in found.items() if weights}
    return _localized(entry) | {"memory_megabytes": memory, "configured_weights": configured}


def _localized(entry: dict[str, Any]) -> dict[str, object]:
    return entry | {"about": t(entry["about"])}
