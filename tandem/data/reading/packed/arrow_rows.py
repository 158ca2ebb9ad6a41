"""Rows of Parquet and Arrow files, a few at a time, and what Hugging Face says of their columns.

pyarrow is imported here alone, when a file is opened: it is an extra.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tandem.spec.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 64
ArrowRow = dict[str, object]


@dataclass(frozen=True)
class Column:
    """One column, as the schema describes it."""

    name: str
    type: str
    """Hugging Face's `_type` (Image, ClassLabel, Value), or else what the values look like."""
    classes: tuple[str, ...] = ()
    """A ClassLabel's names."""


def columns(file: Path) -> list[Column]:
    """The file's columns. DataError without pyarrow, or for what is no such file."""
    with _told(file):
        return _columns(_schema(file))


def rows(file: Path, wanted: Sequence[str]) -> Iterator[ArrowRow]:
    """The file's rows with the columns that are wanted, in their order; few are held at a time."""
    with _told(file):
        for batch in _batches(file, list(wanted)):
            yield from batch.to_pylist()


def check_installed() -> None:
    """DataError with the way out where pyarrow is not installed."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise DataError(
            "Parquet and Arrow files are read by pyarrow, which is not installed.",
            fix="Install it: pip install 'tandem-distill[parquet]'.",
        ) from error
    del pa


class _told:  # noqa: N801  a context manager, used like a function
    """Says pyarrow's own errors as DataError, with the file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __enter__(self) -> None:
        """Nothing is held."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        import pyarrow as pa

        if isinstance(error, pa.ArrowException | OSError | ValueError | OverflowError):
            raise DataError(
                "The file {path} cannot be read: {reason}.",
                path=self.file,
                reason=str(error).splitlines()[0][:120] if str(error) else type(error).__name__,
                fix="Check that it is there and that you may read it.",
            ) from error


def _schema(file: Path) -> pa.Schema:
    if file.suffix == ".parquet":
        from pyarrow import parquet

        return parquet.read_schema(file)
    from pyarrow import ipc

    with file.open("rb") as stream, ipc.open_stream(stream) as reader:
        return reader.schema


def _batches(file: Path, wanted: list[str]) -> Iterator[pa.RecordBatch]:
    if file.suffix == ".parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(file) as opened:
            yield from opened.iter_batches(ROWS_AT_ONCE, columns=wanted, use_threads=False)
        return
    import pyarrow as pa
    from pyarrow import ipc

    with pa.memory_map(str(file)) as mapped, ipc.open_stream(mapped) as reader:
        for batch in reader:
            for start in range(0, batch.num_rows, ROWS_AT_ONCE):
                yield batch.slice(start, ROWS_AT_ONCE).select(wanted)


def _columns(schema: pa.Schema) -> list[Column]:
    features = _features(schema)
    found = []
    for one in schema:
        said = features.get(one.name)
        if isinstance(said, dict) and isinstance(said.get("_type"), str):
            names = said.get("names")
            classes = tuple(str(name) for name in names) if isinstance(names, list) else ()
            found.append(Column(one.name, said["_type"], classes))
        else:
            found.append(Column(one.name, _looks_like(one.type)))
    return found


def _features(schema: pa.Schema) -> dict[str, object]:
    said = (schema.metadata or {}).get(b"huggingface")
    try:
        found = json.loads(said)["info"]["features"] if said else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _looks_like(type_: pa.DataType) -> str:
    from pyarrow import types

    if types.is_struct(type_) and {type_.field(n).name for n in range(type_.num_fields)} >= {
        "bytes"
    }:
        return "Image"
    return "Image" if types.is_binary(type_) or types.is_large_binary(type_) else "Value"
