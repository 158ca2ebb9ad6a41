"""What the service itself tells of a task, beside what its run says (`spec.event`).

A service event is kept in a row of its own and streamed between the run's events: `type`, the time
and the task are the row's, the other fields are its body.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from tandem.spec.state import State


class ServiceEvent(BaseModel):
    """Something that happened to a task outside its runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    type: str

    def body(self) -> dict[str, object]:
        """What its row keeps: the fields that were given, so that an absent one stays absent."""
        return self.model_dump(mode="json", exclude={"type"}, exclude_unset=True)


class Rewound(ServiceEvent):
    """What the run said after `seq` is void: it goes on from there."""

    type: Literal["rewound"] = "rewound"
    seq: int


class Created(ServiceEvent):
    """The task is there."""

    type: Literal["created"] = "created"


class StateChanged(ServiceEvent):
    """The task's state is another one."""

    type: Literal["state"] = "state"
    status: State
    reason: str | None = None


class ActionRequested(ServiceEvent):
    """A person wants something of the live run; what comes of it is told when it has."""

    type: Literal["asked"] = "asked"
    wanted: Literal["stop", "pause", "save"]


class Launched(ServiceEvent):
    """A process of the task was started on these devices."""

    type: Literal["launched"] = "launched"
    attempt: int
    devices: list[str]


class Adopted(ServiceEvent):
    """A server watches a run that another one launched."""

    type: Literal["adopted"] = "adopted"
    level: Literal["info", "warning"] = "info"
    message: str


class Ended(ServiceEvent):
    """A process of the task is no more."""

    type: Literal["ended"] = "ended"
    attempt: int
    outcome: str
    exit_code: int | None


class Deleted(ServiceEvent):
    """The task was deleted."""

    type: Literal["deleted"] = "deleted"


class FiguresLeftOut(ServiceEvent):
    """The columns of these fields cannot hold what a run elsewhere reported."""

    type: Literal["figures_left_out"] = "figures_left_out"
    epoch: int
    fields: list[str]


class ServiceNotice(ServiceEvent):
    """A sentence of the service for the person watching; a run's notices have the same type."""

    type: Literal["notice"] = "notice"
    level: Literal["info", "warning"] = "info"
    message: str


ServiceEvents = (
    Rewound
    | Created
    | StateChanged
    | ActionRequested
    | Launched
    | Adopted
    | Ended
    | Deleted
    | FiguresLeftOut
    | ServiceNotice
)
"""All of them; `typing.get_args` gives the classes."""
