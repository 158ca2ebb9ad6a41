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
NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}


@pytest.mark.timeout(1200)  # each step starts a Python of its own, and most load torch
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_true(name: str, tmp_path: Path) -> None:
    page.copy_tree(tmp_path / "tree")
    page.follow(page.ROOT / "docs" / name, tmp_path / "tree")
    by_hand, generated = page.listed(page.ROOT / "docs" / name)
    changed = page.changed(tmp_path / "tree")
    assert by_hand <= changed <= by_hand | generated, "its table is not what was changed"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_the_files_that_it_writes(name: str) -> None:
    by_hand, _ = page.listed(page.ROOT / "docs" / name)
    written = {step.path for step in page.steps(page.ROOT / "docs" / name) if step.path}
    assert written
    assert written <= by_hand


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_how_many_files_are_made_by_hand(name: str) -> None:
    by_hand, _ = page.listed(page.ROOT / "docs" / name)
    text = (page.ROOT / "docs" / name).read_text(encoding="utf-8")
    [number] = re.findall(r"\*\*By hand: (\w+) files?\*\*", text.replace(".**", "**"))
    assert NUMBERS[number] == len(by_hand)
