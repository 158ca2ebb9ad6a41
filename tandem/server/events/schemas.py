"""Answers of /api/v1 about events and curves."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ReceivedAnswer(BaseModel):
    """What has become of a batch."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    accepted: int = Field(examples=[3])
    """Events that were new."""
    last_seq: int = Field(examples=[12])
    """The last number known now; the next event has the one after it."""
