"""A real service whose runs cost no torch, and a client of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem.client.client import Client
from tests.server.faults.small_server import SmallServer


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("client") / "home"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[SmallServer]:
    with SmallServer(home, f"sqlite:///{home / 'tandem.db'}") as running:
        yield running


@pytest.fixture
def client(server: SmallServer) -> Iterator[Client]:
    with Client(server.base_url) as client:
        yield client


@pytest.fixture
def at_home(home: Path, server: SmallServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands find that service by the environment."""
    for name in [name for name in os.environ if name.startswith("TANDEM_")]:
        monkeypatch.delenv(name)
    (home.parent / "working").mkdir()
    monkeypatch.chdir(home.parent / "working")
    monkeypatch.setenv("TANDEM_HOME", str(home))
    monkeypatch.setenv("TANDEM_LANG", "en")
    monkeypatch.setenv("TANDEM_SERVER_URL", server.base_url)
