"""/api/v1/queue."""

from __future__ import annotations

from fastapi import APIRouter

from tandem.server.context import Here
from tandem.server.queue import service
from tandem.server.queue.schemas import Move, Queue

router = APIRouter(tags=["queue"])


@router.get("/queue", response_model=Queue)
def show_queue(context: Here) -> object:
    """What waits, in its order, and what runs."""
    return service.show(context)


@router.post("/queue/{task_id}/move", response_model=Queue)
def move_task(context: Here, task_id: str, body: Move) -> object:
    """Put one that waits to another place or priority; 409 when it does not wait."""
    return service.move(context, task_id, to=body.to, priority=body.priority)
