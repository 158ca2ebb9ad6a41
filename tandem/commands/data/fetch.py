"""`tandem data fetch NAME`: what a query of an installed system's data base gives, as a data set.

The rows are streamed in a transaction that may only read. The data set is an ordinary one under the
data sets' root: its pictures are hard links where the file system has them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from tandem.commands.data.write import print_written
from tandem.config.data_sources import DataSource, find_source
from tandem.config.settings import load
from tandem.data.content import UNLABELLED, Content, Item
from tandem.data.faults import Faults
from tandem.data.reading.files import inside, is_there, measure
from tandem.data.reading.label_names import sorted_names
from tandem.data.reading.split_names import SPLITS, split_of
from tandem.data.registry import find
from tandem.data.writing.convert import Written, write
from tandem.server.db.database import address
from tandem.spec.errors import DataError, SpecError

ROWS_AT_ONCE = 1000
MARK = ".fetched"
"""Lies in what was fetched: such a data set may be fetched anew, and no other is replaced."""
READ_ONLY = {
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only=ON",
}


def fetch(name: str, leave_out: bool, as_json: bool) -> None:
    """Fetch what the configuration calls `name`, and print what it became."""
    settings = load()
    source = find_source(name, settings.data_sources)
    target = settings.path("datasets_root") / name
    print_written(write_rows(source, target, leave_out=leave_out), as_json)


def write_rows(source: DataSource, target: Path, *, leave_out: bool = False) -> Written:
    """The data set of the source's rows. DataError names the rows that are wrong."""
    if target.exists() and not (target / MARK).is_file():
        raise DataError(
            "{path} is there, and was not fetched: it is left as it is.", path=target,
            fix="Name the data source otherwise.",
        )  # fmt: skip
    faults = Faults()
    content = _content(source, faults)
    if not leave_out:
        faults.check()
    new = target.with_name(f".{target.name[-100:]}.fetching.{os.getpid()}")
    shutil.rmtree(new, ignore_errors=True)
    written = write(content, new, find("text" if source.kind == "text" else "csv"))
    (new / MARK).touch()
    old = new.with_name(f"{new.name}.old")
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    written.target = str(target)
    written.left_out = [f"{one.sentence()}." for one in faults.found if not one.warning]
    written.notes += [one.sentence() for one in faults.found if one.warning]
    return written


def _content(source: DataSource, faults: Faults) -> Content:
    found: dict[str, list[tuple[Item, str | None]]] = {one: [] for one in SPLITS}
    seen: dict[bytes, tuple[int, str | None]] = {}
    for number, row in enumerate(_rows(source), 1):
        item = _item(source, number, row, faults)
        split = _split(source, number, row, faults)
        label = _label(source, number, row, faults)
        if item is None or split is None or label == "":
            continue
        first = seen.setdefault(item.path, (number, label)) if source.root else (number, label)
        if first[0] == number:
            found[split].append((item, label))
        else:
            faults.add(source.name, number, "{file} is in row {row} already", file=item.name,
                       row=first[0], warning=first[1] == label)  # fmt: skip
    names = sorted_names({label for one in found.values() for _, label in one if label})
    numbers = {label: number for number, label in enumerate(names)}
    items: dict[str, list[Item]] = {}
    for split, several in found.items():
        for item, label in several:
            item.label = UNLABELLED if label is None else numbers[label]
        items[split] = [item for item, _ in several]
    if not any(items.values()):
        raise DataError("The data source {name} gives no row that can be used.", name=source.name,
                        fix="Mend its query in tandem.yaml.")  # fmt: skip
    root = (source.root or Path()).resolve()
    return Content(root, "csv", source.kind, names, items["train"], items["val"] or None,
                   (), items["test"] or None)  # fmt: skip


def _item(source: DataSource, number: int, row: Sequence[object], faults: Faults) -> Item | None:
    said = row[0]
    if not isinstance(said, str) or not said.strip():
        faults.add(source.name, number, "there is no picture's path, or no text")
        return None
    if source.root is None:
        return Item(source.name.encode(), text=said, line=number)
    file = source.root / said
    if not is_there(file):
        faults.add(source.name, number, "the picture {file} is not there", file=said)
        return None
    if not inside(source.root, file):
        faults.add(source.name, number, "the picture {file} lies outside of {root}", file=said,
                   root=source.root)  # fmt: skip
        return None
    root = source.root.resolve()
    item, aside = Item(os.fsencode(file.resolve().relative_to(root))), Faults()
    if measure(root, item, aside):
        return item
    for one in aside.found:
        faults.add(source.name, number, "{file} cannot be used: {what}", file=said, what=one.what())
    return None


def _split(source: DataSource, number: int, row: Sequence[object], faults: Faults) -> str | None:
    said = row[2] if len(row) > 2 else None
    split = "train" if said is None else split_of(str(said).strip())
    if split is None:
        faults.add(source.name, number, "the split {split} is none of train, val and test",
                   split=str(said)[:50])  # fmt: skip
    return split


def _label(source: DataSource, number: int, row: Sequence[object], faults: Faults) -> str | None:
    """The label's name; None where nobody has labelled it, "" where it is none."""
    said = row[1]
    if said is None:
        return None
    if isinstance(said, str | int) and not isinstance(said, bool) and str(said).strip():
        return str(said).strip()
    faults.add(source.name, number, "the label {label} is no name and no whole number",
               label=str(said)[:50])  # fmt: skip
    return ""


def _rows(source: DataSource) -> Iterator[Sequence[object]]:
    url = address(source.url)
    engine = create_engine(_for_reading(url), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield from _streamed(source, connection)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        password = url.password or ""
        raise DataError(
            "The data source {name} does not answer: {reason}.",
            name=source.name,
            reason=reason.replace(password, "********") if password else reason,
            fix="Mend its url or its query in tandem.yaml.",
        ) from None  # fmt: skip  the cause may show the address with its password
    finally:
        engine.dispose()


def _for_reading(url: URL) -> URL:
    if url.get_backend_name() != "sqlite":
        return url
    return url.set(database=f"file:{url.database}").update_query_dict({"mode": "ro", "uri": "true"})


def _streamed(source: DataSource, connection: Connection) -> Iterator[Sequence[object]]:
    connection.exec_driver_sql(READ_ONLY[connection.dialect.name])
    connection.commit()
    options = {"stream_results": True, "no_parameters": True, "max_row_buffer": ROWS_AT_ONCE}
    rows = connection.execution_options(**options).exec_driver_sql(source.query)
    with closing(rows):  # MySQL's stream is read to its end while its connection lives
        if rows.returns_rows and 2 <= len(rows.keys()) <= 3:
            for several in rows.partitions(ROWS_AT_ONCE):
                yield from several
            return
        raise SpecError(
            "The query of the data source {name} must give two or three columns.",
            name=source.name, fix="Write SELECT path, label, split FROM …",
        )  # fmt: skip
