"""What runs say: sent, streamed, drawn."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool

from tandem.server.context import Context, Here
from tandem.server.errors import TooLargeError
from tandem.server.events import spool, stream
from tandem.server.events.curves import Axis, curves
from tandem.server.events.schemas import Curves, Gap, ReceivedAnswer
from tandem.spec.event import EVENT_TYPES

router = APIRouter(tags=["events"])

LastId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID", description="Go on after this id, as browsers ask by themselves."
    ),
]
LastIdParameter = Annotated[
    str | None,
    Query(
        alias="last_event_id",
        description="The same for a first request; `now` leaves the history out.",
        examples=["12-3", "now"],
    ),
]
Types = Annotated[
    str | None,
    Query(description="Only these types, separated by commas.", examples=["epoch,state"]),
]
STREAM: dict[int | str, dict[str, object]] = {
    200: {
        "description": "Server-sent events: `id`, `event` (the type) and `data` (JSON).",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": 'id: 12-3\nevent: epoch\ndata: {"seq": 12, "type": "epoch"}\n\n',
            }
        },
    }
}


@router.get(
    "/events",
    response_class=stream.EventStream,
    responses=STREAM,
    summary="The state changes of all tasks, live",
)
async def all_events(
    here: Here,
    last_id: LastId = None,
    last_event_id: LastIdParameter = None,
    types: Types = None,
) -> stream.EventStream:
    """From now on, unless an id says from where."""
    return await _stream(here, None, last_id or last_event_id, types)


@router.get(
    "/tasks/{task_id}/events",
    response_class=stream.EventStream,
    responses=STREAM,
    summary="What a task's run says: all so far, then live",
)
async def task_events(
    here: Here,
    task_id: str,
    last_id: LastId = None,
    last_event_id: LastIdParameter = None,
    types: Types = None,
) -> stream.EventStream:
    """Whoever comes back with the last id misses nothing and hears nothing twice."""
    return await _stream(here, task_id, last_id or last_event_id, types)


async def _stream(
    here: Context, task_id: str | None, last_id: str | None, types: str | None
) -> stream.EventStream:
    at, wanted = await run_in_threadpool(stream.begin, here, task_id, last_id, types)
    return stream.EventStream(
        stream.frames(here, task_id, at, wanted), headers=dict(stream.HEADERS)
    )


_NUMBER = {"type": "integer", "minimum": 1}
EVENT: dict[str, object] = {
    "type": "object",
    "description": "One event as the trainer writes it; each type has further fields.",
    "required": ["seq", "at", "task_id", "attempt", "type"],
    "properties": {
        "seq": _NUMBER | {"description": "Counts the run's events from 1, without a gap."},
        "at": {"type": "string", "format": "date-time"},
        "task_id": {"type": "string"},
        "attempt": _NUMBER,
        "type": {"type": "string", "enum": sorted(EVENT_TYPES)},
    },
    "example": {
        "seq": 1,
        "at": "2026-03-01T12:00:00Z",
        "task_id": "TASK_0A1B2C3D",
        "attempt": 1,
        "type": "started",
        "total_epochs": 50,
        "device": "cuda:0",
        "processes": 1,
        "pid": 4711,
    },
}
BODY: dict[str, object] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "array", "maxItems": spool.MOST_EVENTS, "items": EVENT}
            },
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    }
}


GAP: dict[str, object] = {
    "description": "Numbers are missing (`expected_seq` says from where), the run was launched"
    " here, or the task is complete.",
    "content": {"application/problem+json": {"schema": Gap.model_json_schema()}},
}


@router.post(
    "/tasks/{task_id}/events",
    summary="Send events of a run that was started elsewhere",
    openapi_extra=BODY,
    response_model=ReceivedAnswer,
    responses={409: GAP},
)
async def send_events(here: Here, task_id: str, request: Request) -> ReceivedAnswer:
    """A JSON array, or one event a line. What was sent before is dropped."""
    body = await _body(request)
    return await run_in_threadpool(_receive, here, task_id, body)


def _receive(here: Context, task_id: str, body: bytes) -> ReceivedAnswer:
    stream.must_be(here, task_id)
    got = spool.receive(here, task_id, spool.parse(body, task_id))
    return ReceivedAnswer(accepted=got.accepted, last_seq=got.last_seq)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > spool.MOST_BYTES:
            raise TooLargeError(
                "A batch of events may have {most} bytes.",
                most=spool.MOST_BYTES,
                fix="Send it in parts.",
            )
    return bytes(body)


PointCount = Annotated[int, Query(ge=4, le=20_000, description="At most so many of each series.")]
Names = Annotated[
    str | None,
    Query(description="Only these series, separated by commas.", examples=["loss,val_accuracy"]),
]
Bound = float | None


@router.get("/tasks/{task_id}/curves", summary="A run's curves, down-sampled; peaks are kept")
def task_curves(
    here: Here,
    task_id: str,
    points: PointCount = 1000,
    names: Names = None,
    x: Annotated[Axis, Query(description="What the x values count.")] = "step",
    begins: Annotated[Bound, Query(alias="from", allow_inf_nan=False)] = None,
    ends: Annotated[Bound, Query(alias="to", allow_inf_nan=False)] = None,
) -> Curves:
    """The lowest and the highest of each stretch are shown, so that no outlier is lost."""
    wanted = None if names is None else frozenset(one.strip() for one in names.split(","))
    return curves(here, task_id, points=points, names=wanted, x=x, begins=begins, ends=ends)
