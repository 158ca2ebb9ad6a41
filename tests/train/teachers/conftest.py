from pathlib import Path

import pytest

from tandem.train.demo import small_qwen
from tests.train.teachers.folders import ENCODERS, build_encoder


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path_factory.getbasetemp() / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TANDEM_LANG", "en")


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small checkpoint of every architecture that is tested, by name."""
    root = tmp_path_factory.mktemp("checkpoints")
    found = {f: small_qwen.build(root / f, family=f) for f in ("qwen2_5_vl", "qwen3_vl")}
    return found | {name: build_encoder(name, root / name) for name in ENCODERS}
