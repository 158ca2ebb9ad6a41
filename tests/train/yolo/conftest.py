"""Drawn data sets for the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tandem.train.kinds import detection
from tests.train.yolo.drawn import write_yolo


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 pictures to learn from, 16 to be judged on, each with one to three shapes."""
    return write_yolo(tmp_path_factory.mktemp("drawn") / "data")


@pytest.fixture(scope="session")
def half_drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """18 annotated pictures and 6 that nobody has looked at."""
    return write_yolo(tmp_path_factory.mktemp("drawn") / "half", train=18, val=8, unlabelled=6)


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures without a label file count as never looked at, as other layouts can say."""
    read = detection.read_content

    def reading(spec: Any, **options: Any) -> Any:
        content, val = read(spec, **options)
        for item in content.train:
            if (
                not (content.root / item.name.replace("images", "labels"))
                .with_suffix(".txt")
                .exists()
            ):
                item.shapes = None
        return content, val

    monkeypatch.setattr(detection, "read_content", reading)
