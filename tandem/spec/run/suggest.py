"""The name that was probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

LEAST_LETTERS = 4
"""A shorter name is no slip and no beginning of another: `foo` is like too much."""
MOST_SLIPS = 3


def nearest(unknown: str, known: Iterable[str]) -> str | None:
    """The known name that `unknown` is probably a slip of; None where there is no such name.

    A slip is one letter left out, added, changed or swapped with its neighbour for each four of the
    name; case, `-`, `_`, `.` and spaces do not count. So is the beginning of a single name, up to
    one of its joints: `batch` for `batch_size`.
    """
    names = list(known)
    wanted = _letters(unknown)
    found = [(_slips(wanted, _letters(name)), name) for name in names]
    near = [(slips, name) for slips, name in found if slips <= _most(wanted, _letters(name))]
    if near:
        return min(near, key=lambda one: one[0])[1]
    longer = [name for name in names if _begins(unknown, name)]
    return longer[0] if len(longer) == 1 else None


def nearest_path(unknown: str, known: Iterable[str]) -> str | None:
    """As `nearest`, of dotted names: each of their parts is the same, or a slip of its own."""
    parts = unknown.split(".")
    found = ((_slips_of_parts(parts, path.split(".")), path) for path in known)
    near = [(slips, path) for slips, path in found if slips is not None]
    return min(near, key=lambda one: one[0])[1] if near else None


def _slips_of_parts(some: Sequence[str], others: Sequence[str]) -> int | None:
    """None where a part of one is no slip of the other's."""
    if len(some) != len(others):
        return None
    pairs = [(_letters(one), _letters(other)) for one, other in zip(some, others, strict=True)]
    slips = [_slips(*pair) for pair in pairs]
    fits = all(count <= _most(*pair) for count, pair in zip(slips, pairs, strict=True))
    return sum(slips) if fits else None


def _letters(name: str) -> str:
    return re.sub(r"[\s_\-.]+", "", name.casefold())


def _most(one: str, other: str) -> int:
    """Slips that two names of these lengths may lie apart: of a very short one, none."""
    shorter = min(len(one), len(other))
    return 0 if shorter < LEAST_LETTERS else min(MOST_SLIPS, shorter // LEAST_LETTERS)


def _begins(beginning: str, name: str) -> bool:
    said = beginning.casefold().replace("-", "_")
    whole = name.casefold().replace("-", "_")
    return len(said) >= LEAST_LETTERS and whole.startswith((f"{said}_", f"{said}."))


def _slips(one: Sequence[str], other: Sequence[str]) -> int:
    """Letters to leave out, add, change or swap with the next (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            steps = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                steps = min(steps, before[j - 2] + 1)
            row.append(steps)
        before, last = last, row
    return last[-1]
