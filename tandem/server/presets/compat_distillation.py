"""Surface A: /model-distillation/lora-presets."""

from __future__ import annotations

from fastapi import APIRouter

from tandem.server.context import Here
from tandem.server.presets import service
from tandem.server.wire.envelope import Envelope, ok
from tandem.server.wire.preset import PresetIn, PresetOut

router = APIRouter(tags=["lora-presets"])


@router.get("/lora-presets", response_model=Envelope[list[PresetOut]])
def list_presets(context: Here) -> object:
    """All, by name."""
    return ok([PresetOut.model_validate(dict(row)) for row in service.every(context)])


@router.get("/lora-presets/{presetName}", response_model=Envelope[PresetOut])
def get_preset(context: Here, presetName: str) -> object:
    """One by its name."""
    return ok(PresetOut.model_validate(dict(service.get(context, presetName))))


@router.post("/lora-presets", response_model=Envelope[PresetOut])
def create_preset(context: Here, body: PresetIn) -> object:
    """A new one; 409 when the name exists."""
    return ok(PresetOut.model_validate(dict(service.create(context, body))))
