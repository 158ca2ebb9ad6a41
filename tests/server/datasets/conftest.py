"""Data sets under the service's root, and how their pages read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tandem.data.inspection import index
from tandem.server.datasets import indexing


@pytest.fixture
def datasets(client) -> Path:
    """The data sets' root."""
    folder = client.app.state.context.settings.datasets_root
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def own_process() -> None:
    """For a test whose data sets are read by another process, as they are when the service runs."""


@pytest.fixture(autouse=True)
def read_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read data sets in this process: the start of another takes a second each time."""
    if "own_process" not in request.fixturenames:
        monkeypatch.setattr(indexing, "_build", _read)


def _read(file: Path, folder: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    index.build(folder, file)
