"""`tandem db …`: the schema of the service's data base, and its sample rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tandem.commands.terminal import print_json
from tandem.server.db import upgrade as schema
from tandem.server.db.database import Database
from tandem.server.db.sample_rows import add_samples
from tandem.server.db.upgrade import SchemaState
from tandem.server.settings import read
from tandem.spec.errors import SpecError
from tandem.spec.i18n import t

NOT_READY = 1
"""Exit code of `status` where the service would not start, or would change something first."""


def upgrade(sample_data: bool, as_json: bool) -> int:
    """Make the schema this version's, and add the sample rows if asked."""
    with _opened() as database:
        done = schema.upgrade(database)
        samples = add_samples(database) if sample_data else []
    if as_json:
        print_json({"revision": schema.head(), "done": done, "samples": samples})
        return 0
    for line in done or [t("Nothing to do.")]:
        print(line)
    if sample_data:
        _print_samples(samples)
    print(t("The data base is at revision {revision}.", revision=schema.head()))
    return 0


def status(as_json: bool) -> int:
    """Whether the service can start on it; nothing is changed."""
    with _opened() as database:
        found = schema.status(database)
        address = database.url.render_as_string(hide_password=True)
    if as_json:
        print_json(
            {
                "database": address,
                "state": found.state.value,
                "revision": found.revision,
                "head": found.head,
            }
        )
    else:
        print(address)
        print(_describe(found))
    return 0 if found.state is SchemaState.CURRENT else NOT_READY


def sample_data(as_json: bool) -> int:
    """Add the sample rows that are not there yet."""
    with _opened() as database:
        if schema.status(database).state is not SchemaState.CURRENT:
            raise SpecError(
                "The data base has not this version's tables.", fix="Run `tandem db upgrade` first."
            )
        samples = add_samples(database)
    if as_json:
        print_json({"samples": samples})
    else:
        _print_samples(samples)
    return 0


def downgrade(revision: str, as_json: bool) -> int:
    """Go back to an older revision, if nothing is lost by it."""
    with _opened() as database:
        done = schema.downgrade(database, revision)
    if as_json:
        print_json({"done": done})
        return 0
    for line in done or [t("Nothing to do.")]:
        print(line)
    return 0


@contextmanager
def _opened() -> Iterator[Database]:
    database = Database(read().database_url, pool_size=1)
    try:
        yield database
    finally:
        database.close()


def _print_samples(samples: list[str]) -> None:
    if samples:
        print(t("Added the sample tasks {tasks}.", tasks=", ".join(samples)))
    else:
        print(t("The sample tasks are there already."))


def _describe(found: schema.SchemaStatus) -> str:
    match found.state:
        case SchemaState.EMPTY:
            return t("It is empty: `tandem db upgrade` makes the tables.")
        case SchemaState.UNADOPTED:
            return t("It holds an installed system's tables: `tandem db upgrade` adopts them.")
        case SchemaState.BEHIND:
            return t(
                "It is at revision {revision}, this version is at {head}: run `tandem db upgrade`.",
                revision=found.revision,
                head=found.head,
            )
        case SchemaState.NEWER:
            return t(
                "It is at revision {revision}, made by a newer Tandem; this one knows {head}.",
                revision=found.revision,
                head=found.head,
            )
        case SchemaState.CURRENT:
            return t("It is at revision {revision}, as this version is.", revision=found.revision)
