"""The time of day, for people. What waits or times out counts on `time.monotonic` instead."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """UTC without a zone, as the tables keep it."""
    return datetime.now(UTC).replace(tzinfo=None)
