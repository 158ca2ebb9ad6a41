"""What a run left, on the wire."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class LogPiece(BaseModel):
    """A piece of a log; ask again from `next_offset`."""

    model_config = ConfigDict(from_attributes=True)
    text: str
    offset: int
    next_offset: int
    total_bytes: int


class ArtifactFile(BaseModel):
    """One file of the run's folder."""

    path: str
    size_bytes: int


class ArtifactList(BaseModel):
    """The files of the run's folder, in the order of their names."""

    items: list[ArtifactFile]
    truncated: bool
    """There are more than are listed."""
