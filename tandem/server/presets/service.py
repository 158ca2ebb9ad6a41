"""LoRA presets, read and kept."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tandem.server.clock import now
from tandem.server.context import Context
from tandem.server.errors import ConflictError, NotFoundError
from tandem.server.tables import Preset
from tandem.server.wire.preset import FIELDS, PresetIn

COLUMNS = tuple(getattr(Preset, name) for name in FIELDS)
NOT_KEPT = {"id", "create_time", "update_time", "del_flag"}


def all_of_them(context: Context) -> Sequence[RowMapping]:
    """By name."""
    with context.database.read() as session:
        found = select(*COLUMNS).where(Preset.del_flag == 0).order_by(Preset.preset_name)
        return session.execute(found).mappings().all()


def get(context: Context, name: str) -> RowMapping:
    """One by its name; NotFoundError without it."""
    row = None
    if "\0" not in name and len(name) <= 100:
        with context.database.read() as session:
            found = select(*COLUMNS).where(Preset.preset_name == name, Preset.del_flag == 0)
            row = session.execute(found).mappings().one_or_none()
    if row is None:
        raise NotFoundError("There is no LoRA preset {name}.", name=name[:100])
    return row


def keep(context: Context, said: PresetIn) -> RowMapping:
    """A new one; ConflictError when its name is taken."""
    at = now().replace(microsecond=0)
    row = said.model_dump(exclude=NOT_KEPT) | {"create_time": at, "update_time": at, "del_flag": 0}

    def insert(session: Session) -> None:
        gone = select(Preset).where(Preset.preset_name == said.preset_name, Preset.del_flag != 0)
        deleted = session.scalars(gone).one_or_none()
        if deleted is not None:  # its name is free again, but the index holds it
            session.delete(deleted)
            session.flush()
        session.add(Preset(**row))

    try:
        context.database.run(insert)
    except IntegrityError as error:
        raise ConflictError(
            "There is a LoRA preset {name} already.",
            name=said.preset_name,
            fix="Choose another name.",
        ) from error
    return get(context, said.preset_name)
