"""LoRA presets under /api/v1; the same rows as those of installed clients."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import RowMapping

from tandem.server.errors import InvalidError
from tandem.server.presets.i18n import ENGLISH, localized
from tandem.server.wire.envelope import UtcTime
from tandem.server.wire.preset import COLUMN_LETTERS, PresetIn
from tandem.spec.i18n import t

Module = Annotated[str, Field(min_length=1, max_length=100)]


class PresetSettings(BaseModel):
    """What a preset says."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    description: Annotated[str, Field(max_length=500)] | None = None
    rank: Annotated[int, Field(ge=1, le=512)] = 16
    alpha: Annotated[int, Field(ge=1, le=65536)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    target_modules: Annotated[list[Module], Field(max_length=64)] = Field(
        default_factory=list, description="Layers by their names; empty: the family's default."
    )

    def modules_text(self) -> str:
        """The modules as their column keeps them: a JSON list."""
        return json.dumps(self.target_modules, ensure_ascii=False)

    def columns(self) -> dict[str, object]:
        """As the table keeps them."""
        return {
            "preset_desc": self.description,
            "lora_rank": self.rank,
            "lora_alpha": self.alpha,
            "lora_dropout": self.dropout,
            "target_modules": self.modules_text(),
        }


class NewPreset(PresetSettings):
    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^/\x00-\x1f]+$")]

    def as_kept(self) -> PresetIn:
        """Under the rules that hold for installed clients too."""
        return PresetIn.model_validate({"preset_name": self.name, **self.columns()})


def check(settings: PresetSettings) -> None:
    """InvalidError for what the table has no room for, or a name of blanks."""
    if isinstance(settings, NewPreset) and not settings.name.strip():
        raise InvalidError([{"field": "name", "problem": t("It is empty.")}])
    if len(settings.modules_text()) > COLUMN_LETTERS:
        problem = t("At most {letters} letters can be kept.", letters=COLUMN_LETTERS)
        raise InvalidError([{"field": "target_modules", "problem": problem}])


class Preset(BaseModel):
    name: str
    title: str = Field(description="The name; of those that came with Tandem, in your language.")
    description: str | None
    about: str | None = Field(description="The description, in your language where Tandem has it.")
    rank: int | None
    alpha: int | None
    dropout: float | None
    target_modules: list[str]
    builtin: bool = Field(description="It came with Tandem and cannot be deleted.")
    created_at: UtcTime | None
    updated_at: UtcTime | None


def serialize(row: RowMapping) -> Preset:
    """A row; what an installed system wrote as its target modules may be no list."""
    try:
        modules = json.loads(row["target_modules"] or "[]")
    except (ValueError, RecursionError):
        modules = []
    title, about = localized(row["preset_name"], row["preset_desc"])
    return Preset(
        name=row["preset_name"],
        title=title,
        description=row["preset_desc"],
        about=about,
        rank=row["lora_rank"],
        alpha=row["lora_alpha"],
        dropout=row["lora_dropout"],
        target_modules=[one for one in modules if isinstance(one, str)]
        if isinstance(modules, list)
        else [],
        builtin=row["preset_name"] in ENGLISH,
        created_at=row["create_time"],
        updated_at=row["update_time"],
    )
