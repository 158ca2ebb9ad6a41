"""What a run has learnt from, kept in its folder: a resumed run is then told what has changed."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tandem.train.data.classification import keys
from tandem.train.data.texts import TextTable
from tandem.train.types import ImageTable, Splits

NAME = "data.npz"
_VERSION = 1
_NOT_A_RECORD = (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile)

Rows = NDArray[np.uint64]
"""(N, 3): which file (or text), what it holds, what is said of it."""


@dataclass(frozen=True)
class RowChanges:
    """How the rows of a split differ from what they were."""

    added: int = 0
    gone: int = 0
    changed: int = 0
    """The same name with other content."""
    relabelled: int = 0
    """The same name and content with another label."""

    def __bool__(self) -> bool:
        return bool(self.added or self.gone or self.changed or self.relabelled)


@dataclass(frozen=True)
class DataRecord:
    """A data set as a run has read it: 24 bytes for each row."""

    kind: str
    classes: tuple[str, ...]
    rows: dict[str, Rows]
    """Those of `train` and of `val`."""
    files: dict[str, str]
    """What was made of the data and must stay as it was, by file name: a text's tokenizer."""
    tokens: int
    """The length of each text; 0 where the rows are none."""

    def changes(self, now: DataRecord) -> dict[str, RowChanges]:
        """The splits that are not as they were, by name."""
        found = {name: compared(self.rows[name], rows) for name, rows in now.rows.items()}
        return {name: one for name, one in found.items() if one}


def record_of(splits: Splits, files: dict[str, str]) -> DataRecord:
    """The record of what was read; `files` as the kind gives them."""
    train, val = splits.label_digests()
    rows = {"train": _rows(splits.train, train), "val": _rows(splits.val, val)}
    table = splits.train
    tokens = int(table.ids_N3L.shape[2]) if isinstance(table, TextTable) else 0
    return DataRecord(splits.kind, splits.train.classes, rows, files, tokens)


def save(record: DataRecord, folder: Path) -> None:
    """Write it as `folder/data.npz`, whole or not at all."""
    told = {
        "version": _VERSION,
        "kind": record.kind,
        "classes": record.classes,
        "files": record.files,
        "tokens": record.tokens,
    }
    about = np.frombuffer(json.dumps(told).encode("utf-8", "surrogatepass"), np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    hidden = folder / f".{NAME}.{os.getpid()}"
    try:
        with hidden.open("wb") as out:
            np.savez(out, about=about, train=record.rows["train"], val=record.rows["val"])
            out.flush()
            os.fsync(out.fileno())
        hidden.replace(folder / NAME)
    finally:
        hidden.unlink(missing_ok=True)


def load(folder: Path) -> DataRecord | None:
    """The record of a run's folder; None where there is none. ValueError for one not whole."""
    file = folder / NAME
    if not file.is_file():
        return None
    try:
        with np.load(file, allow_pickle=False) as kept:
            told = json.loads(kept["about"].tobytes().decode("utf-8", "surrogatepass"))
            rows = {name: kept[name].astype(np.uint64).reshape(-1, 3) for name in ("train", "val")}
        return DataRecord(
            str(told["kind"]),
            tuple(told["classes"]),
            rows,
            dict(told["files"]),
            int(told["tokens"]),
        )
    except _NOT_A_RECORD as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def compared(before: Rows, now: Rows) -> RowChanges:
    """How two lists of rows differ, in whatever order they are."""
    if np.array_equal(before, now):
        return RowChanges()  # as nearly always: a million rows one by one take seconds
    old, new = Counter(map(bytes, before)), Counter(map(bytes, now))
    lost, come = list((old - new).elements()), list((new - old).elements())
    changed = relabelled = 0
    by_name: dict[bytes, list[bytes]] = {}
    for one in lost:
        by_name.setdefault(one[:8], []).append(one)
    for one in come:
        if left := by_name.get(one[:8]):
            # Of several rows of one name, those of the same content belong together.
            same = next((other for other in left if other[8:16] == one[8:16]), None)
            left.remove(same or left[0])
            relabelled += same is not None
            changed += same is None
    paired = changed + relabelled
    return RowChanges(len(come) - paired, len(lost) - paired, changed, relabelled)


def _rows(table: ImageTable, labels_N: NDArray[np.uint64]) -> Rows:
    content_N = keys(table.hashes_N)
    # Many texts stand in one file, so a text is known by itself.
    names_N = content_N if isinstance(table, TextTable) else _digests(table.paths_N)
    return np.stack([names_N, content_N, labels_N], axis=1)


def _digests(paths_N: NDArray[np.bytes_]) -> NDArray[np.uint64]:
    parts = [hashlib.blake2b(bytes(one), digest_size=8).digest() for one in paths_N]
    return np.frombuffer(b"".join(parts), np.uint64)
