"""/api/v1/lora-presets: the same rows as installed clients know them."""

from __future__ import annotations

from fastapi import APIRouter, Response

from tandem.server.context import Here
from tandem.server.presets import service
from tandem.server.presets.schemas import NewPreset, Preset, PresetSettings, check, serialize

router = APIRouter(tags=["LoRA presets"])


@router.get("/lora-presets")
def list_lora_presets(context: Here) -> list[Preset]:
    """All, by name."""
    return [serialize(row) for row in service.every(context)]


@router.post("/lora-presets", status_code=201)
def create_lora_preset(context: Here, body: NewPreset) -> Preset:
    """A new one; 409 when the name exists."""
    check(body)
    return serialize(service.create(context, body.as_kept()))


@router.put("/lora-presets/{name}")
def replace_lora_preset(context: Here, name: str, body: PresetSettings) -> Preset:
    """Change what it says; its name stays."""
    check(body)
    return serialize(service.replace(context, name, body.columns()))


@router.delete("/lora-presets/{name}", status_code=204)
def delete_lora_preset(context: Here, name: str) -> Response:
    """Delete it; 409 for one that came with Tandem."""
    service.delete(context, name)
    return Response(status_code=204)
