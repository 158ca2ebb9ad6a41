"""What there is to choose from, as the trainer's registry wrote it: read without torch."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent.parent / "catalog.json"


@cache
def read() -> dict[str, Any]:
    """The catalogue as `python -m tandem.train.catalog` wrote it."""
    return dict(json.loads(FILE.read_text(encoding="utf-8")))


def students() -> dict[str, dict[str, Any]]:
    """The students by type."""
    return {one["name"]: one for one in read()["students"]}
