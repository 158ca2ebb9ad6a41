from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from tandem.spec.run import CacheSpec, DataSpec, ViewSpec
from tandem.train.cache import (
    CachedSource,
    OnlineSource,
    SourceRequest,
    SourceSetup,
    WantedSignals,
    open_source,
)
from tandem.train.data import classification
from tandem.train.data.augment import Views
from tandem.train.types import ImageTable, SilentProgress, Teacher
from tests.conftest import make_shapes
from tests.train.cache.fake_teacher import FakeTeacher

DENSE = WantedSignals(tokens=True, layers=(0, 2), logits_key="question", grid=4)


class Listener(SilentProgress):
    def __init__(self) -> None:
        self.notices: list[str] = []
        self.warnings: list[str] = []
        self.seen: list[tuple[str, int, int]] = []

    def notice(self, message: str, warning: bool = False) -> None:
        (self.warnings if warning else self.notices).append(message)

    def progress(self, doing: str, done: int, total: int) -> None:
        self.seen.append((doing, done, total))


@dataclass
class Shop:
    """A table, its views and a cache folder; `open` with a teacher."""

    root: Path
    table: ImageTable
    views: Views
    listener: Listener = field(default_factory=Listener)

    def open(
        self, teacher: Teacher | None = None, wanted: WantedSignals = DENSE, **changes: Any
    ) -> Any:
        spec_changes = {
            key: changes.pop(key)
            for key in ("mode", "dims", "dtype", "verify_samples")
            if key in changes
        }
        spec = CacheSpec.model_validate({"root": self.root, "dims": 8, **spec_changes})
        count = changes.pop("view_count", self.views.count)
        given: dict[str, Any] = {
            "device": torch.device("cpu"),
            "batch_size": 8,
            "max_pixels": 10**8,
            "progress": self.listener,
            **changes,
        }
        request = SourceRequest(self.table, self.views, count, wanted)
        source = open_source(teacher or FakeTeacher(), request, SourceSetup(spec, **given))
        assert isinstance(source, CachedSource | OnlineSource)
        return source

    @property
    def folder(self) -> Path:
        """The only cache folder."""
        (only,) = [one for one in self.root.iterdir() if one.is_dir()]
        return only

    def files(self) -> dict[str, bytes]:
        """Every file of the cache but locks, by its name."""
        return {
            str(file.relative_to(self.root)): file.read_bytes()
            for file in sorted(self.root.rglob("*"))
            if file.is_file() and file.name != ".lock"
        }


@pytest.fixture(scope="session")
def shapes_table(tmp_path_factory: pytest.TempPathFactory) -> ImageTable:
    folder = make_shapes(tmp_path_factory.mktemp("d") / "s", train=14, val=1, unlabelled=11)
    spec = DataSpec(dataset=str(folder))
    return classification.read(spec, index_root=None, progress=SilentProgress()).train


@pytest.fixture
def make_shop(shapes_table: ImageTable, tmp_path: Path) -> Callable[..., Shop]:
    def make(name: str = "cache", count: int = 3) -> Shop:
        views = Views.draw(shapes_table, ViewSpec(count=count))
        return Shop(tmp_path / name, shapes_table, views)

    return make


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    return make_shop()
