"""Deletes the checkpoints of ended runs that the rule spares."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

from tandem.server.context import Context
from tandem.server.host.clock import now
from tandem.server.host.paths import really_below
from tandem.server.thinning import queries
from tandem.server.thinning.rule import SavedCheckpoint, spare
from tandem.server.thinning.schemas import Spare, Thin, Thinned


def thin(context: Context, wanted: Thin) -> Thinned:
    """What may go, or has gone where `wanted` is no dry run."""
    every = wanted.keep_every
    every = context.settings.keep_checkpoints_every if every is None else every
    items: list[Spare] = []
    for task_id, run_dir in _ended(context, wanted.older_than_days):
        for item in spare(run_dir / "checkpoints", every):
            if not wanted.dry_run and not _delete(context, task_id, item):
                continue
            shown = Spare(
                task_id=task_id, path=str(item.path), size_bytes=item.size_bytes, why=item.why
            )
            items.append(shown)
    total = sum(item.size_bytes for item in items)
    return Thinned(deleted=not wanted.dry_run, items=items, total_bytes=total)


def _ended(context: Context, days: float) -> list[tuple[str, Path]]:
    """Tasks whose runs have ended, with their folders inside the output root."""
    before = now() - timedelta(days=days) if days else None
    with context.database.read() as session:
        rows = queries.ended(session, before)
    root = context.settings.output_root
    found = [(task_id, really_below(run_dir, root)) for task_id, run_dir in rows]
    return [(task_id, path) for task_id, path in found if path is not None]


def _delete(context: Context, task_id: str, item: SavedCheckpoint) -> bool:
    """False when its task has been started meanwhile: then the run looks after it itself."""
    with context.database.read() as session:
        if not queries.has_ended(session, task_id):
            return False
    # Out of sight first: a start in this moment finds it whole or not at all.
    hidden = item.path.with_name(f".{item.path.name.lstrip('.')}.gone")
    try:
        item.path.rename(hidden)
    except OSError:
        return False
    shutil.rmtree(hidden, ignore_errors=True)
    return True
