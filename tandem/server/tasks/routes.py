"""Routes."""

from __future__ import annotations

from tandem.server.tasks.compat_distillation import router as surface_a
from tandem.server.tasks.v1 import router as v1

__all__ = ["surface_a", "v1"]
