"""Homes of 7fb42ae: a test that changes one has its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.compat import home as kept


@pytest.fixture(scope="session")
def seen() -> dict[str, Any]:
    """What 7fb42ae answered."""
    return kept.read(kept.SEEN)


@pytest.fixture(scope="module")
def home_of() -> Iterator[Callable[..., Path]]:
    """`home_of("runs/resnet")`: a home, with the weights that lie below these names, or all."""
    made: list[Path] = []

    def make(*weights: str) -> Path:
        made.append(kept.empty())
        kept.unpack(made[-1], *weights)
        return made[-1]

    yield make
    for one in made:
        shutil.rmtree(one)
