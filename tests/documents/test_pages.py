"""What the pages say of adding something is true: done in a copy of the tree, its tests pass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.documents import page

PAGES = (
    "executor.md",
    "format.md",
    "kind.md",
    "knob.md",
    "loss.md",
    "page.md",
    "resource.md",
    "student.md",
    "teacher.md",
)


@pytest.mark.timeout(1200)  # each step starts a Python of its own, and most load torch
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_true(name: str, tmp_path: Path) -> None:
    page.copy_tree(tmp_path / "tree")
    page.follow(page.ROOT / "docs" / name, tmp_path / "tree")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_the_files_that_it_writes(name: str) -> None:
    text = (page.ROOT / "docs" / name).read_text(encoding="utf-8")
    table = re.split(r"^(?:File|In) `", text, maxsplit=1, flags=re.M)[0]
    written = [step.path for step in page.steps(page.ROOT / "docs" / name) if step.path]
    assert written
    assert all(f"`{path}`" in table for path in written)
