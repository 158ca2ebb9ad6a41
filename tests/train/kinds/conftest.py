"""Data sets made once, and a maker of specs that need no other file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Specs
from tests.train.kinds import made


@pytest.fixture(scope="session")
def masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 pictures with a mask, 8 without, 8 to validate."""
    return made.masks(tmp_path_factory.mktemp("masks") / "data", bare=8)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.clips(tmp_path_factory.mktemp("clips") / "data")


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.texts(tmp_path_factory.mktemp("texts") / "data")


@pytest.fixture(scope="session")
def said() -> list[str]:
    return [one["text"] for one in made.rows(96, 0)]


@pytest.fixture(scope="session")
def tuned(tmp_path_factory: pytest.TempPathFactory, said: list[str]) -> Path:
    return made.text_teacher(tmp_path_factory.mktemp("tuned") / "bert", said, tuned=True)


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory, said: list[str]) -> Path:
    return made.text_teacher(tmp_path_factory.mktemp("bare") / "bert", said, tuned=False)


@pytest.fixture
def direct(spec_of: Specs) -> Specs:
    """A spec without a teacher."""

    def make(**changes: object) -> dict:
        spec = spec_of(**{"run__save_checkpoints": False, **changes})
        if "teacher" not in changes:
            spec["mode"] = "direct"
            del spec["teacher"]
        return spec

    return make
