"""What thinning is asked and answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Thin(BaseModel):
    """What to look at; nothing is deleted while `dry_run` is true."""

    model_config = ConfigDict(extra="forbid")
    dry_run: bool = True
    keep_every: Annotated[int, Field(ge=0, le=100_000)] | None = Field(
        None, description="Keep every n-th epoch's too. None: as configured; 0: none."
    )
    older_than_days: Annotated[float, Field(ge=0, le=36_500)] = Field(
        0, description="Only runs that ended so long ago."
    )


class Spare(BaseModel):
    task_id: str
    path: str
    size_bytes: int
    why: str


class Thinned(BaseModel):
    """What may go, or has gone."""

    deleted: bool
    items: list[Spare]
    total_bytes: int
