"""How many tasks a filter finds, counted at most once a second.

On 100,000 rows the count costs more than the page it is shown on. Within a second a console asks
for it many times; a task that this server creates, moves or deletes drops what was counted, and
what other servers or runs change is seen a second later.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from weakref import WeakKeyDictionary

from tandem.server.db.database import Database

FRESH_SECONDS = 1.0
MOST = 200
_KNOWN: WeakKeyDictionary[Database, dict[Hashable, tuple[float, int]]] = WeakKeyDictionary()
_LOCK = threading.Lock()


def total(database: Database, filters: Hashable, count: Callable[[], int]) -> int:
    """The number `count` gave less than a second ago, or gives now."""
    with _LOCK:
        known = _KNOWN.setdefault(database, {})
        found = known.get(filters)
    at = time.monotonic()
    if found is not None and at - found[0] < FRESH_SECONDS:
        return found[1]
    number = count()
    with _LOCK:
        if len(known) >= MOST:
            known.clear()
        # A write meanwhile has put another dict in its place, and this goes with the old one.
        known[filters] = (at, number)
    return number


def changed(database: Database) -> None:
    """Something was created, moved or deleted: count anew."""
    with _LOCK:
        _KNOWN[database] = {}
