"""Answers of /api/v1 about events and curves."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ReceivedAnswer(BaseModel):
    """What has become of a batch."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    accepted: int = Field(examples=[3])
    """Events that were new."""
    last_seq: int = Field(examples=[12])
    """The last number known now; the next event has the one after it."""


class Gap(BaseModel):
    """A problem as RFC 9457 has it."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    type: str = "about:blank"
    title: str
    status: int = 409
    detail: str
    expected_seq: int | None = None
    """The number of the next event; send from there on."""


class Curve(BaseModel):
    """One series: as many `x` as `y`; a null is a value that was no number."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    name: str = Field(examples=["loss", "loss/kl_div", "val_accuracy"])
    kind: Literal["step", "epoch"]
    """Said at steps, or once an epoch. Accuracies are 0 to 1."""
    total: int
    """Values there are in the range asked for."""
    x: list[float | None]
    y: list[float | None]


class Curves(BaseModel):
    """A run's curves."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    task_id: str = Field(examples=["TASK_0A1B2C3D"])
    x: Literal["step", "epoch", "time"]
    """What `x` counts: steps, epochs, or seconds of Unix time."""
    last_event_id: str = Field(examples=["4711-0"])
    """Give it to the event stream to go on from here."""
    series: list[Curve]
