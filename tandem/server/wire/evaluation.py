"""What a student can do, as installed clients know it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, field_validator

from tandem.server.wire.envelope import Camel, UtcTime
from tandem.server.wire.history import INT_MOST, Percent
from tandem.spec.i18n import t
from tandem.spec.measured import TEXT_BYTES


def _as_text(value: object) -> object:
    """Clients name a data set by a number too."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_json(value: object) -> object:
    """The details may come as the object that they are."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


class EvaluationIn(Camel):
    """Figures in percent."""

    id: int | None = None
    """Not used: the row's own number is given here."""
    task_id: str | None = None
    """That of the path, or left out."""
    precision: Percent | None = None
    recall: Percent | None = None
    f1_score: Percent | None = None
    map_50: Percent | None = None
    map_95: Percent | None = None
    eval_dataset_id: (
        Annotated[str, BeforeValidator(_as_text), Field(min_length=1, max_length=100)] | None
    ) = None
    eval_dataset_name: Annotated[str, Field(max_length=255)] | None = None
    eval_sample_count: Annotated[int, Field(ge=0, le=INT_MOST)] | None = None
    eval_time: datetime | None = None
    """Now, when it is left out; UTC when it names no zone."""
    detailed_results: Annotated[str, BeforeValidator(_as_json)] | None = None
    """JSON."""

    @field_validator("detailed_results")
    @classmethod
    def _fits(cls, value: str | None) -> str | None:
        if value is not None and len(value.encode("utf-8", "backslashreplace")) > TEXT_BYTES:
            raise ValueError(t("At most {bytes} bytes can be kept.", bytes=TEXT_BYTES))
        return value


class EvaluationOut(Camel):
    """Figures in percent."""

    model_config = ConfigDict(title="Evaluation", allow_inf_nan=True)
    id: int
    task_id: str
    precision: float | None
    recall: float | None
    f1_score: float | None
    map_50: float | None
    map_95: float | None
    eval_dataset_id: str | None
    eval_dataset_name: str | None
    eval_sample_count: int | None
    eval_time: UtcTime | None
    detailed_results: str | None
    """JSON: per-class scores, the confusion matrix, …"""


FIELDS: tuple[str, ...] = tuple(EvaluationOut.model_fields)
