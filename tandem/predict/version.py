"""Which weights a label came from."""

from __future__ import annotations

import hashlib
from pathlib import Path

LETTERS = 16


def digest(file: Path) -> str:
    """A digest of the weights' bytes: two models that say the same have the same."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:LETTERS]
