"""Surface A: /model-distillation/tasks/{taskId}/history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import TypeAdapter
from sqlalchemy import RowMapping

from tandem.server.context import Here
from tandem.server.history import service
from tandem.server.wire.envelope import Envelope, ok
from tandem.server.wire.history import HistoryIn, HistoryOut

router = APIRouter(tags=["history"])
ROWS = TypeAdapter(list[HistoryOut])
HistoryList = Envelope[list[HistoryOut]]


def _answer(rows: Sequence[RowMapping]) -> Response:
    """Written once: a long history is not checked a second time on its way out."""
    shown = [HistoryOut.model_construct(**row) for row in rows]
    data = ROWS.dump_json(shown, by_alias=True)
    body = b'{"code":200,"message":"success","data":' + data + b"}"
    return Response(body, media_type="application/json")


@router.get("/tasks/{taskId}/history", response_model=HistoryList)
def list_history(context: Here, taskId: str) -> object:
    """All epochs in their order."""
    return _answer(service.by_epoch(context, taskId))


@router.get("/tasks/{taskId}/history/latest", response_model=HistoryList)
def latest_history(
    context: Here, taskId: str, limit: Annotated[int, Query(ge=1, le=10_000)] = 10
) -> object:
    """The last epochs, newest first."""
    return _answer(service.newest(context, taskId, limit))


@router.post("/tasks/{taskId}/history", response_model=Envelope[None])
def tell_history(context: Here, taskId: str, body: HistoryIn) -> object:
    """One epoch; a repeat replaces it."""
    service.record(context, taskId, body)
    return ok(None)
