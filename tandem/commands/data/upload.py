"""`tandem data upload`: a ZIP to the service, in pieces."""

from __future__ import annotations

import sys
from pathlib import Path

from tandem.client.connect import connect
from tandem.client.uploads import send
from tandem.commands.terminal import print_json
from tandem.spec.errors import DataError
from tandem.spec.i18n import t


def upload(file: Path, name: str, type: str | None, server: str | None, as_json: bool) -> None:
    """Send it, and print which data set it is."""
    if not file.is_file():
        raise DataError("There is no file {path}.", path=file)
    with connect(server) as client:
        try:
            done = send(client, file, name, type=type, progress=_show)
        finally:
            if sys.stderr.isatty():
                print(file=sys.stderr)
    if as_json:
        print_json(done.model_dump())
    elif done.dataset == name:
        print(t("{name} is on the service, and is being checked.", name=name))
    else:
        print(t("The service has the same already: {name}.", name=done.dataset))


def _show(sent_bytes: int, size_bytes: int) -> None:
    if sys.stderr.isatty():
        percent = 100 * sent_bytes // max(size_bytes, 1)
        line = t("{percent} % of {size} MB", percent=percent, size=f"{size_bytes / 1e6:.1f}")
        print(f"\r{line}", end="", file=sys.stderr, flush=True)
