"""Is it up? For a load balancer, a start script, a person."""

from __future__ import annotations

import threading
from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from tandem.server.context import Context, Here

ANSWER_SECONDS = 3.0
router = APIRouter(tags=["health"])
VERSION = version("tandem-distill")


class DatabaseHealth(BaseModel):
    kind: str = Field(examples=["sqlite"])
    status: Literal["UP", "DOWN"]


class Health(BaseModel):
    """`status` is DOWN, and the HTTP status 503, when the data base does not answer."""

    status: Literal["UP", "DOWN"]
    version: str = Field(examples=["0.1.0"])
    database: DatabaseHealth


@router.get(
    "/actuator/health", responses={503: {"model": Health, "description": "It cannot work."}}
)
def health(context: Here, response: Response) -> Health:
    """Whether the service can work."""
    status: Literal["UP", "DOWN"] = "UP" if _answers(context) else "DOWN"
    if status == "DOWN":
        response.status_code = 503
    dialect = context.database.dialect
    return Health(
        status=status, version=VERSION, database=DatabaseHealth(kind=dialect, status=status)
    )


def _answers(context: Context) -> bool:
    """A data base that hangs is as bad as one that is gone, and is known within seconds."""
    if context.database.dialect == "sqlite":
        return context.database.answers()
    found: list[bool] = []
    # A daemon: a data base that never answers must not keep the process from ending.
    asking = threading.Thread(
        target=lambda: found.append(context.database.answers()), daemon=True, name="health"
    )
    asking.start()
    asking.join(ANSWER_SECONDS)
    return bool(found and found[0])
