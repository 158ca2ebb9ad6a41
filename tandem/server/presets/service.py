"""LoRA presets, read and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import RowMapping, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.db.tables import DelFlag, PresetRow
from tandem.server.errors import ConflictError, NotFoundError
from tandem.server.host.clock import now
from tandem.server.presets.i18n import ENGLISH
from tandem.server.wire.preset import FIELDS, PresetIn

COLUMNS = tuple(getattr(PresetRow, name) for name in FIELDS)
NOT_KEPT = {"id", "create_time", "update_time", "del_flag"}


def every(context: Context) -> Sequence[RowMapping]:
    """By name."""
    with context.database.read() as session:
        found = (
            select(*COLUMNS)
            .where(PresetRow.del_flag == DelFlag.NORMAL)
            .order_by(PresetRow.preset_name)
        )
        return session.execute(found).mappings().all()


def get(context: Context, name: str) -> RowMapping:
    """One by its name; NotFoundError without it."""
    row = None
    if "\0" not in name and len(name) <= 100:
        with context.database.read() as session:
            found = select(*COLUMNS).where(
                PresetRow.preset_name == name, PresetRow.del_flag == DelFlag.NORMAL
            )
            row = session.execute(found).mappings().one_or_none()
    if row is None:
        raise NotFoundError("There is no LoRA preset {name}.", name=name[:100])
    return row


def create(context: Context, preset: PresetIn) -> RowMapping:
    """A new one; ConflictError when its name is taken."""
    at = now().replace(microsecond=0)
    row = preset.model_dump(exclude=NOT_KEPT) | {
        "create_time": at,
        "update_time": at,
        "del_flag": DelFlag.NORMAL,
    }

    def insert(session: Session) -> None:
        gone = select(PresetRow).where(
            PresetRow.preset_name == preset.preset_name, PresetRow.del_flag != DelFlag.NORMAL
        )
        deleted = session.scalars(gone).one_or_none()
        if deleted is not None:  # its name is free again, but the index holds it
            session.delete(deleted)
            session.flush()
        session.add(PresetRow(**row))

    try:
        context.database.run(insert)
    except IntegrityError as error:
        raise ConflictError(
            "There is a LoRA preset {name} already.",
            name=preset.preset_name,
            fix="Choose another name.",
        ) from error
    return get(context, preset.preset_name)


def replace(context: Context, name: str, columns: Mapping[str, object]) -> RowMapping:
    """Put other settings under the same name; NotFoundError without it."""
    kept = get(context, name)["preset_name"]
    at = now().replace(microsecond=0)
    changed = update(PresetRow).where(
        PresetRow.preset_name == kept, PresetRow.del_flag == DelFlag.NORMAL
    )

    def work(session: Session) -> None:
        session.execute(changed.values(update_time=at, **columns))

    context.database.run(work)
    return get(context, kept)


def delete(context: Context, name: str) -> None:
    """Logically, as installed systems do; ConflictError for one that came with Tandem."""
    kept = get(context, name)["preset_name"]
    if kept in ENGLISH:
        raise ConflictError(
            "The LoRA preset {name} came with Tandem and cannot be deleted.",
            name=kept,
            fix="Make another one beside it, or change what it says.",
        )
    gone = update(PresetRow).where(PresetRow.preset_name == kept)

    def work(session: Session) -> None:
        session.execute(
            gone.values(del_flag=DelFlag.DELETED, update_time=now().replace(microsecond=0))
        )

    context.database.run(work)
