"""Pictures whose perceptual hashes are nearly the same, without comparing each with each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

BITS = 64
BANDS = 4
MOST_BITS_APART = BANDS - 1
"""Bits of 64: two hashes that differ in fewer than there are bands share a whole band."""
GROUPS_TOLD = 100
NAMES_TOLD = 20
CHUNK = 512


@dataclass
class NearDuplicates:
    """Groups of pictures that look the same."""

    within: dict[str, int] = field(default_factory=dict)
    """Pictures in groups that lie in one split alone, by split."""
    across: int = 0
    """Pictures in groups with pictures of both splits."""
    groups: list[list[str]] = field(default_factory=list)
    """Names, groups across the splits first; the first hundred groups."""


def find_near_duplicates(hashes: Sequence[tuple[str, str, int]]) -> NearDuplicates:
    """`hashes`: split, name and 64 bits of each picture."""
    return _told(hashes, near_groups(hashes))


def near_groups(hashes: Sequence[tuple[str, str, int]]) -> list[list[int]]:
    """The places in `hashes` of pictures that look the same, two or more together."""
    by_hash: dict[int, list[int]] = defaultdict(list)
    for number, (_, _, one) in enumerate(hashes):
        by_hash[one].append(number)
    known = sorted(by_hash)
    above = list(range(len(known)))
    for one, other in _pairs(known):
        above[_top(above, one)] = _top(above, other)
    members: dict[int, list[int]] = defaultdict(list)
    for place, one in enumerate(known):
        members[_top(above, place)] += by_hash[one]
    return [sorted(one) for one in members.values() if len(one) > 1]


def _told(hashes: Sequence[tuple[str, str, int]], groups: list[list[int]]) -> NearDuplicates:
    said = NearDuplicates()
    across: list[list[str]] = []
    alone: list[list[str]] = []
    for group in groups:
        splits = {hashes[number][0] for number in group}
        names = [hashes[number][1] for number in group[:NAMES_TOLD]]
        if len(splits) > 1:
            said.across += len(group)
            across.append(names)
        else:
            [split] = splits
            said.within[split] = said.within.get(split, 0) + len(group)
            alone.append(names)
    said.groups = [*sorted(across), *sorted(alone)][:GROUPS_TOLD]
    return said


def _top(above: list[int], place: int) -> int:
    """The one that stands for all of its group; the way to it gets shorter."""
    while above[place] != place:
        above[place] = above[above[place]]
        place = above[place]
    return place


def _pairs(known: list[int]) -> Iterable[tuple[int, int]]:
    """Places of hashes that differ in MOST_BITS_APART bits or fewer."""
    width = BITS // BANDS
    values = np.array(known, np.uint64)
    for band in range(BANDS):
        buckets: dict[int, list[int]] = defaultdict(list)
        for place, one in enumerate(known):
            buckets[(one >> (band * width)) & ((1 << width) - 1)].append(place)
        for places in buckets.values():
            if 2 <= len(places) <= 8:
                for one, other in combinations(places, 2):
                    if (known[one] ^ known[other]).bit_count() <= MOST_BITS_APART:
                        yield one, other
            elif len(places) > 8:
                yield from _close(values, np.array(places))


def _close(values: np.ndarray, places: np.ndarray) -> Iterable[tuple[int, int]]:
    """The same for a full bucket, many at once."""
    for start in range(0, len(places), CHUNK):
        some = places[start : start + CHUNK]
        apart = np.bitwise_count(values[some][:, None] ^ values[places][None, :])
        for row, column in np.argwhere(apart <= MOST_BITS_APART).tolist():
            if start + row < column:
                yield int(some[row]), int(places[column])
