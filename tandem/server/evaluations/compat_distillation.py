"""Surface A: /model-distillation/tasks/{taskId}/evaluations."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import RowMapping

from tandem.server.context import Here
from tandem.server.evaluations import service
from tandem.server.wire.envelope import Envelope, ok
from tandem.server.wire.evaluation import EvaluationIn, EvaluationOut

router = APIRouter(tags=["evaluations"])
One = Envelope[EvaluationOut | None]


def _one(row: RowMapping | None) -> object:
    return ok(None if row is None else EvaluationOut.model_validate(dict(row)))


@router.get("/tasks/{taskId}/evaluations", response_model=Envelope[list[EvaluationOut]])
def list_evaluations(context: Here, taskId: str) -> object:
    """All, in the order of their coming."""
    rows = service.all_of(context, taskId)
    return ok([EvaluationOut.model_validate(dict(row)) for row in rows])


@router.get("/tasks/{taskId}/evaluations/latest", response_model=One)
def latest_evaluation(context: Here, taskId: str) -> object:
    """The newest, or null."""
    return _one(service.latest(context, taskId))


@router.get("/tasks/{taskId}/evaluations/best", response_model=One)
def best_evaluation(context: Here, taskId: str) -> object:
    """The one of the highest F1; without any F1 of the highest mAP50, mAP95, precision, recall.

    Of equals the newest; null when there is none.
    """
    return _one(service.best(context, taskId))


@router.post("/tasks/{taskId}/evaluations", response_model=Envelope[None])
def tell_evaluation(context: Here, taskId: str, body: EvaluationIn) -> object:
    """Keep one more."""
    service.record(context, taskId, body)
    return ok(None)
