"""Routes."""

from __future__ import annotations

from fastapi import APIRouter

surface_a = APIRouter()
"""Under /model-distillation."""
v1 = APIRouter()
"""Under /api/v1."""
