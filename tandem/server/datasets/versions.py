"""What a data set held at one time: a manifest of every file, by which it is known again."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.datasets.look import look
from tandem.server.datasets.schemas import summary_of
from tandem.server.datasets.uploads import hash_of
from tandem.server.db.dataset_tables import DatasetRow, DatasetVersion
from tandem.server.errors import NotFoundError
from tandem.server.host.clock import now
from tandem.server.host.paths import inside

BLOCK = 2**20
PREDICTIONS = "predictions"
"""What models said beside a data set is no part of what it holds."""


@dataclass(frozen=True)
class ManifestEntry:
    """One file."""

    path: str
    size: int
    time_ns: int

    def line(self) -> str:
        return f"{self.path}\0{self.size}\0{self.time_ns}\n"


def make(context: Context, name: str) -> DatasetVersion:
    """The version of what lies there now; a new one only where something has changed.

    Only files of another size or time than in the last version are read. NotFoundError.
    """
    folder = inside(context.settings.datasets_root, name)
    if not folder.is_dir():
        raise NotFoundError("There is no data set {name}.", name=name[:200])
    entries = list(walk(folder))
    signature = hashlib.blake2b(digest_size=32)
    for one in entries:
        signature.update(one.line().encode("utf-8", "surrogateescape"))
    known = every(context, name)
    if known and known[0].signature == signature.hexdigest():
        return known[0]
    manifest = _manifest(context, folder, entries, known)
    digest = hashlib.blake2b(digest_size=32)
    for row in manifest:
        digest.update(f"{row[0]}\0{row[1]}\0{row[3]}\n".encode("utf-8", "surrogateescape"))
    _write(context, digest.hexdigest(), manifest)
    return _kept(context, name, folder, entries, signature.hexdigest(), digest.hexdigest())


def walk(folder: Path) -> Iterator[ManifestEntry]:
    """Every regular file, in the order of their names; hidden ones are passed over."""
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(
            one for one in folders
            if not one.startswith(".") and not (where == str(folder) and one == PREDICTIONS)
        )  # fmt: skip
        for name in sorted(names):
            path = os.path.join(where, name)  # noqa: PTH118  a million of them
            if name.startswith(".") or os.path.islink(path):  # noqa: PTH114
                continue
            found = os.stat(path)  # noqa: PTH116
            yield ManifestEntry(os.path.relpath(path, folder), found.st_size, found.st_mtime_ns)


def every(context: Context, name: str) -> Sequence[DatasetVersion]:
    """The newest first."""
    with context.database.read() as session:
        found = select(DatasetVersion).where(DatasetVersion.name_hash == hash_of(name))
        rows = session.scalars(found.order_by(DatasetVersion.number.desc())).all()
        session.expunge_all()
        return rows


_ManifestRow = list[object]


def _manifest(
    context: Context, folder: Path, entries: list[ManifestEntry], known: Sequence[DatasetVersion]
) -> list[_ManifestRow]:
    """path, size, time, BLAKE2b of each; of those that did not change, what was said last."""
    last = {row[0]: row for row in read(context, known[0].digest)} if known else {}
    rows: list[_ManifestRow] = []
    for one in entries:
        before = last.get(one.path)
        if before is not None and before[1:3] == [one.size, one.time_ns]:
            rows.append(before)
            continue
        digest = hashlib.blake2b(digest_size=16)
        with (folder / one.path).open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        rows.append([one.path, one.size, one.time_ns, digest.hexdigest()])
    return rows


def file_of(context: Context, digest: str) -> Path:
    """Where a manifest lies."""
    return context.settings.home / "versions" / f"{digest}.json.gz"


def read(context: Context, digest: str) -> list[_ManifestRow]:
    """A manifest's rows; empty where its file is gone."""
    try:
        with gzip.open(file_of(context, digest), "rt", encoding="utf-8") as file:
            found: list[_ManifestRow] = json.load(file)
            return found
    except (OSError, ValueError, EOFError):
        return []


def _write(context: Context, digest: str, manifest: list[_ManifestRow]) -> None:
    file = file_of(context, digest)
    if file.is_file():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    hidden = file.with_name(f".{file.name}.{os.getpid()}")
    with gzip.open(hidden, "wt", encoding="utf-8", compresslevel=6) as out:
        json.dump(manifest, out, ensure_ascii=True)
    hidden.replace(file)


def _kept(
    context: Context,
    name: str,
    folder: Path,
    entries: list[ManifestEntry],
    signature: str,
    digest: str,
) -> DatasetVersion:
    seen = look(folder)
    key = hash_of(name)

    def work(session: Session) -> None:
        same = session.scalar(
            select(DatasetVersion).where(
                DatasetVersion.name_hash == key, DatasetVersion.digest == digest
            )
        )
        if same is not None:  # touched, not changed
            same.signature = signature
            return
        last = select(func.max(DatasetVersion.number)).where(DatasetVersion.name_hash == key)
        session.add(
            DatasetVersion(
                name_hash=key,
                name=name,
                number=(session.scalar(last) or 0) + 1,
                digest=digest,
                signature=signature,
                type=seen.type,
                files=len(entries),
                size_bytes=sum(one.size for one in entries),
                samples=seen.files or None,
                classes=_classes(session.get(DatasetRow, key), folder, entries),
                created_at=now(),
            )  # fmt: skip
        )

    with contextlib.suppress(IntegrityError):  # another server made it first
        context.database.run(work)
    return next(one for one in every(context, name) if one.digest == digest)


def _classes(row: DatasetRow | None, folder: Path, entries: list[ManifestEntry]) -> str | None:
    """What the last check has read, as JSON; None where anything has changed since."""
    if row is None or row.checked_at is None:
        return None
    around = {folder / parent for one in entries for parent in Path(one.path).parents}
    newest_ns = max([one.time_ns for one in entries] + [one.stat().st_mtime_ns for one in around])
    if newest_ns > row.checked_at.replace(tzinfo=UTC).timestamp() * 1e9:
        return None
    classes = summary_of(row.summary).get("classes")
    return json.dumps(classes, ensure_ascii=False) if classes else None
