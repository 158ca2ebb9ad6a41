"""Somebody clumsy, and their data."""

from pathlib import Path

import pytest

from tests.acceptance.person import Person
from tests.conftest import make_shapes


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TANDEM_RUN_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """4 pictures a class to learn from, 2 to validate."""
    return make_shapes(tmp_path / "root" / "shapes", train=4, val=2)


@pytest.fixture
def person(
    home: Path,
    data: Path,
    small_teacher: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> Person:
    return Person(capfd, data, small_teacher, tmp_path)
