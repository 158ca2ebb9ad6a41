"""Whether a data set's folder has changed, told by sizes and times; no file is read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

MOST_FILES = 5000
"""Files watched each by itself; of more, the folders' times tell what came, went or was replaced.
A file that is written over in place among so many is seen once its data set is checked again:
the check begins the index anew."""
MOST_FOLDERS = 20_000
_TABLES = (".json", ".jsonl", ".csv", ".tsv", ".yaml", ".yml")


def plan_of(folder: Path) -> list[str]:
    """What to look at: every folder, and files, tables of labels first."""
    folders, tables, others = [""], list[str](), list[str]()
    for where, names, files in os.walk(folder):
        names[:] = sorted(one for one in names if not one.startswith("."))
        below = os.path.relpath(where, folder)
        inner = "" if below == "." else f"{below}/"
        folders += [f"{inner}{one}" for one in names]
        for name in sorted(files):
            kept = tables if name.lower().endswith(_TABLES) else others
            if len(kept) <= MOST_FILES and not name.startswith("."):
                kept.append(f"{inner}{name}")
        if len(folders) > MOST_FOLDERS:
            break
    watched = tables + others if len(tables) + len(others) <= MOST_FILES else tables[:MOST_FILES]
    return folders[:MOST_FOLDERS] + watched


def signature(folder: Path, plan: list[str]) -> str:
    """A digest of sizes and times of what the plan names, as they are now."""
    digest = hashlib.blake2b(digest_size=16)
    for name in plan:
        try:
            seen = os.lstat(folder / name)
            digest.update(f"{seen.st_ino} {seen.st_size} {seen.st_mtime_ns}\n".encode())
        except (OSError, ValueError):
            digest.update(b"-\n")
    return digest.hexdigest()
