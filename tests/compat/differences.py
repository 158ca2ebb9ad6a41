"""What two answers agree in, and where a later one is not as it was."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

VARIES = "(varies)"
TIMES = re.compile(r"seconds|milliseconds|memory|gpu|_at$|Time$|duration|per_second|^pid$|^at$")
"""Keys whose numbers are another machine's or another moment's."""


def common(one: Any, other: Any, key: str = "") -> Any:
    """What two homes agree in; `VARIES` elsewhere."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {k: common(v, other[k], k) for k, v in one.items() if k in other}
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [common(x, y, key) for x, y in zip(one, other, strict=True)]
    if one is not None and not isinstance(one, bool | str) and TIMES.search(key):
        return VARIES
    return one if one == other else VARIES


def differences(was: Any, now: Any, at: str = "") -> Iterator[str]:
    """What is not as it was. More than there was is no difference."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key, value in was.items():
            if key in now:
                yield from differences(value, now[key], f"{at}.{key}")
            else:
                yield f"{at}.{key} is gone"
    elif (named := _named(was)) and (others := _named(now)):
        yield from differences(named, others, at)
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for number, (one, other) in enumerate(zip(was, now, strict=True)):
            yield from differences(one, other, f"{at}[{number}]")
    elif was != VARIES and not _same(was, now):
        yield f"{at}: {was!r} is now {now!r}"


def _named(items: Any) -> dict[str, Any]:
    """A list of settings, say, by their names: one that has come since is no difference."""
    if not isinstance(items, list) or not all(isinstance(x, dict) and "name" in x for x in items):
        return {}
    by_name = {str(one["name"]): one for one in items}
    return by_name if len(by_name) == len(items) else {}


def agree(was: Any, now: Any, name: str = "") -> None:
    """AssertionError with a line for each thing that is not as it was."""
    found = list(differences(was, now, name))
    assert not found, "\n".join(["not as 7fb42ae had it:", *found[:40]])


def _same(was: Any, now: Any) -> bool:
    both = (was, now)
    if all(isinstance(x, int | float) and not isinstance(x, bool) for x in both):
        return math.isclose(was, now, rel_tol=2e-3, abs_tol=2e-4)
    return type(was) is type(now) and was == now
