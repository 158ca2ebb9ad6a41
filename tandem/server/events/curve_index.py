"""A run's figures as columns of float64 beside its journal, so that a curve is read, not parsed.

`<home>/curves/<task>/`: `state.json` says how many rows count and of which journal; every column is
one file of as many numbers. Only `state.json` makes rows valid, and it is replaced last: what a
crash left behind it is written over. Anything that does not fit together is built anew.
"""

from __future__ import annotations

import json
import math
import os
from array import array
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from filelock import FileLock

from tandem.server.events.cursor import JournalCursor, fresh_lines
from tandem.spec import journal
from tandem.spec.journal import JournalLine

VERSION = 2
LOCK_SECONDS = 60.0
CHUNK_BYTES = 2**18
"""A live run's index is brought up to date after so much of its journal."""
WIDTH = 8
RowAxis = Literal["step", "epoch"]
ROW_AXES: tuple[RowAxis, ...] = ("step", "epoch")
AXES = ("step", "epoch", "time")
_FIGURES = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "learning_rate")
_SPEEDS = ("seconds", "images_per_second", "gpu_usage_percent", "memory_megabytes")


@dataclass
class CurveRows:
    """Rows of one axis; their first columns are `AXES`, the others are named."""

    rows: int = 0
    names: list[str] = field(default_factory=list)


@dataclass
class IndexState:
    version: int = VERSION
    last_seq: int = 0
    offset_bytes: int = 0
    journal: str | None = None
    total_epochs: int = 0
    last_step: int = 0
    step: CurveRows = field(default_factory=CurveRows)
    epoch: CurveRows = field(default_factory=CurveRows)

    def part(self, axis: RowAxis) -> CurveRows:
        return self.step if axis == "step" else self.epoch

    @property
    def cursor(self) -> JournalCursor:
        return JournalCursor(self.last_seq, self.offset_bytes, self.journal)


class CurveIndex:
    """The index of one task. `with index.lock:` around everything; two servers may be at it."""

    def __init__(self, home: Path, task_id: str) -> None:
        name = quote(task_id, safe="")
        self.folder = home / "curves" / (name if name.strip(".") else "_" + name)
        self.folder.mkdir(parents=True, exist_ok=True)
        # Between processes too: two servers may share one home.
        self.lock = FileLock(str(self.folder / ".lock"), timeout=LOCK_SECONDS)

    def catch_up(self, run_dir: Path, until_bytes: int | None = None) -> IndexState:
        """Take in what the journal has beyond the index; from its beginning where it differs."""
        state = self._load()
        path = run_dir / journal.NAME
        while True:
            news = fresh_lines(path, state.cursor)
            if news is None:
                return state
            if news.begins.journal != state.journal or news.begins.last_seq != state.last_seq:
                # The same file, but shorter than it was: the rows beyond its end are of lines that
                # are no more.
                if news.begins != JournalCursor(journal=news.begins.journal):
                    state = IndexState()  # it lost its end: what is left is read again
                    continue
                state = IndexState(journal=news.begins.journal)
            rows = _Rows(self, state)
            for line in news.lines:
                # From the JSON and not through pydantic: a long run has a million lines, and only
                # their
                # figures are wanted.
                rows.take(line)
            rows.flush()
            ends = news.ends
            state.last_seq, state.offset_bytes = ends.last_seq, ends.offset_bytes
            state.journal = ends.journal
            # After each piece: a crash costs the piece, and not the whole journal again.
            self._save(state)
            if not news.more or (until_bytes and state.offset_bytes >= until_bytes):
                return state

    def file(self, axis: RowAxis, column: int) -> Path:
        return self.folder / f"{axis}-{column}.f64"

    def _load(self) -> IndexState:
        """A new one where the old is damaged."""
        try:
            found = json.loads((self.folder / "state.json").read_text())
            step, epoch = CurveRows(**found.pop("step")), CurveRows(**found.pop("epoch"))
            state = IndexState(**found, step=step, epoch=epoch)
            whole = state.version == VERSION and all(self._is_whole(state, k) for k in ROW_AXES)
        # Whatever is wrong with it, it can be made again from the journal.
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            return IndexState()
        return state if whole else IndexState()

    def _is_whole(self, state: IndexState, axis: RowAxis) -> bool:
        part = state.part(axis)
        need = part.rows * WIDTH
        columns = range(len(AXES) + len(part.names)) if part.rows else range(0)
        return all(self.file(axis, n).stat().st_size >= need for n in columns)

    def _save(self, state: IndexState) -> None:
        # Replaced whole: a reader sees the old state or the new one, and rows beyond it count for
        # nobody.
        hidden = self.folder / "state.json.new"
        hidden.write_text(json.dumps(asdict(state)))
        hidden.replace(self.folder / "state.json")


class _Rows:
    """Collects a chunk's rows, and appends them column by column."""

    def __init__(self, index: CurveIndex, state: IndexState) -> None:
        self.index, self.state = index, state
        self.axes: dict[RowAxis, list[tuple[float, float, float]]] = {"step": [], "epoch": []}
        self.values: dict[RowAxis, list[dict[str, object]]] = {"step": [], "epoch": []}

    def take(self, line: JournalLine) -> None:
        if line.seq <= self.state.last_seq:
            return
        body = line.body
        if line.type == "metric":
            self._metric(body)
        elif line.type == "epoch":
            self._epoch(body)
        elif line.type == "started":
            self.flush()
            self.state.total_epochs = int(_number(body.get("total_epochs"), 0))
            self._cut(_number(body.get("resumed_from_epoch"), 0))

    def _metric(self, body: dict[str, object]) -> None:
        step, total = _number(body.get("step")), _number(body.get("total_steps"), 0)
        epochs = self.state.total_epochs
        # Steps lie between epochs on that axis: a step knows its share of the run, not its epoch's.
        epoch = step * epochs / total if epochs and total else _number(body.get("epoch"))
        values = body.get("values")
        row = dict(values) if isinstance(values, dict) else {}
        if body.get("images_per_second") is not None:
            row["images_per_second"] = body["images_per_second"]
        self.state.last_step = int(step) if math.isfinite(step) else self.state.last_step
        self._add("step", (step, epoch, _seconds(body)), row)

    def _epoch(self, body: dict[str, object]) -> None:
        row = {name: body[name] for name in (*_FIGURES, *_SPEEDS) if body.get(name) is not None}
        terms = body.get("terms")
        if isinstance(terms, dict):
            row |= {f"loss/{name}": value for name, value in terms.items()}
        at = (float(self.state.last_step), _number(body.get("epoch")), _seconds(body))
        self._add("epoch", at, row)

    def _add(self, axis: RowAxis, at: tuple[float, float, float], row: dict[str, object]) -> None:
        self.axes[axis].append(at)
        self.values[axis].append(row)

    def _cut(self, epoch: float) -> None:
        """An attempt goes on after `epoch`: what came later is done again."""
        for axis in ROW_AXES:
            part = self.state.part(axis)
            epochs = self._column(axis, AXES.index("epoch"), part.rows)
            # `not <=`: a NaN is cut off too.
            while part.rows and not epochs[part.rows - 1] <= epoch:
                part.rows -= 1

    def _column(self, axis: RowAxis, column: int, rows: int) -> array[float]:
        found = array("d")
        if rows:
            with self.index.file(axis, column).open("rb") as file:
                found.frombytes(file.read(rows * WIDTH))
        return found

    def flush(self) -> None:
        for axis in ROW_AXES:
            axes, values = self.axes[axis], self.values[axis]
            if not axes:
                continue
            part = self.state.part(axis)
            for row in values:
                # A term may begin in the middle of a run; its column has NaN before that.
                part.names += [name for name in row if name not in part.names]
            for column in range(len(AXES)):
                self._write(axis, column, part.rows, [at[column] for at in axes])
            for column, name in enumerate(part.names, len(AXES)):
                numbers = [_number(row.get(name)) for row in values]
                self._write(axis, column, part.rows, numbers)
            part.rows += len(axes)
            self.axes[axis], self.values[axis] = [], []

    def _write(self, axis: RowAxis, column: int, rows: int, numbers: list[float]) -> None:
        file = os.open(self.index.file(axis, column), os.O_RDWR | os.O_CREAT, 0o644)
        with os.fdopen(file, "r+b") as out:
            missing = rows - out.seek(0, os.SEEK_END) // WIDTH
            if missing > 0:  # a column that was not there from the start
                out.seek((rows - missing) * WIDTH)
                out.write(array("d", [math.nan]).tobytes() * missing)
            # At its place and not at the end: what a crash has left behind the last valid row is
            # written over.
            out.seek(rows * WIDTH)
            out.write(array("d", numbers).tobytes())
            out.truncate()


def _number(value: object, otherwise: float = math.nan) -> float:
    """A NaN is a string in the journal."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return otherwise
    try:
        return float(value)
    except (ValueError, OverflowError):
        return otherwise


def _seconds(body: dict[str, object]) -> float:
    """Unix time."""
    try:
        return datetime.fromisoformat(str(body.get("at"))).timestamp()
    except ValueError:
        return math.nan
