"""One epoch's figures as installed clients know them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from tandem.server.wire.envelope import Camel, UtcTime

INT_MOST = 2**31 - 1
# The widest that the columns hold.
Loss = Annotated[float, Field(ge=-9999.999999, le=9999.999999)]
Percent = Annotated[float, Field(ge=0, le=100)]
Amount = Annotated[float, Field(ge=0, le=99_999_999.99)]


class HistoryIn(Camel):
    """An epoch told by a run elsewhere. Accuracies in percent."""

    id: int | None = None
    """Not used: the row's own number is given here."""
    task_id: str | None = None
    """That of the path, or left out."""
    epoch: Annotated[int, Field(ge=0, le=INT_MOST)]
    train_loss: Loss | None = None
    train_accuracy: Percent | None = None
    val_loss: Loss | None = None
    val_accuracy: Percent | None = None
    distill_loss: Loss | None = None
    hard_loss: Loss | None = None
    soft_loss: Loss | None = None
    gpu_usage: Annotated[float, Field(ge=0, le=999.99)] | None = None
    """Percent."""
    memory_usage: Amount | None = None
    """Megabytes."""
    epoch_time: Amount | None = None
    """Seconds."""
    record_time: datetime | None = None
    """Now, when it is left out; UTC when it names no zone."""


class HistoryOut(Camel):
    """One epoch. Accuracies in percent."""

    model_config = ConfigDict(title="History", allow_inf_nan=True)
    id: int
    task_id: str
    epoch: int
    train_loss: float | None
    train_accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    distill_loss: float | None
    hard_loss: float | None
    soft_loss: float | None
    gpu_usage: float | None
    memory_usage: float | None
    epoch_time: float | None
    record_time: UtcTime | None


FIELDS: tuple[str, ...] = tuple(HistoryOut.model_fields)
