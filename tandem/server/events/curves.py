"""Curves of a run, down-sampled so that no peak is lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from filelock import Timeout
from sqlalchemy import select

from tandem.server.context import Context
from tandem.server.db.tables import DelFlag, Job, Task
from tandem.server.errors import NotFoundError, UnavailableError
from tandem.server.events.curve_index import AXES, ROW_AXES, CurveIndex, IndexState, RowAxis
from tandem.server.events.schemas import Curve, Curves

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

Axis = Literal["step", "epoch", "time"]


def curves(
    context: Context,
    task_id: str,
    *,
    points: int,
    names: frozenset[str] | None,
    x: Axis,
    begins: float | None,
    ends: float | None,
) -> Curves:
    """The curves of a task, at most `points` each. NotFoundError without such a task."""
    with context.database.read() as session:
        row = session.execute(
            select(Job.run_dir, Job.last_seq)
            .select_from(Task)
            .outerjoin(Job, Job.task_id == Task.task_id)
            .where(Task.task_id == task_id, Task.del_flag == DelFlag.NORMAL)
        ).one_or_none()
    if row is None:
        raise NotFoundError(
            "There is no task {task}.", task=task_id, fix="List the tasks to see their ids."
        )
    answer = Curves(task_id=task_id, x=x, last_event_id=f"{row.last_seq or 0}-0", series=[])
    if row.run_dir is None:
        return answer
    index = CurveIndex(context.settings.home, task_id)
    try:
        with index.lock:
            state = index.catch_up(Path(row.run_dir))
            for axis in ROW_AXES:
                part = _Part(index, state, axis, x, begins, ends)
                wanted = [n for n in state.part(axis).names if names is None or n in names]
                answer.series += [part.curve(name, points) for name in wanted]
    except Timeout:
        raise UnavailableError(
            "The curves of {task} are being read from its journal.", task=task_id, fix="Try again."
        ) from None
    return answer


def warm(home: Path, task_id: str, run_dir: Path) -> None:
    """Bring a live run's index up to date, unless another is at it."""
    index = CurveIndex(home, task_id)
    try:
        with index.lock.acquire(timeout=0):
            index.catch_up(run_dir)
    except Timeout:
        return


class _Part:
    """Rows of one axis within the range that is asked for."""

    def __init__(
        self,
        index: CurveIndex,
        state: IndexState,
        axis: RowAxis,
        x: Axis,
        begins: float | None,
        ends: float | None,
    ) -> None:
        self.index, self.axis, self.part = index, axis, state.part(axis)
        self._x = AXES.index(x)
        self._begins, self._ends = begins, ends
        self._rows: tuple[Numbers, slice] | None = None

    def _range(self) -> tuple[Numbers, slice]:
        import numpy as np

        if self._rows is None:
            at = self._read(self._x)
            first, last = 0, len(at)
            if self._begins is not None or self._ends is not None:
                low = -np.inf if self._begins is None else self._begins
                high = np.inf if self._ends is None else self._ends
                inside = np.flatnonzero((at >= low) & (at <= high))
                first, last = (inside[0], inside[-1] + 1) if len(inside) else (0, 0)
            self._rows = at[first:last], slice(int(first), int(last))
        return self._rows

    def _read(self, column: int) -> Numbers:
        import numpy as np

        if not self.part.rows:
            return np.empty(0)
        path = self.index.file(self.axis, column)
        return np.fromfile(path, dtype=np.float64, count=self.part.rows)

    def curve(self, name: str, points: int) -> Curve:
        at, rows = self._range()
        values = self._read(len(AXES) + self.part.names.index(name))[rows]
        chosen = extremes(values, points)
        return Curve(
            name=name,
            kind=self.axis,
            total=len(values),
            x=_listed(at[chosen]),
            y=_listed(values[chosen]),
        )


def extremes(values: Numbers, points: int) -> NDArray[np.int64]:
    """Which to show: first and last, and the lowest and highest of each of equal stretches.

    A stretch without any number shows one of its gaps. At most `points`, in order.
    """
    import numpy as np

    count = len(values)
    if count <= points:
        return np.arange(count)
    buckets = max(1, (points - 2) // 2)
    finite = np.isfinite(values)
    whole = bool(finite.all())
    low = values if whole else np.where(finite, values, np.inf)
    high = values if whole else np.where(finite, values, -np.inf)
    width = -(-count // buckets)
    full = count // width
    chosen = [np.array([0, count - 1])]
    for pick, numbers in ((np.argmin, low), (np.argmax, high)):
        body = numbers[: full * width].reshape(full, width)
        chosen.append(pick(body, axis=1) + np.arange(full) * width)
        if full * width < count:
            chosen.append(np.array([full * width + int(pick(numbers[full * width :]))]))
    return np.unique(np.concatenate(chosen))


def _listed(numbers: Numbers) -> list[float | None]:
    import numpy as np

    finite = np.isfinite(numbers)
    return [one if ok else None for one, ok in zip(numbers.tolist(), finite.tolist(), strict=True)]
