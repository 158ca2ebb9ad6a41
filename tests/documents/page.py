"""A page of `docs/` that tells how something is added: its steps, done in a copy of the tree.

A line "File `path`:" before a fenced block says what the file holds; a ```bash block is run. The
last of these runs the tests that reach what was added.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"(?:^File `(?P<path>[^`\n]+)`:\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Step:
    """A file that is written, or commands that are run."""

    path: str | None
    text: str


def steps(page: Path) -> Iterator[Step]:
    """The steps of a page in their order; code without a path is talked about only."""
    for found in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if found["path"] or found["language"] == "bash":
            yield Step(found["path"], found["text"])


def copy_tree(target: Path) -> None:
    """Every file that git knows, or would take."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    for name in sorted(os.fsdecode(one) for one in names if one):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def follow(page: Path, tree: Path) -> None:
    """Do what a page says. AssertionError with what was printed where a command fails."""
    for step in steps(page):
        if step.path is not None:
            (tree / step.path).parent.mkdir(parents=True, exist_ok=True)
            (tree / step.path).write_text(step.text, encoding="utf-8")
            continue
        done = subprocess.run(
            ["bash", "-euc", step.text], cwd=tree, env=_environment(tree), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{page.name}: {step.text}\n{done.stdout[-8000:]}"


def _environment(tree: Path) -> dict[str, str]:
    """The copy's modules before the installed ones, by the interpreter that runs the tests."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**inherited, "PYTHONPATH": str(tree), "PATH": path, "COLUMNS": "200"}
