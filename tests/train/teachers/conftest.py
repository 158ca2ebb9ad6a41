from pathlib import Path

import pytest

from tandem.train.demo import small_qwen
from tandem.train.registry import entries
from tests.train.teachers.folders import ENCODERS, EXAMPLES, build_encoder


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path_factory.getbasetemp() / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TANDEM_LANG", "en")


class Checkpoints(dict[str, Path]):
    """By name, each made when it is first asked for: a file of tests asks for a few."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __missing__(self, name: str) -> Path:
        if name in ENCODERS:
            self[name] = build_encoder(name, self.root / name)
        elif name in EXAMPLES:
            entries("teachers")[name].example(self.root / name)
            self[name] = self.root / name
        else:
            self[name] = small_qwen.build(self.root / name, family=name)
        return self[name]


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    """A small checkpoint of every architecture that is tested, by name."""
    return Checkpoints(tmp_path_factory.mktemp("checkpoints"))
