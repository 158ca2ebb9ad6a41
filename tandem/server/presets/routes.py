"""Routes: /model-distillation/lora-presets, and the same rows as /api/v1 shows them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from tandem.server.context import Here
from tandem.server.presets import service
from tandem.server.presets.schemas import NewPreset, Preset, Settings, check, shown
from tandem.server.wire.envelope import Envelope, ok
from tandem.server.wire.preset import PresetIn, PresetOut

surface_a = APIRouter(tags=["lora-presets"])
"""Under /model-distillation."""
v1 = APIRouter(tags=["LoRA presets"])
"""Under /api/v1."""


@surface_a.get("/lora-presets", response_model=Envelope[list[PresetOut]])
def list_presets(context: Here) -> Any:
    """All, by name."""
    return ok([PresetOut.model_validate(dict(row)) for row in service.all_of_them(context)])


@surface_a.get("/lora-presets/{presetName}", response_model=Envelope[PresetOut])
def get_preset(context: Here, presetName: str) -> Any:
    """One by its name."""
    return ok(PresetOut.model_validate(dict(service.get(context, presetName))))


@surface_a.post("/lora-presets", response_model=Envelope[PresetOut])
def create_preset(context: Here, body: PresetIn) -> Any:
    """A new one; 409 when the name exists."""
    return ok(PresetOut.model_validate(dict(service.keep(context, body))))


@v1.get("/lora-presets")
def list_lora_presets(context: Here) -> list[Preset]:
    """All, by name."""
    return [shown(row) for row in service.all_of_them(context)]


@v1.post("/lora-presets", status_code=201)
def create_lora_preset(context: Here, body: NewPreset) -> Preset:
    """A new one; 409 when the name exists."""
    check(body)
    return shown(service.keep(context, body.as_kept()))


@v1.put("/lora-presets/{name}")
def replace_lora_preset(context: Here, name: str, body: Settings) -> Preset:
    """Change what it says; its name stays."""
    check(body)
    return shown(service.change(context, name, body.columns()))


@v1.delete("/lora-presets/{name}", status_code=204)
def delete_lora_preset(context: Here, name: str) -> Response:
    """Delete it; 409 for one that came with Tandem."""
    service.delete(context, name)
    return Response(status_code=204)
