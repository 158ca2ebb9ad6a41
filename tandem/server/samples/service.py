"""A page of a run's samples, and where the picture and the mask of one lie."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tandem.server.artifacts import folder
from tandem.server.context import Context
from tandem.server.errors import ForbiddenError, InvalidError, NotFoundError, RequestError
from tandem.server.host.paths import inside, really_below
from tandem.server.http import images
from tandem.server.samples import index as indexing
from tandem.server.samples.index import SampleIndex, SampleLine, SampleOrder
from tandem.server.samples.schemas import RunSample, RunSamples
from tandem.spec.i18n import t

FILE = "predictions.jsonl"
MASKS = "predictions"
Who = Literal["truth", "answer"]
_INDEXES = indexing.Indexes()


@dataclass(frozen=True)
class SampleQuery:
    """Which samples, in which order."""

    order: SampleOrder
    truth: str | None
    answer: str | None
    nothing: Who | None
    wrong: bool | None
    page: int
    page_size: int


def listed(context: Context, task_id: str, asked: SampleQuery) -> RunSamples:
    """A page; `available` is false where the run has kept no answers."""
    path, index = _opened(context, task_id)
    if index is None:
        return _none(asked)
    truth = _class(index, "truth", asked.truth, asked.nothing)
    answer = _class(index, "answer", asked.answer, asked.nothing)
    rows = index.rows(asked.order, truth, answer, asked.wrong)
    first = (asked.page - 1) * asked.page_size
    shown = rows[first : first + asked.page_size].tolist()
    name = index.about.get("score_name")
    return RunSamples(
        items=[_item(context, index, line) for line in _lines(path, index, shown)],
        total=len(rows),
        page=asked.page,
        page_size=asked.page_size,
        classes=index.classes,
        score_name=t(str(name)) if name else None,
        kind=index.about.get("kind"),
        has_nothing=index.has_nothing,
        available=True,
        message=_left_out(index),
    )


def image(context: Context, task_id: str, row: int) -> Path:
    """The file of one sample, inside the roots; NotFoundError without one."""
    path, index = _opened(context, task_id)
    line = _line(path, index, row)
    if line["text"] is not None:
        raise NotFoundError("This sample is a text, and has no picture.")
    assert index is not None
    return _file(context, index, line["name"])


def mask(context: Context, task_id: str, row: int, who: Who) -> tuple[Path, Path | None]:
    """The mask's file and, for its shape, the picture's where it is still there."""
    path, index = _opened(context, task_id)
    line = _line(path, index, row)
    said = line[who]
    if said is None or not said["has_mask"]:
        raise NotFoundError(
            "No mask of this sample is kept.",
            fix="Masks are kept of the worst and the best pictures of a segmentation run.",
        )
    name = f"{row}.truth.png" if who == "truth" else f"{row}.png"
    assert index is not None
    try:
        shown: Path | None = _file(context, index, line["name"])
    except RequestError:
        shown = None
    return inside(path.parent, f"{MASKS}/{name}"), shown


def _opened(context: Context, task_id: str) -> tuple[Path, SampleIndex | None]:
    run, _ = folder.of_task(context, task_id)
    path = inside(run, FILE)
    return path, _INDEXES.of(path)


def _line(path: Path, index: SampleIndex | None, row: int) -> SampleLine:
    if index is None or not 0 <= row < len(index.offsets):
        raise NotFoundError("This run has no sample {index}.", index=row)
    return _lines(path, index, [row])[0]


def _lines(path: Path, index: SampleIndex, rows: list[int]) -> list[SampleLine]:
    try:
        return list(indexing.lines(path, index, rows))
    except (OSError, json.JSONDecodeError) as error:  # written anew in this moment
        raise NotFoundError("The samples of this run have changed.", fix="Ask again.") from error


def _item(context: Context, index: SampleIndex, line: SampleLine) -> RunSample:
    if line["text"] is None and line["width"] is None:
        try:
            size = images.size_of(_file(context, index, line["name"]))
        except RequestError:
            size = None
        if size is not None:
            line["width"], line["height"] = size
    try:
        return RunSample.model_validate({**line, "name": _shown(line["name"])})
    except ValidationError as error:
        raise NotFoundError("The samples of this run are damaged.") from error


def _shown(name: str) -> str:
    """A name that is no UTF-8 cannot be answered as it is."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _file(context: Context, index: SampleIndex, name: str) -> Path:
    """A sample's file, inside the data sets' root once links are followed, or refused."""
    root = context.settings.datasets_root
    base = really_below(str(index.about.get("root", "")), root)
    if base is None:
        raise ForbiddenError("The data set of this run is outside of the data sets' root.")
    # A link of the data set may lead into another one; a name may not.
    written = ".." not in Path(name).parts and (base / name).is_relative_to(base)
    found = really_below(base / name, root) if written else None
    if found is None:
        raise ForbiddenError("The picture is outside of the data set that it belongs to.")
    return found


def _class(index: SampleIndex, field: Who, name: str | None, nothing: Who | None) -> int | None:
    """Its number, that of nothing included; None: any."""
    if nothing == field:
        if index.has_nothing and name is None:
            return len(index.classes)
        said = t("`nothing` can be asked for of boxes only, in place of a class.")
        raise InvalidError([{"field": "nothing", "problem": said}])
    if name is None:
        return None
    if name in index.classes:
        return index.classes.index(name)
    few = ", ".join(index.classes[:20])
    said = t("There is no class {name} here. Allowed: {classes}.", name=name[:80], classes=few)
    raise InvalidError([{"field": field, "problem": said}])


def _none(asked: SampleQuery) -> RunSamples:
    return RunSamples(
        items=[],
        total=0,
        page=asked.page,
        page_size=asked.page_size,
        classes=[],
        score_name=None,
        kind=None,
        available=False,
        message=t(
            "This run has no answers to show yet: they are written at the end of the training."
        ),
    )


def _left_out(index: SampleIndex) -> str | None:
    total, masks = index.about.get("total", 0), index.about.get("masks", 0)
    if len(index.offsets) < total:
        return t(
            "The first {kept} of {total} samples are shown.", kept=len(index.offsets), total=total
        )
    if index.about.get("kind") == "segmentation" and masks < total:
        return t(
            "Masks are kept of {kept} of {total} pictures: the worst and the best.",
            kept=masks,
            total=total,
        )
    return None
