"""A ZIP on its way: received in pieces, unpacked when it is whole, recognised by its content."""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout
from sqlalchemy import select
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.datasets.schemas import UploadOut
from tandem.server.db.dataset_tables import DatasetRow, Upload
from tandem.server.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    TooLargeError,
    UnavailableError,
)
from tandem.server.host.clock import now
from tandem.spec.errors import DataError, DiskFullError
from tandem.spec.i18n import t

RECEIVING, CHECKING, READY, FAULTY = "RECEIVING", "CHECKING", "READY", "FAULTY"
NAME = re.compile(r"[\w][\w\-. ]{0,199}")
BLOCK_BYTES = 2**20


def begin(
    context: Context, name: str, size_bytes: int, *, type: str | None, sha256: str | None
) -> Upload:
    """A place for so many bytes, or the one where the same has begun to come.

    InvalidError, ConflictError for a name that is taken.
    """
    begun = _begun(context, name, size_bytes, sha256.lower()) if sha256 else None
    if begun is not None:
        return get(context, begun)
    if not _may_be_known(context, name, size_bytes):
        check_name(context, name)
    most = context.settings.max_upload_bytes
    if size_bytes > most:
        raise TooLargeError("An upload may have {most} bytes at most.", most=most)
    at = now()
    row = Upload(
        id=secrets.token_hex(16), name=name, type=type, status=RECEIVING, size_bytes=size_bytes,
        sha256=sha256.lower() if sha256 else None, created_at=at, updated_at=at,
    )  # fmt: skip
    file_of(context, row.id).parent.mkdir(parents=True, exist_ok=True)
    file_of(context, row.id).touch()
    key = row.id
    context.database.run(lambda session: session.add(row))
    return get(context, key)


def _begun(context: Context, name: str, size_bytes: int, sha256: str) -> str | None:
    """The upload that a break has left."""
    with context.database.read() as session:
        found = select(Upload.id).where(
            Upload.status == RECEIVING, Upload.sha256 == sha256,
            Upload.name == name, Upload.size_bytes == size_bytes,
        )  # fmt: skip
        return session.scalar(found.order_by(Upload.created_at.desc()).limit(1))


def _may_be_known(context: Context, name: str, size_bytes: int) -> bool:
    """Whether it may be the same ZIP again: its content will tell."""
    with context.database.read() as session:
        row = session.get(DatasetRow, hash_of(name))
        return row is not None and bool(row.archive_sha256) and row.size_bytes == size_bytes


def check_name(context: Context, name: str) -> None:
    """InvalidError for one that no data set may have, ConflictError for one that is taken."""
    if not NAME.fullmatch(name) or name.endswith((".", " ")):
        problem = t("Letters, digits, spaces, '-', '_' and '.', at most 200, beginning with one.")
        raise InvalidError([{"field": "name", "problem": problem}])
    if (context.settings.datasets_root / name).exists():
        raise ConflictError(
            "There is a data set {name} already.", name=name, fix="Choose another name."
        )


def get(context: Context, id: str) -> Upload:
    """Its row; NotFoundError without one."""
    found = None
    if id.isalnum() and len(id) <= 32:
        with context.database.read() as session:
            found = session.scalar(select(Upload).where(Upload.id == id))
            if found is not None:
                session.expunge(found)
    if found is None:
        raise NotFoundError("There is no upload {id}.", id=id[:40])
    return found


def file_of(context: Context, id: str) -> Path:
    """Where its bytes lie."""
    return context.settings.home / "uploads" / f"{id}.zip"


def offset(context: Context, id: str) -> int:
    """How many bytes are there."""
    try:
        return file_of(context, id).stat().st_size
    except OSError:
        return 0


@contextmanager
def appending(context: Context, id: str, at: int) -> Iterator[BinaryIO]:
    """A file open at its end, for one sender alone; ConflictError where the end is elsewhere."""
    row = get(context, id)
    if row.status != RECEIVING:
        raise ConflictError("This upload is {state}: it takes no more.", state=row.status)
    # Taken in one worker thread and given back in another.
    lock = FileLock(file_of(context, id).with_suffix(".lock"), thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConflictError(
            "Somebody else is sending to this upload.", fix="Wait for the other to end."
        ) from None
    try:
        there = offset(context, id)
        if at != there:
            raise ConflictError(
                "The upload has {there} bytes; a piece that begins at {at} does not fit.",
                there=there,
                at=at,
                fix="Go on from there.",
            )
        with file_of(context, id).open("r+b") as file:
            file.seek(there)
            yield file
    finally:
        lock.release()


def complete(context: Context, id: str, *, by_its_name: bool = False) -> Upload:
    """Unpack it, or say which data set holds the same; a refused one leaves nothing.

    `by_its_name`: the data set has the name that was asked for, though another holds the same.
    """
    row = get(context, id)
    if row.status != RECEIVING:
        return row
    file = file_of(context, id)
    there = offset(context, id)
    if there != row.size_bytes:
        raise ConflictError(
            "{there} of {size} bytes have come.", there=there, size=row.size_bytes,
            fix="Send the rest first.",
        )  # fmt: skip
    digest = digest_of(file)
    if row.sha256 and row.sha256 != digest:
        _put(context, id, status=FAULTY, message=t("Its SHA-256 is another than was said."))
        file.unlink(missing_ok=True)
        raise ConflictError("Its SHA-256 is {digest}, not what was said.", digest=digest,
                            fix="Send it again.")  # fmt: skip
    known = _same(context, digest, row.name if by_its_name else None)
    if known is None:
        _unpack(context, row, file, digest)
    _put(context, id, status=READY, dataset=known or row.name, sha256=digest)
    file.unlink(missing_ok=True)
    context.wake()
    return get(context, id)


def _same(context: Context, digest: str, name: str | None) -> str | None:
    """The data set, of this name if one is given, that came from the same bytes and is there."""
    with context.database.read() as session:
        found = select(DatasetRow.name).where(DatasetRow.archive_sha256 == digest)
        names = session.scalars(found).all()
    root = context.settings.datasets_root
    wanted = (one for one in names if name in (None, one))
    return next((one for one in wanted if (root / one).is_dir()), None)


def _unpack(context: Context, row: Upload, file: Path, digest: str) -> None:
    from tandem.data.archive import Limits, unpack  # NumPy is not for a start

    root = context.settings.datasets_root
    check_name(context, row.name)
    root.mkdir(parents=True, exist_ok=True)
    try:
        count = unpack(file, root / row.name, Limits(bytes=10 * context.settings.max_upload_bytes))
    except DataError as error:
        _put(context, row.id, status=FAULTY, message=error.sentence())
        file.unlink(missing_ok=True)
        raise InvalidError([{"field": "file", "problem": error.sentence()}]) from error
    except (DiskFullError, OSError) as error:  # it stays, to be completed when there is room
        raise UnavailableError(
            "The archive could not be unpacked: {reason}.",
            reason=error.sentence() if isinstance(error, DiskFullError) else error.strerror,
            fix="Free some space, then complete the upload again.",
        ) from error
    name, layout, size = row.name, row.type, row.size_bytes

    def keep(session: Session) -> None:
        at = now()
        session.merge(
            DatasetRow(
                name_hash=hash_of(name),
                name=name,
                status=CHECKING,
                type=layout,
                archive_sha256=digest,
                size_bytes=size,
                samples=count,
                created_at=at,
            )  # fmt: skip
        )

    try:
        _say_type(root / name, layout)
        context.database.run(keep)
    except BaseException:
        shutil.rmtree(root / name, ignore_errors=True)
        raise


def _say_type(folder: Path, layout: str | None) -> None:
    """Keep what its sender says it is; what the data set says of itself in the ZIP stays."""
    from tandem.data.registry import META, formats
    from tandem.data.writing.meta import put_type

    if layout in formats() and not (folder / META).exists():
        put_type(folder, layout)


def _put(context: Context, id: str, **columns: object) -> None:
    def work(session: Session) -> None:
        row = session.scalar(select(Upload).where(Upload.id == id))
        if row is not None:
            for key, value in (columns | {"updated_at": now()}).items():
                setattr(row, key, value)

    context.database.run(work)


def shown(context: Context, row: Upload) -> UploadOut:
    """As clients see it, with the bytes that are there."""
    there = row.size_bytes if row.status != RECEIVING else offset(context, row.id)
    return UploadOut.model_validate(row).model_copy(update={"offset": there})


def drop(context: Context, id: str) -> None:
    """Give up; what came is deleted."""
    get(context, id)
    file_of(context, id).unlink(missing_ok=True)

    def work(session: Session) -> None:
        row = session.scalar(select(Upload).where(Upload.id == id))
        if row is not None:
            session.delete(row)

    context.database.run(work)


def digest_of(file: Path) -> str:
    """SHA-256 of its bytes."""
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def hash_of(name: str) -> str:
    """Data bases compare names loosely, disks do not."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
