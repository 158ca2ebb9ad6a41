"""LoRA presets as installed clients know them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, field_validator

from tandem.server.wire.envelope import Camel, UtcTime
from tandem.spec.i18n import t

COLUMN_LETTERS = 500


def _as_json(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


class PresetIn(Camel):
    """A preset to keep."""

    id: int | None = None
    """Not used."""
    preset_name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^/\x00-\x1f]+$")]
    preset_desc: Annotated[str, Field(max_length=500)] | None = None
    lora_rank: Annotated[int, Field(ge=1, le=4096)] = 16
    lora_alpha: Annotated[int, Field(ge=1, le=65536)] = 32
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    target_modules: Annotated[str, BeforeValidator(_as_json)] | None = None
    """A JSON array of names, as a string; a list is taken too."""
    create_by: Annotated[str, Field(max_length=64)] | None = None
    create_time: datetime | None = None
    """Not used."""
    update_time: datetime | None = None
    """Not used."""
    del_flag: int | None = None
    """Not used."""

    @field_validator("preset_name")
    @classmethod
    def _named(cls, value: str) -> str:
        if not value.strip():
            raise ValueError(t("It is empty."))
        return value.strip()

    @field_validator("target_modules")
    @classmethod
    def _array(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            names = json.loads(value)
        except (ValueError, RecursionError):
            names = None
        if not isinstance(names, list) or not all(isinstance(n, str) and n for n in names):
            raise ValueError(t("It must be a JSON array of names."))
        whole = json.dumps(names, ensure_ascii=False)
        if len(whole) > COLUMN_LETTERS:
            raise ValueError(t("At most {letters} letters can be kept.", letters=COLUMN_LETTERS))
        return whole


class PresetOut(Camel):
    """One preset."""

    model_config = ConfigDict(title="LoraPreset", allow_inf_nan=True)
    id: int
    preset_name: str
    preset_desc: str | None
    lora_rank: int | None
    lora_alpha: int | None
    lora_dropout: float | None
    target_modules: str | None
    """A JSON array of names, as a string."""
    create_by: str | None
    create_time: UtcTime | None
    update_time: UtcTime | None
    del_flag: int | None


FIELDS: tuple[str, ...] = tuple(PresetOut.model_fields)
