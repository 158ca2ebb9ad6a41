"""Tests of the command line: a home of their own, and no one else's settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty TANDEM_HOME, an empty working folder, and English."""
    for name in list(os.environ):
        if name.startswith("TANDEM_"):
            monkeypatch.delenv(name)
    home, working = tmp_path / "home", tmp_path / "working"
    working.mkdir()
    monkeypatch.setenv("TANDEM_HOME", str(home))
    monkeypatch.setenv("TANDEM_LANG", "en")
    monkeypatch.chdir(working)
    return home
