"""What a column can hold: figures that it cannot are left out and said, texts are cut."""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import Integer, Numeric, String, Text
from sqlalchemy.orm import InstrumentedAttribute

from tandem.server.db.tables import Table
from tandem.spec.measured import TEXT_BYTES

INT_LIMIT = 2**31


def fitted(table: type[Table], row: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The row with its figures rounded as the columns do, and the names of those left out."""
    kept: dict[str, Any] = {}
    left_out: list[str] = []
    for name, value in row.items():
        fit = _fit(getattr(table, name), value)
        if value is not None and fit is None:
            left_out.append(name)
        kept[name] = fit
    return kept, left_out


def _fit(column: InstrumentedAttribute[Any], value: Any) -> Any:
    kind = column.type
    if value is None:
        return None
    if isinstance(kind, Numeric):
        return _decimal(kind, value)
    if type(kind) is Integer:
        return int(value) if math.isfinite(value) and abs(value) < INT_LIMIT else None
    if isinstance(kind, Text):
        return text(value)
    if isinstance(kind, String) and isinstance(value, str):
        whole = text(value)
        # Half a path or half a name is another one.
        return whole if kind.length is None or len(whole) <= kind.length else None
    return value


def _decimal(kind: Numeric[Any], value: float) -> float | None:
    digits, after = kind.precision or 0, kind.scale or 0
    if not math.isfinite(value):
        return None
    rounded = round(value, after)
    return rounded if abs(rounded) < 10 ** (digits - after) else None


def text(value: str, most_bytes: int = TEXT_BYTES) -> str:
    """As every data base takes it: no zero byte, no half character, at most so many bytes."""
    raw = value.replace("\0", "\\0").encode("utf-8", "backslashreplace")
    if len(raw) <= most_bytes:
        return raw.decode("utf-8")
    return raw[: most_bytes - 3].decode("utf-8", "ignore") + "…"


def letters(value: str, most: int) -> str:
    """At most so many letters."""
    whole = text(value)
    return whole if len(whole) <= most else whole[: most - 1] + "…"
