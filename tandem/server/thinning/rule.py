"""Which checkpoints of an ended run stay: the last, the best, every n-th. Looks at no weights."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from tandem.spec.i18n import t

_NAME = re.compile(r"epoch-(?P<epoch>\d{6})(-step-\d{6})?")
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class SavedCheckpoint:
    """A folder that may go, and why."""

    path: Path
    size_bytes: int
    why: str


def spare(checkpoints: Path, keep_every: int) -> list[SavedCheckpoint]:
    """What `checkpoints` can do without; nothing while no whole checkpoint is there.

    The last whole one carries the best weights so far beside its own. A link is never followed.
    """
    if checkpoints.is_symlink() or not checkpoints.is_dir():
        return []
    entries = sorted(one for one in checkpoints.iterdir() if one.is_dir() and not one.is_symlink())
    named = [one for one in entries if _NAME.fullmatch(one.name)]
    whole = [one for one in named if _is_whole(one)]
    if not whole:
        return []
    kept = {whole[-1], *_best(whole)}
    if keep_every > 0:
        kept |= {one for one in whole if _is_nth(one, keep_every)}
    found = [_item(one, t("Older than the last, and not kept by the rule.")) for one in whole]
    found += [_item(one, t("Damaged, or half written.")) for one in named if one not in whole]
    found += [_item(one, t("Left by a run that died.")) for one in entries if _is_leftover(one)]
    return [one for one in found if one.path not in kept]


def _is_nth(checkpoint: Path, every: int) -> bool:
    match = _NAME.fullmatch(checkpoint.name)
    return bool(match and match[2] is None and int(match["epoch"]) % every == 0)


def _is_leftover(folder: Path) -> bool:
    return folder.name.startswith((".epoch-", "damaged-epoch-"))


def _is_whole(checkpoint: Path) -> bool:
    """Every file its manifest names is there and holds something."""
    try:
        named = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))
        return bool(named) and all((checkpoint / name).stat().st_size for name in named)
    except (OSError, ValueError, TypeError):
        return False


def _best(whole: list[Path]) -> list[Path]:
    """The one of the best epoch, where it was saved by itself."""
    try:
        position = json.loads((whole[-1] / "position.json").read_text(encoding="utf-8"))
        best = int(position["best_epoch"])
    except (OSError, ValueError, KeyError, TypeError):
        return list(whole)  # which is the best cannot be told: all of them stay
    return [one for one in whole if one.name == f"epoch-{best:06d}"]


def _item(folder: Path, why: str) -> SavedCheckpoint:
    size_bytes = sum(
        (Path(where) / name).lstat().st_size
        for where, _, names in os.walk(folder)
        for name in names
    )
    return SavedCheckpoint(folder, size_bytes, why)
