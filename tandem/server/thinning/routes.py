"""/api/v1/gc: thinning old runs."""

from __future__ import annotations

from fastapi import APIRouter

from tandem.server.context import Here
from tandem.server.thinning import service
from tandem.server.thinning.schemas import Thin, Thinned

router = APIRouter(tags=["models"])


@router.post("/gc")
def thin(context: Here, body: Thin) -> Thinned:
    """Old runs' checkpoints: the last, the best and every n-th stay. Shows before it deletes."""
    return service.thin(context, body)
