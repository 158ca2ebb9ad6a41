"""A person asks a run to save now: a file in its folder, looked for between two steps."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from tandem.spec.save_request import SAVE_NOW

LOOK_SECONDS = 0.2
"""Between two looks: a folder on a network disk is not asked at every step."""


class SaveRequest:
    """Looked for by the process that writes checkpoints; the others hear of it from this one."""

    def __init__(self, run_dir: Path, *, looks: bool = True) -> None:
        self.file, self.looks = run_dir / SAVE_NOW, looks
        self._looked_at = float("-inf")

    def taken(self) -> bool:
        """Whether there was one; it is answered once."""
        now = time.monotonic()
        if not self.looks or now - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_at = now
        if not self.file.is_file():
            return False
        # Taken away first, then answered: a request that comes while it is saved is another one.
        with suppress(OSError):
            self.file.unlink()
        return True
