"""The numbers of the house are counted as they are called."""

import subprocess
import sys
from pathlib import Path

from tests.architecture import imports, measure, source


def house(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / "tandem" / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def circles(root: Path, *, with_typing: bool) -> list[list[str]]:
    found = imports.find(source.read(root, "tandem"))
    return imports.circles(imports.graph(found, with_typing=with_typing))


def test_a_lazy_import_closes_a_circle(tmp_path):
    house(
        tmp_path,
        one="from tandem import two",
        two="def f():\n    from tandem.one import g",
        three="import tandem.one",
    )
    assert circles(tmp_path, with_typing=False) == [["tandem.one", "tandem.two"]]


def test_an_import_for_a_type_checker_is_counted_apart(tmp_path):
    lazy = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tandem.one import One"
    house(tmp_path, one="import tandem.two", two=lazy)
    assert circles(tmp_path, with_typing=False) == []
    assert circles(tmp_path, with_typing=True) == [["tandem.one", "tandem.two"]]


def test_a_relative_import_is_one_of_ours(tmp_path):
    house(tmp_path, a__one="from . import two", a__two="from ..a.one import x", a__three="")
    assert circles(tmp_path, with_typing=False) == [["tandem.a.one", "tandem.a.two"]]


def test_classes_and_aliases_are_declared_but_values_are_not(tmp_path):
    text = "class One: ...\nTwo = dict[str, int]\nThree: TypeAlias = int\nT = TypeVar(0)\nFOUR = 4"
    house(tmp_path, one=text, two="One = int | None")
    declared = measure.declared(source.read(tmp_path, "tandem"))
    assert {name: len(places) for name, places in declared.items()} == {
        "One": 2,
        "Two": 1,
        "Three": 1,
    }


def test_lines_are_of_code_or_of_comments_or_of_neither(tmp_path):
    text = '"""Of this.\n\nMore.\n"""\n\n# why\nx = 1  # because\ny = 2  # noqa: F841\n'
    house(tmp_path, one=text)
    (module,) = source.read(tmp_path, "tandem")
    assert (source.code_lines(module), source.comment_lines(module)) == (2, 2)
    assert list(measure.of_docstrings([module])) == ["tandem/one.py:1 Of this."]


def test_the_table_is_printed_for_any_checkout(tmp_path):
    house(tmp_path, one="from typing import Any\ndef f(x: Any) -> None: ...\n")
    done = subprocess.run(
        [sys.executable, "-m", "tests.architecture.measure", tmp_path],
        cwd=source.ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = dict(line.rsplit("  ", 1) for line in done.stdout.splitlines())
    assert {name.strip(): rows[name] for name in rows if name.strip() == "`Any`"} == {"`Any`": "2"}
