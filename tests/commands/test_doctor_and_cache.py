"""doctor and cache, on a machine whose state the test knows."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tandem.cli import app
from tandem.commands.machine import doctor
from tandem.config.settings import load


def examined(monkeypatch: pytest.MonkeyPatch, answer: str, code: int = 0) -> dict[str, dict]:
    """doctor --json, with what a fresh Python says of torch; by the name of each thing."""

    def ask(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], code, answer, "ImportError: no torch\n")

    monkeypatch.setattr(doctor.subprocess, "run", ask)
    done = CliRunner().invoke(app, ["doctor", "--json"])
    found = {one["what"]: one for one in json.loads(done.stdout)}
    return {**found, "exit": {"code": done.exit_code}}


def test_gpus_and_their_memory_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"torch": "2.15.0", "cuda": "13.2", "gpus": [["NVIDIA H200", 150e9]]}
    found = examined(monkeypatch, json.dumps(said))
    assert found["GPU 0"]["found"] == "NVIDIA H200, 150 GB"
    assert "13.2" in found["PyTorch"]["found"]
    assert found["exit"]["code"] == 0


def test_without_torch_it_says_how_to_mend_it_and_exits_1(monkeypatch: pytest.MonkeyPatch) -> None:
    found = examined(monkeypatch, "", code=1)
    assert found["PyTorch"]["ok"] is False
    assert "ImportError" in found["PyTorch"]["found"]
    assert "make setup" in found["PyTorch"]["fix"]
    assert found["exit"]["code"] == 1


def test_this_machine_s_own_torch_is_found() -> None:
    found = {one.what: one for one in doctor.examine(load())}
    assert found["PyTorch"].ok
    assert found["Python"].ok


def test_a_root_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    home.mkdir()
    (home / "runs").write_text("a file, no folder")
    found = examined(monkeypatch, json.dumps({"torch": "2", "cuda": None, "gpus": []}))
    assert found["output_root"]["ok"] is False
    assert "TANDEM_OUTPUT_ROOT" in found["output_root"]["fix"]
    assert found["exit"]["code"] == 1


def test_configured_teachers_are_looked_for(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    (home / "models" / "here").mkdir(parents=True)
    (home / "models" / "here" / "config.json").write_text("{}")
    (home / "tandem.yaml").write_text("teachers: {away: /nowhere/model}")
    found = examined(monkeypatch, json.dumps({"torch": "2", "cuda": None, "gpus": []}))
    assert found["teacher here"]["ok"] is True
    assert found["teacher away"]["ok"] is None
    assert "/nowhere/model holds no model" in found["teacher away"]["found"]
    assert found["teacher away"]["fix"]


@pytest.fixture
def kept(home: Path, shapes: Path, small_teacher: Path) -> Path:
    """A cache that a teacher has really filled."""
    import torch

    from tandem.spec.run import CacheSpec, DataSpec, TeacherSpec, ViewSpec
    from tandem.train.cache import SourceRequest, SourceSetup, WantedSignals, open_source
    from tandem.train.data import classification
    from tandem.train.data.augment import Views
    from tandem.train.registry import find
    from tandem.train.types import SilentProgress

    cpu = torch.device("cpu")
    spec = TeacherSpec(path=str(small_teacher), image_size=56)
    teacher = find("teachers", "qwen_vl").make(spec, cpu)
    table = classification.read(
        DataSpec(dataset=str(shapes)), index_root=None, progress=SilentProgress()
    ).val
    views = Views.draw(table, ViewSpec(count=1))
    setup = SourceSetup(CacheSpec(root=home / "cache"), cpu, 8, 10**6)
    open_source(teacher, SourceRequest(table, views, 1, WantedSignals()), setup)
    return home / "cache"


def cache(*words: str) -> tuple[int, list[dict]]:
    done = CliRunner().invoke(app, ["cache", *words, "--json"], catch_exceptions=False)
    return done.exit_code, json.loads(done.stdout)


def test_the_cache_is_listed_verified_repaired_and_collected(kept: Path) -> None:
    code, [one] = cache("ls")
    assert code == 0
    assert one["parts"] == {"pooled": 12}
    assert one["bytes"] > 0
    assert "12" in CliRunner().invoke(app, ["cache", "ls"]).stdout
    assert cache("verify") == (0, [])
    shard = next(kept.rglob("shard-*.npy"))
    shard.write_bytes(shard.read_bytes()[:-4] + np.float32(7).tobytes())
    code, faults = cache("verify")
    assert code == 1
    assert len(faults) == 1
    assert cache("verify", "--repair")[0] == 0
    assert cache("verify") == (0, [])
    assert len(cache("gc", "--max-bytes", "0", "--dry-run")[1]) == 1
    assert len(cache("ls")[1]) == 1
    assert len(cache("gc", "--max-bytes", "0")[1]) == 1
    assert cache("ls") == (0, [])


def test_gc_without_a_limit_removes_nothing_and_asks(kept: Path) -> None:
    done = CliRunner().invoke(app, ["cache", "gc"])
    assert "wants to know what may go" in str(done.exception)
    assert len(cache("ls")[1]) == 1
