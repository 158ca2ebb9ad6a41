"""Routes."""

from __future__ import annotations

from tandem.server.tasks.surface_a import router as surface_a
from tandem.server.tasks.v1 import router as v1

__all__ = ["surface_a", "v1"]
