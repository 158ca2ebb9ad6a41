"""What a column can hold: figures that it cannot are left out and said, texts are cut."""

from __future__ import annotations

import math

from sqlalchemy import Integer, Numeric, String, Text
from sqlalchemy.orm import InstrumentedAttribute

from tandem.server.db.tables import Table
from tandem.spec.measured import TEXT_BYTES

INT_LIMIT = 2**31


def fitted(table: type[Table], row: dict[str, object]) -> tuple[dict[str, object], list[str]]:
    """The row with its figures rounded as the columns do, and the names of those left out."""
    kept: dict[str, object] = {}
    left_out: list[str] = []
    for name, value in row.items():
        fit = _fit(getattr(table, name), value)
        if value is not None and fit is None:
            left_out.append(name)
        kept[name] = fit
    return kept, left_out


def _fit(column: InstrumentedAttribute[object], value: object) -> object:
    holds = column.type
    if isinstance(value, int | float):
        if isinstance(holds, Numeric):
            return _decimal(holds, value)
        if type(holds) is Integer:  # a BigInteger is one too, and holds more
            return int(value) if math.isfinite(value) and abs(value) < INT_LIMIT else None
    if isinstance(value, str):
        if isinstance(holds, Text):
            return text(value)
        if isinstance(holds, String):
            whole = text(value)
            # Half a path or half a name is another one.
            return whole if holds.length is None or len(whole) <= holds.length else None
    return value


def _decimal(column: Numeric[float], value: float) -> float | None:
    digits, after = column.precision or 0, column.scale or 0
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
