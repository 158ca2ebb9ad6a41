"""What a service holds of a request that never ends, or is all brackets: next to nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.zip_directory import write
from tests.server.faults.small_server import SmallServer

UPLOAD, TASKS = "/api/training/datasets/upload", "/api/v1/tasks"
FORM, JSON = "multipart/form-data; boundary=XX", "application/json"
MEGABYTE = 2**20
MOST_BYTES = 50 * MEGABYTE
BEGIN = b'--XX\r\nContent-Disposition: form-data; name="file"'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallServer]:
    """A process of its own: what it holds is counted by the kernel."""
    home = tmp_path_factory.mktemp("bodies") / "home"
    home.mkdir()
    with SmallServer(home, f"sqlite:///{home / 'tandem.db'}") as server:
        server.http.get(TASKS)
        yield server


def held(server: SmallServer, ask: Callable[[], httpx.Response]) -> tuple[int, int]:
    """(status, the most bytes that the service held beyond what it held before)."""
    process = Path(f"/proc/{server.process.pid}")
    (process / "clear_refs").write_text("5")  # the peak begins anew
    before = figure(process, "VmRSS")
    return ask().status_code, figure(process, "VmHWM") - before


def figure(process: Path, name: str) -> int:
    lines = (process / "status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))


@pytest.mark.parametrize(
    ("kind", "begin", "block"),
    [
        (FORM, BEGIN + b'; filename="', b"a" * MEGABYTE),
        (FORM, b"--XX\r\n", b"X-A: b\r\n" * 100_000),
        (FORM, b"", b"a" * MEGABYTE),
        (FORM, b"", (BEGIN + b"\r\n\r\n1\r\n") * 10_000),
        (FORM, BEGIN + b"\r\n\r\n", b"a" * MEGABYTE),
        ("application/x-www-form-urlencoded", b"file=", b"a" * MEGABYTE),
        ("application/x-www-form-urlencoded", b"", b"a=1&" * 200_000),
        (JSON, b"[", b"a" * MEGABYTE),
    ],
    ids=["name", "headers", "before", "parts", "field", "value", "values", "other"],
)
def test_a_form_without_an_end(server: SmallServer, kind: str, begin: bytes, block: bytes):
    def body() -> Iterator[bytes]:
        yield begin
        for _ in range(60):
            yield block

    def ask() -> httpx.Response:
        return server.http.post(UPLOAD, content=body(), headers={"Content-Type": kind})

    status, taken = held(server, ask)
    assert status == 422
    assert taken < MOST_BYTES


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"a":' + b"[" * 100_000, 400),
        (b'{"a":[' + b"[]," * 600_000 + b"[]]}", 413),
        (b'{"a":[' + b'"ab",' * 390_000 + b"0]}", 413),
        (b'{"a":' + b"9" * 1_900_000 + b"}", 400),
    ],
    ids=["deep", "wide", "texts", "number"],
)
def test_a_small_body_that_is_large_when_parsed(server: SmallServer, body: bytes, status: int):
    def ask() -> httpx.Response:
        return server.http.post(TASKS, content=body, headers={"Content-Type": JSON})

    got, taken = held(server, ask)
    assert got == status
    assert taken < MOST_BYTES


def test_an_archive_of_too_many_names(server: SmallServer, tmp_path: Path):
    file = write(tmp_path / "a.zip", 9, 2_000_000)

    def ask() -> httpx.Response:
        with file.open("rb") as source:
            return server.http.post(
                UPLOAD, files={"file": ("a.zip", source)}, data={"name": "many"}, timeout=120
            )

    status, taken = held(server, ask)
    assert status == 422
    assert taken < MOST_BYTES
    assert not (server.home / "datasets" / "many").exists()
