"""A page of `docs/` that tells how something is added: its steps, done in a copy of the tree.

A line "File `path`:" before a fenced block says what the file holds; "In `path`, after `line`:"
says what comes into it behind that line, indented as there; a ```bash block is run. The last of
these runs the tests that reach what was added.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"(?:^(?:File|In) `(?P<path>[^`\n]+)`(?:, after `(?P<after>[^`\n]+)`)?:\n\n)?"
    r"^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.M | re.S,
)


@dataclass(frozen=True)
class Step:
    """A file that is written or added to, or commands that are run."""

    path: str | None
    text: str
    after: str | None = None
    """The line of the file behind which the text comes; None: the text is all of it."""


def steps(page: Path) -> Iterator[Step]:
    """The steps of a page in their order; code without a path is talked about only."""
    for found in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if found["path"] or found["language"] == "bash":
            yield Step(found["path"], found["text"], found["after"])


def copy_tree(target: Path) -> None:
    """Every file that git knows, or would take; the console's packages are shared."""
    names = _git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in sorted(os.fsdecode(one) for one in names.split(b"\0") if one):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    packages = ROOT / "frontend" / "node_modules"
    if packages.is_dir():
        (target / "frontend" / "node_modules").symlink_to(packages.resolve())
    _git(target, "init", "--quiet")
    _git(target, "add", "--all")  # what is changed from here on, `changed` says


def changed(tree: Path) -> set[str]:
    """Files of a copy that are new, or others than they were; what git ignores is left out."""
    known = _git(tree, "diff", "--name-only", "-z")
    new = _git(tree, "ls-files", "--others", "--exclude-standard", "-z")
    return {os.fsdecode(one) for one in (known + new).split(b"\0") if one}


def listed(page: Path) -> tuple[set[str], set[str]]:
    """The files of a page's tables, which stand before its first step: by hand, and generated."""
    before = re.split(r"^(?:File|In) `", page.read_text(encoding="utf-8"), maxsplit=1, flags=re.M)
    by_hand: set[str] = set()
    generated: set[str] = set()
    for row in re.findall(r"^\|.*`.*\|$", before[0], re.M):
        made = re.search(r"\| `(?:python -m|npm run) ", row)
        (generated if made else by_hand).update(re.findall(r"`([^`]+)`", row.split("|")[1]))
    return by_hand, generated


def _git(folder: Path, *command: str) -> bytes:
    return subprocess.run(["git", *command], cwd=folder, capture_output=True, check=True).stdout


def follow(page: Path, tree: Path) -> None:
    """Do what a page says. AssertionError with what was printed where a command fails."""
    for step in steps(page):
        if step.path is not None:
            _write(step, tree / step.path)
            continue
        done = subprocess.run(
            ["bash", "-euc", step.text], cwd=tree, env=_environment(tree), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{page.name}: {step.text}\n{done.stdout[-8000:]}"


def _write(step: Step, file: Path) -> None:
    if step.after is None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(step.text, encoding="utf-8")
        return
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    places = [number for number, line in enumerate(lines, 1) if line == f"{step.after}\n"]
    assert len(places) == 1, f"{step.path} has the line {step.after!r} {len(places)} times"
    lines.insert(places[0], textwrap.indent(textwrap.dedent(step.text), _margin(step.after)))
    file.write_text("".join(lines), encoding="utf-8")


def _margin(line: str) -> str:
    """The indentation of what comes after a line; pages show it without."""
    deeper = "    " if line.endswith(":") else ""
    return line[: len(line) - len(line.lstrip())] + deeper


def _environment(tree: Path) -> dict[str, str]:
    """The copy's modules before the installed ones, by the interpreter that runs the tests."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**inherited, "PYTHONPATH": str(tree), "PATH": path, "COLUMNS": "200"}
