"""What uploads have left behind: swept when a server starts."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, timedelta
from pathlib import Path

import psutil
from sqlalchemy import select

from tandem.server.context import Context
from tandem.server.datasets import uploads
from tandem.server.db.dataset_tables import Upload
from tandem.server.host.clock import now

UNPACKING = re.compile(r"\..+\.unpacking\.(\d{1,10})")
"""As `tandem.data.archive` calls a folder that it has not finished."""
ABANDONED_AFTER = timedelta(days=7)


def sweep(context: Context) -> None:
    """Folders that dead processes were unpacking, and uploads nobody goes on with."""
    _unfinished(context.settings.datasets_root)
    _abandoned(context)


def _unfinished(root: Path) -> None:
    if not root.is_dir():
        return
    for folder in root.iterdir():
        found = UNPACKING.fullmatch(folder.name)
        if found and not folder.is_symlink() and not _at_work(int(found[1]), folder):
            shutil.rmtree(folder, ignore_errors=True)


def _at_work(pid: int, folder: Path) -> bool:
    """A process that began after the folder's last change has only the number of the dead one."""
    try:
        return psutil.Process(pid).create_time() <= folder.stat().st_ctime
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False
    except psutil.AccessDenied:
        return True


def _abandoned(context: Context) -> None:
    before = now() - ABANDONED_AFTER
    with context.database.read() as session:
        found = select(Upload.id).where(
            Upload.status == uploads.RECEIVING, Upload.updated_at < before
        )
        old = session.scalars(found).all()
    for id in old:
        file = uploads.file_of(context, id)
        try:
            fresh = file.stat().st_mtime >= before.replace(tzinfo=UTC).timestamp()
        except OSError:
            fresh = False
        if not fresh:  # pieces change the file, not the row
            uploads.drop(context, id)
            file.with_suffix(".lock").unlink(missing_ok=True)
