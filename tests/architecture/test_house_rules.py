"""The rules of the house that no linter knows."""

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.architecture import imports, measure, source

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


MODULES = source.read(ROOT, "tandem")
MOST_LOOSE = 15
MOST_ANY = 300
# A name that two declare because they mean the same thing, and why one of them cannot import it.
SAME_THING = {
    "Task": "the client may not import the server: a task as it was answered",
    "Page": "the client may not import the server: a page as it was answered",
    "Upload": "the client may not import the server: an upload as it was answered",
}


def shown(title: str, wrong: Iterable[object]) -> str:
    """A failure as a person reads it: what is wrong, then each place on a line of its own."""
    return title + "\n" + "\n".join(map(str, wrong))


def test_no_modules_import_each_other_in_a_circle():
    found = imports.find(MODULES)
    circles = imports.circles(imports.graph(found, with_typing=False))
    arrows = [
        f"{one.place} {one.importer} imports {one.imported}"
        for circle in circles
        for one in found
        if not one.typing_only and {one.importer, one.imported} <= set(circle)
    ]
    assert not circles, shown(f"{len(circles)} circles:", arrows)


def test_no_folder_has_more_than_15_loose_files():
    full = {
        place: count for place, count in measure.loose_files(MODULES).items() if count > MOST_LOOSE
    }
    assert not full, shown("Too many files in:", (f"{place} {full[place]}" for place in full))


def test_any_is_rare():
    count = measure.anys(MODULES)
    most = {one.path.as_posix(): measure.anys([one]) for one in MODULES}
    worst = sorted(most.items(), key=lambda one: -one[1])[:20]
    assert count <= MOST_ANY, shown(f"{count} mentions of Any, of at most {MOST_ANY}:", worst)


@pytest.mark.parametrize("place", measure.CORE)
def test_the_core_is_typed_without_any(place):
    modules = measure.below(MODULES, place)
    assert modules, f"{place} is not there"
    left = [
        f"{module.path}:{number} {line.strip()}"
        for module in modules
        for number, line in enumerate(module.lines, 1)
        if re.search(r"\bAny\b", line)
    ]
    assert not left, shown(f"{place} mentions Any:", left)


def test_docstrings_and_descriptions_are_sentences():
    left = [*measure.of_docstrings(MODULES), *measure.of_descriptions(MODULES)]
    assert not left, shown(f'{len(left)} begin with "Of ":', left)


def test_no_type_is_declared_twice():
    """A class or an alias has one home. What one module has for itself alone begins with `_`."""
    twice = [
        f"{name}: {' '.join(place for place, _ in places)}"
        for name, places in measure.declared(MODULES).items()
        if len(places) > 1 and not name.startswith("_") and name not in SAME_THING
    ]
    assert not twice, shown(f"{len(twice)} names with several meanings:", twice)
