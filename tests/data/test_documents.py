"""The code of docs/format.md and docs/data.md is real."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem.data import layout_table
from tandem.data.registry import formats, register
from tandem.data.writing.convert import convert
from tandem.data.writing.split import split
from tandem.spec import i18n
from tests.data import make

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def documented(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The layout of docs/format.md, registered for one test, and its Chinese with it."""
    formats()
    monkeypatch.setattr(i18n, "_BESIDE", dict(i18n._BESIDE))
    [code] = re.findall(r"```python\n(.*?)```", (DOCS / "format.md").read_text("utf-8"), re.S)
    exec(compile(code, "docs/format.md", "exec"), {"__name__": "tandem_docs"})
    yield
    del register.entries["foo"]
    i18n.chinese.cache_clear()


@pytest.mark.usefixtures("documented")
def test_the_documented_layout_works(tmp_path: Path) -> None:
    make.classification(tmp_path / "one")
    said = convert(tmp_path / "one", tmp_path / "two", "foo")
    assert said.lost == {"the split is left out": 2}
    content, faults = make.read(tmp_path / "two")
    assert not faults
    assert (content.format, content.classes) == ("foo", make.CLASSES)
    assert sorted(one.label for one in content.train) == [-1, 0, 0, 0, 1, 1]
    assert split(tmp_path / "two", 0.2, 0).items == {"train": 4, "val": 2}


def test_the_table_of_layouts_names_every_one_and_its_kinds() -> None:
    text = (DOCS / "data.md").read_text("utf-8")
    rows = {row[1].strip(" `"): row for line in text.splitlines()
            if len(row := line.split("|")) == 6 and "`" in row[1]}  # fmt: skip
    assert rows.keys() == formats().keys()
    for name, entry in formats().items():
        for kind in entry.kinds:
            assert kind in rows[name][3] or "all of pictures" in rows[name][3], (name, kind)


def test_the_table_of_layouts_is_the_registry_s() -> None:
    text = (DOCS / "data.md").read_text("utf-8")
    assert layout_table.replaced(text) == text, "run: python -m tandem.data.layout_table"
