"""The name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(unknown: str, known: Iterable[str], cutoff: float = 0.0) -> str | None:
    """The known name most like `unknown`; None when none reaches `cutoff` (0 to 1)."""
    found = difflib.get_close_matches(unknown, list(known), n=1, cutoff=cutoff)
    return found[0] if found else None
