"""What a list is asked for: its filter, its order, its cursor."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic.alias_generators import to_camel

from tandem.server.errors import InvalidError
from tandem.server.wire.task import FIELDS
from tandem.spec.i18n import t
from tandem.spec.state import State

UNORDERED = frozenset({"training_config", "error_message", "description", "remark"})
SORTED_BY = [name for name in FIELDS if name not in UNORDERED]


def _searched(text: str) -> str:
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise ValueError("it must not hold control characters")
    return text


Keyword = Annotated[str, Field(max_length=200), AfterValidator(_searched)]
Word = Annotated[str, Field(max_length=64), AfterValidator(_searched)]
PageNumber = Annotated[int, Field(ge=1, le=1_000_000_000)]
PageSize = Annotated[int, Field(ge=1, le=1000)]


@dataclass(frozen=True)
class TaskFilter:
    """Which tasks, in which order."""

    status: State | None = None
    keyword: str | None = None
    order_by: str = "id"
    descending: bool = True
    statuses: tuple[State, ...] = ()
    """Any of these; empty: `status` decides."""
    kind: str | None = None
    owner: str | None = None


def camel_filter(status: State | None, keyword: str | None, order_by: str | None) -> TaskFilter:
    """`orderBy` is a column as surface A names it, with asc or desc after it: `taskName desc`."""
    if not order_by:
        return TaskFilter(status, keyword or None)
    known = {to_camel(name): name for name in SORTED_BY}
    found = re.fullmatch(r"(\w+)(?:[ ,:]+(asc|desc))?", order_by.strip(), re.IGNORECASE)
    if found is None or found[1] not in known:
        raise _unknown("orderBy", order_by, known)
    return TaskFilter(status, keyword or None, known[found[1]], (found[2] or "").lower() == "desc")


def snake_filter(
    status: str | None,
    keyword: str | None,
    sort: str | None,
    kind: str | None = None,
    owner: str | None = None,
) -> TaskFilter:
    """`sort` is a column; with `-` before it, the highest first."""
    found = TaskFilter(
        statuses=_states(status), keyword=keyword or None, kind=kind or None, owner=owner or None
    )
    if not sort:
        return found
    name = sort.removeprefix("-")
    if name not in SORTED_BY:
        raise _unknown("sort", sort, SORTED_BY)
    return replace(found, order_by=name, descending=sort.startswith("-"))


def _states(text: str | None) -> tuple[State, ...]:
    """`RUNNING,QUEUED`, in one order whichever way they were written."""
    names = {part.strip() for part in (text or "").split(",") if part.strip()}
    if not names <= set(State):
        problem = t("It must be one of {allowed}.", allowed=", ".join(State))
        raise InvalidError([{"field": "status", "problem": problem}])
    return tuple(state for state in State if state in names)


def _unknown(field: str, got: str, known: object) -> InvalidError:
    allowed = ", ".join(sorted(map(str, known)))  # type: ignore[call-overload]
    problem = t("There is no order by {got}. Allowed: {allowed}.", got=got[:100], allowed=allowed)
    return InvalidError([{"field": field, "problem": problem}])


def cursor(after_id: int) -> str:
    """Where a page ended. What is in it is the service's own business."""
    return base64.urlsafe_b64encode(f"t{after_id}".encode()).decode().rstrip("=")


def read_cursor(text: str) -> int:
    """The key in it; InvalidError on anything else."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
        if not re.fullmatch(r"t[0-9]{1,18}", raw):
            raise ValueError(raw)
        return int(raw[1:])
    except ValueError:
        problem = t("It is no cursor that this service gave.")
        raise InvalidError([{"field": "cursor", "problem": problem}]) from None
