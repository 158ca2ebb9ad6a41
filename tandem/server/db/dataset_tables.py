"""Tables of data sets: what was uploaded and checked, their versions, what a run used."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tandem.server.db.base import Identity, Instant, LongText, Table


class DatasetRow(Table):
    """A data set that was uploaded or checked; a folder that was only found has none."""

    __tablename__ = "md_dataset"
    __table_args__ = (
        Index("idx_dataset_status", "status"),
        Index("idx_dataset_archive", "archive_sha256"),
    )
    name_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of its name: data bases compare names loosely, disks do not."""
    name: Mapped[str] = mapped_column(String(255))
    """Its folder under the data sets' root."""
    status: Mapped[str] = mapped_column(String(20))
    """`CHECKING`, `READY` or `FAULTY`."""
    type: Mapped[str | None] = mapped_column(String(50))
    kind: Mapped[str | None] = mapped_column(String(50))
    archive_sha256: Mapped[str | None] = mapped_column(String(64))
    """The digest of the ZIP it came in."""
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    samples: Mapped[int | None] = mapped_column(BigInteger)
    errors: Mapped[int | None] = mapped_column(BigInteger)
    warnings: Mapped[int | None] = mapped_column(BigInteger)
    summary: Mapped[str | None] = mapped_column(LongText)
    """The check's figures and first faults, as JSON."""
    message: Mapped[str | None] = mapped_column(Text)
    """Why it cannot be used at all."""
    created_at: Mapped[datetime] = mapped_column(Instant)
    checked_at: Mapped[datetime | None] = mapped_column(Instant)


class Upload(Table):
    """A ZIP on its way to become a data set. How much is there, the file's size says."""

    __tablename__ = "md_dataset_upload"
    __table_args__ = (Index("idx_upload_status", "status"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    type: Mapped[str | None] = mapped_column(String(50))
    """What its sender says it is; checked, not believed."""
    status: Mapped[str] = mapped_column(String(20))
    """`RECEIVING`, `CHECKING`, `READY` or `FAULTY`."""
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    blake2b: Mapped[str | None] = mapped_column(String(128))
    dataset: Mapped[str | None] = mapped_column(String(255))
    """What it became, or what held the same content already."""
    message: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class DatasetVersion(Table):
    """What a data set held at one time; its manifest lies under TANDEM_HOME by its digest."""

    __tablename__ = "md_dataset_version"
    __table_args__ = (
        Index("idx_dataset_version", "name_hash", "number", unique=True),
        Index("idx_dataset_version_digest", "name_hash", "digest", unique=True),
    )
    id: Mapped[int] = mapped_column(Identity, primary_key=True, autoincrement=True)
    name_hash: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(255))
    number: Mapped[int] = mapped_column(Integer)
    """From 1."""
    digest: Mapped[str] = mapped_column(String(64))
    """BLAKE2b of the manifest: of every path, size and content."""
    signature: Mapped[str] = mapped_column(String(64))
    """A digest of paths, sizes and times: with the same one nothing needs to be read."""
    type: Mapped[str | None] = mapped_column(String(50))
    files: Mapped[int] = mapped_column(BigInteger)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    samples: Mapped[int | None] = mapped_column(BigInteger)
    classes: Mapped[str | None] = mapped_column(LongText)
    """Names in their order, as JSON."""
    created_at: Mapped[datetime] = mapped_column(Instant)


class TaskData(Table):
    """Which version of a data set an execution used."""

    __tablename__ = "md_task_data"
    __table_args__ = (Index("idx_task_data", "task_id", "attempt", "part", unique=True),)
    id: Mapped[int] = mapped_column(Identity, primary_key=True, autoincrement=True)
    task_id: Mapped[str] = mapped_column(String(64))
    attempt: Mapped[int] = mapped_column(Integer)
    part: Mapped[str] = mapped_column(String(10))
    """`train` or `val`."""
    name_hash: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(255))
    number: Mapped[int | None] = mapped_column(Integer)
    digest: Mapped[str | None] = mapped_column(String(64))
    message: Mapped[str | None] = mapped_column(Text)
    """Why no version could be made of it."""
