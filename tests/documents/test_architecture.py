"""The plan on the wall shows the house: each folder has its line, and what it shows is there."""

from __future__ import annotations

import re

from tests.documents import page

PLAN = (page.ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TREE = PLAN.partition("```\n")[2].partition("```")[0]
WITHIN_ONE_LINE = {"migrations", "versions", "middleware", "creation", "model", "evaluation"}
"""Folders that are a part of their parent's subject, and have no line of their own."""


def test_every_folder_of_the_code_has_its_line() -> None:
    tandem = page.ROOT / "tandem"
    folders = {file.parent.relative_to(tandem) for file in tandem.rglob("*.py")}
    subjects = [one for one in folders if not {*one.parts} & WITHIN_ONE_LINE and one.parts]
    guests = [one for one in subjects if one.parts[:2] == ("train", "yolo") and len(one.parts) > 2]
    commands = [one for one in subjects if one.parts[0] == "commands" and len(one.parts) > 1]
    missing = sorted(
        str(one)
        for one in {*subjects} - {*guests} - {*commands}
        if not re.search(rf"(?<![\w-]){one.name}/", TREE)
    )
    assert not missing


def test_every_folder_it_shows_is_there() -> None:
    shown = set(re.findall(r"(?<=[ /])(\w+)/(?=\s|\w)", TREE)) - {"tandem"}
    known = {path.name for path in page.ROOT.rglob("*") if path.is_dir()}
    assert not shown - known - {"web"}  # the built console is not committed


def test_it_is_linked_first() -> None:
    for name in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md"):
        text = (page.ROOT / name).read_text(encoding="utf-8")
        documents = text.rpartition("docs/architecture.md")
        assert documents[1], name
        assert "docs/glossary.md" in documents[2], name
