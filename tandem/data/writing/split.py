"""Divide a data set's items into train and val: alike in their classes, groups kept together.

`python -m tandem.data.writing.split FOLDER TARGET SHARE SEED` does it and says one line of JSON.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tandem.data.content import Content, Item
from tandem.data.faults import Faults
from tandem.data.registry import read, written_as
from tandem.data.verification.files import open_all
from tandem.data.verification.support import class_counts, is_annotated
from tandem.data.writing.convert import Written, check_target, write
from tandem.spec.errors import SpecError, TandemError
from tandem.spec.i18n import t

USUAL = (0.1, 0.2)
LONGEST_PATTERN = 1000
_ClassCounts = NDArray[np.float64]


def split(
    path: Path,
    share: float,
    seed: int,
    target: Path | None = None,
    *,
    pattern: str | None = None,
    kind: str | None = None,
    layout: str | None = None,
) -> Written:
    """Split anew what is in `path`, and write it into `target`, where one is given.

    `pattern`: items whose names it finds the same text in stay on one side (its first group, or
    else all of what it matches). `layout`: what `path` is read as, where it can be several.
    """
    if not 0 < share < 1:
        raise SpecError("The share for val must lie between 0 and 1.", got=share,
                        fix="Give --val 0.15.")  # fmt: skip
    if target is not None:
        check_target(path, target)
    faults = Faults()
    content = read(path, faults, kind, layout)
    open_all(content, faults)
    faults.check()
    notes: list[str] = []
    divided = divide(content, share, seed, pattern, notes)
    if target is not None:
        written = write(divided, target, written_as(content))
    else:
        written = Written("", content.format, content.kind, list(content.classes))
        written.items = {name: len(items) for name, items in divided.splits()}
        notes.append(t("Nothing was written; -o names a folder to write to."))
    written.notes = [*content.notes, *notes]
    return written


def divide(
    content: Content, share: float, seed: int, pattern: str | None, notes: list[str]
) -> Content:
    """The content with `share` of its annotated items in val; test stays as it is."""
    if not USUAL[0] <= share <= USUAL[1]:
        notes.append(t("{share:.0%} for val is unusual; 10 to 20 % is.", share=share))
    everything = [*content.train, *(content.val or [])]
    if content.val:
        notes.append(t("The data set had a val split; all of it was mixed and split anew."))
    if content.test:
        notes.append(t("The test split stays as it is: {count} items.", count=len(content.test)))
    annotated = [one for one in everything if _annotated(one)]
    rest = [one for one in everything if not _annotated(one)]
    if len(annotated) < 2:
        raise SpecError("{path} holds too little to be split: two annotated items are the least.",
                        path=content.root, got=len(annotated))  # fmt: skip
    groups = _groups(annotated, pattern, notes)
    counts = np.stack([_presence(content, [annotated[n] for n in one]) for one in groups])
    chosen = pick(counts, np.array([len(one) for one in groups]), share, seed)
    in_val = {number for group in chosen for number in groups[group]}
    train = [one for number, one in enumerate(annotated) if number not in in_val]
    val = [one for number, one in enumerate(annotated) if number in in_val]
    reached = len(val) / len(annotated)
    if not USUAL[0] <= reached <= USUAL[1] and USUAL[0] <= share <= USUAL[1]:
        notes.append(
            t("{share:.0%} went to val: the groups are too large for more even parts.",
              share=reached) if pattern is not None else
            t("{share:.0%} went to val: there are too few items for more even parts.",
              share=reached)
        )  # fmt: skip
    return replace(content, train=[*train, *rest], val=val)


def _annotated(item: Item) -> bool:
    return (
        is_annotated(item)
        or bool(item.attributes.get("messages"))
        or (item.text is not None and item.width > 0)  # a picture's caption
    )


def _groups(items: Sequence[Item], pattern: str | None, notes: list[str]) -> list[list[int]]:
    """Numbers of the items that belong together; without a pattern each is its own group."""
    if pattern is None:
        return [[number] for number in range(len(items))]
    finder = _compiled(pattern)
    by_key: dict[tuple[bool, str], list[int]] = defaultdict(list)
    alone = 0
    for number, item in enumerate(items):
        found = finder.search(item.name)
        if found is None:
            alone += 1
            by_key[(False, f"{item.name}:{item.line}")].append(number)
        else:
            by_key[(True, (found[1] if finder.groups else found[0]) or "")].append(number)
    if alone:
        notes.append(t("The pattern is not found in {count} names; each of them is a group of "
                       "its own.", count=alone))  # fmt: skip
    return list(by_key.values())


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        if len(pattern) > LONGEST_PATTERN:
            raise re.error("it is too long")
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise SpecError("{pattern} is no regular expression: {reason}.", pattern=pattern,
                        reason=error, fix="Mend it.") from error  # fmt: skip


def _presence(content: Content, items: Sequence[Item]) -> _ClassCounts:
    """How many of the items hold each class; last, how many hold none."""
    counts = np.zeros(len(content.classes) + 1)
    for item in items:
        counts[sorted(class_counts([item])) or [-1]] += 1
    return counts


def pick(counts_GC: _ClassCounts, sizes_G: NDArray[np.int64], share: float, seed: int) -> list[int]:
    """The groups of val: of the (groups, classes) counts each comes as near to `share` as may be.

    Large groups are placed first. A class that two groups hold is on both sides, and one that a
    single group holds stays in train: what was never learnt cannot be scored.
    """
    groups, classes = counts_GC.shape
    held_C = (counts_GC > 0).sum(0)
    total_C = counts_GC.sum(0)
    wanted_C = np.where(held_C > 1, np.maximum(total_C * share, 1), 0)
    # A rare class weighs as much as a common one.
    weight_C = 1 / np.maximum(wanted_C, 1)
    order = np.random.default_rng(seed).permutation(groups)
    order = order[np.argsort(-sizes_G[order], kind="stable")]
    here_C = np.zeros(classes)
    left_C = held_C.copy()
    chosen = []
    for group in order.tolist():
        row_C = counts_GC[group]
        present_C = row_C > 0
        after_C = here_C + row_C
        if np.any(present_C & (left_C == 1)):
            continue
        now = (weight_C * (here_C - wanted_C) ** 2).sum()
        if (weight_C * (after_C - wanted_C) ** 2).sum() < now:
            chosen.append(group)
            here_C = after_C
            left_C = left_C - present_C
    return chosen


def _said(source: str, target: str, share: str, seed: str) -> dict[str, object]:
    """Whether it went well, and if not why, for a person."""
    try:
        written = split(Path(source), float(share), int(seed), Path(target))
    except (TandemError, OSError) as error:
        reason = error.sentence() if isinstance(error, TandemError) else str(error)
        return {"ok": False, "message": reason}
    return {"ok": True, "items": written.items, "notes": written.notes}


if __name__ == "__main__":  # the service's own way: a process that may take its time
    print(json.dumps(_said(*sys.argv[1:5]), ensure_ascii=True))
