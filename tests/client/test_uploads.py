"""`tandem data upload` to a real service, which dies on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tandem.cli import app
from tandem.client.client import Client
from tandem.client.errors import RefusedError
from tandem.client.uploads import send
from tests.server.datasets.archives import shapes_zip
from tests.server.faults.small_server import SmallServer, wait_for

PIECE_BYTES = 2000


def zipped(folder: Path, seed: int) -> Path:
    path = folder / "shapes.zip"
    path.write_bytes(shapes_zip(folder / "made", seed=seed))
    return path


def test_an_upload_goes_on_when_the_service_comes_back(
    client: Client, server: SmallServer, tmp_path: Path
):
    file = zipped(tmp_path, seed=0)
    seen: list[int] = []

    def die_once(sent: int, size: int) -> None:
        seen.append(sent)
        if len(seen) == 3:
            server.kill()
            server.start()

    done = send(client, file, "shapes", progress=die_once, piece_bytes=PIECE_BYTES)
    assert (done.dataset, seen[-1]) == ("shapes", file.stat().st_size)
    assert seen == sorted(set(seen))  # no byte twice
    wait_for(lambda: server.get("/api/v1/datasets/shapes")["status"] == "READY")


@pytest.mark.usefixtures("at_home")
def test_the_command_goes_on_where_another_ended(
    client: Client, server: SmallServer, tmp_path: Path
):
    file = zipped(tmp_path, seed=1)  # to be new to a service that has the other test's

    class BreakError(Exception):
        pass

    def give_up(sent: int, size: int) -> None:
        if sent >= 2 * PIECE_BYTES:
            raise BreakError

    with pytest.raises(BreakError):
        send(client, file, "forms", progress=give_up, piece_bytes=PIECE_BYTES)
    [begun] = (server.home / "uploads").glob("*.zip")
    command = ["data", "upload", str(file), "--name", "forms"]
    said = CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False)
    told = json.loads(said.stdout)
    assert (told["id"], told["dataset"], told["status"]) == (begun.stem, "forms", "READY")
    assert not begun.exists()
    again = CliRunner().invoke(app, [*command[:-1], "other"], catch_exceptions=False)
    assert again.stdout == "The service has the same already: forms.\n"
    file.write_bytes(b"no archive, but long enough to be one")
    with pytest.raises(RefusedError, match="no whole ZIP"):
        send(client, file, "third")
