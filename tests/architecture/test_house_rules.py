"""The rules of the house that no linter knows."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "tandem").rglob("*.py"))
BANNED = {"utils", "helper", "helpers", "manager", "common", "process"}


def test_no_file_is_longer_than_400_lines():
    long = {
        str(path.relative_to(ROOT)): count
        for path in [
            *SOURCES,
            *(ROOT / "tests").rglob("*.py"),
            *(ROOT / "benchmarks").rglob("*.py"),
        ]
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long


def test_no_file_has_a_name_that_says_nothing():
    assert not [path for path in SOURCES if path.stem in BANNED or path.parent.name in BANNED]


BOUNDARIES = {
    "tandem/train/__main__.py",  # the trainer
    "tandem/predict/__main__.py",  # an annotation job
    "tandem/server/http/boundary.py",  # a request
    "tandem/server/dispatch/dispatcher.py",  # a tick of the dispatcher
}


def test_only_the_three_boundaries_catch_every_exception():
    catching = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if re.search(r"except Exception\b", path.read_text(encoding="utf-8"))
    ]
    assert set(catching) <= BOUNDARIES


def test_no_pickle_is_read_but_as_plain_values():
    loads = re.compile(r"(torch\.load\((?![^)]*weights_only=True)|pickle\.load|allow_pickle=True)")
    assert not [path for path in SOURCES if loads.search(path.read_text())]


def test_code_from_a_hub_is_never_run():
    assert not [
        path for path in SOURCES if re.search(r"trust_remote_code\s*=\s*True", path.read_text())
    ]


def test_the_package_imports_without_torch():
    code = (
        "import sys, tandem, tandem.spec.run, tandem.cli, tandem.server.app;"
        "bad = {'torch', 'transformers', 'numpy'} & set(sys.modules); sys.exit(bool(bad))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_nothing_committed_names_a_registry_or_a_machine_path():
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    hosts = re.compile(r"(files\.pythonhosted|pypi\.org/simple|registry\.npmjs)")
    paths = re.compile(r"(?<![\w/.])/(root|home/\w+|work)/")
    for name in files:
        path = ROOT / name
        if path.suffix in {".png", ".ico"} or path == Path(__file__) or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not hosts.search(text), name
        assert not paths.search(text), name
