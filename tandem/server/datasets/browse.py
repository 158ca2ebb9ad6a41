"""What a data set's page shows: its items with their labels, their pictures, its figures."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import NotRequired, TypedDict

from fastapi.responses import Response
from pydantic import BaseModel

from tandem.server.context import Context
from tandem.server.datasets import indexing, service
from tandem.server.datasets.indexing import DatasetIndex, IndexAbout
from tandem.server.errors import NotFoundError
from tandem.server.host.paths import really_below
from tandem.server.http import images
from tandem.server.wire.sample import LabelsOut, Sample
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

MOST_TRACED_PIXELS = 16_000_000
MOST_BINS = 50


class SamplesOut(BaseModel):
    items: list[Sample]
    total: int
    page: int
    page_size: int
    splits: dict[str, int]
    classes: list[str]
    kind: str
    type: str
    message: str | None = None
    """Why its labels cannot be read, while its pictures are shown; or which masks go uncounted."""


class ClassCount(BaseModel):
    label: str
    counts: dict[str, int]


class SizeCount(BaseModel):
    width: int
    height: int
    count: int


class StatsOut(BaseModel):
    classes: list[ClassCount]
    sizes: list[SizeCount]
    unlabelled: int
    total: int
    measured: int
    """Pictures whose size is known: those that `sizes` counts."""


def samples(
    context: Context, name: str, split: str | None, label: str | None, page: int, page_size: int
) -> SamplesOut:
    """A page of one split; of those that show a class, where `label` names one."""
    with indexing.opened(context, service.folder_of(context, name)) as index:
        splits, classes = index.splits(), index.classes
        chosen = split if split is not None else next(iter(splits), "train")
        if chosen not in splits and (splits or split is not None):
            raise NotFoundError(
                "The data set has no split {split}.", split=chosen[:50], allowed=sorted(splits)
            )
        source, given = "item WHERE split = ?", [chosen]
        total = splits.get(chosen, 0)
        if label is not None:
            numbers = [at for at, one in enumerate(classes) if one == label]
            if not numbers:
                raise NotFoundError(
                    "The data set has no class {label}.", label=label[:50], allowed=classes[:50]
                )
            source = "held JOIN item USING (split, number) WHERE held.split = ? AND label = ?"
            given = [chosen, str(numbers[0])]
            total = index.base.execute(
                "SELECT COUNT(*) FROM held WHERE split = ? AND label = ?", (chosen, numbers[0])
            ).fetchone()[0]
        rows = index.base.execute(
            f"SELECT item.* FROM {source} ORDER BY item.number LIMIT ? OFFSET ?",  # noqa: S608
            (*given, page_size, (page - 1) * page_size),
        ).fetchall()
        about = index.about
    return SamplesOut(
        items=[_sample(row) for row in rows], total=total, page=page, page_size=page_size,
        splits=splits, classes=classes, kind=about["kind"], type=about["type"],
        message=about["message"] or _uncounted(about),
    )  # fmt: skip


def _uncounted(about: IndexAbout) -> str | None:
    """Why a class may be in more pictures than are found by it."""
    if not about.get("masks_uncounted"):
        return None
    return t(
        "Only the first {counted} of {total} masks are opened to find and count their classes.",
        counted=about["masks_counted"], total=about["masks_counted"] + about["masks_uncounted"],
    )  # fmt: skip


def _sample(row: sqlite3.Row) -> Sample:
    told = json.loads(row["truth"])
    for one in told["boxes"] if told else []:
        one["outlines"] = _outlines(one)
    truth = LabelsOut.model_validate(told) if told else None
    return Sample(
        index=row["number"], name=row["name"], split=row["split"], width=row["width"],
        height=row["height"], text=row["text"], truth=truth,
    )  # fmt: skip


class _IndexedShape(TypedDict):
    """A shape as the index holds it: with its outlines, or with run lengths, or as a box alone."""

    outlines: NotRequired[list[list[list[float]]] | None]
    rle: NotRequired[tuple[int, int, str]]


def _outlines(shape: _IndexedShape) -> list[list[list[float]]] | None:
    """Its rings; run lengths are traced here, for the few that a page shows."""
    if "rle" not in shape:
        return shape.get("outlines")
    height, width, counts = shape.pop("rle")
    if height * width > MOST_TRACED_PIXELS:
        return None
    from tandem.data.content import Rle
    from tandem.data.masks import rle_mask
    from tandem.data.outlines import traced

    try:
        rings = traced(rle_mask(Rle(height, width, counts.encode("latin-1"))))
    except DataError:
        return None
    return [ring.tolist() for ring in rings]


def _row(index: DatasetIndex, split: str, number: int) -> sqlite3.Row:
    row: sqlite3.Row | None = index.base.execute(
        "SELECT * FROM item WHERE split = ? AND number = ?", (split, number)
    ).fetchone()
    if row is None:
        raise NotFoundError("The data set has no item {number} in {split}.", number=number,
                            split=split[:50])  # fmt: skip
    return row


def _file(
    context: Context, name: str, split: str, number: int, kept: str
) -> tuple[Path, sqlite3.Row, Path | None]:
    """The data set's folder, the item, and the file that it names under `kept`, if any."""
    folder = service.folder_of(context, name)
    with indexing.opened(context, folder, fresh=False) as index:
        row = _row(index, split, number)
    return folder, row, None if row[kept] is None else _within(folder, row[kept])


def image(
    context: Context, name: str, split: str, number: int, size: int, wanted: str | None
) -> Response:
    """One item's picture; of a clip its middle frame. NotFoundError for a text."""
    folder, _, path = _file(context, name, split, number, "picture")
    if path is None:
        raise NotFoundError("This item is a text: it has no picture.")
    stamp = images.stamp_of(path, size)
    return images.respond(lambda: images.rendered(path, size, root=folder), stamp, wanted)


def mask(
    context: Context, name: str, split: str, number: int, size: int, wanted: str | None
) -> Response:
    """One item's mask in colours, as large as its picture is shown; NotFoundError without one."""
    folder, row, path = _file(context, name, split, number, "mask")
    if path is None:
        raise NotFoundError("This item has no mask.")
    shape = (row["width"], row["height"]) if row["width"] else None

    def make() -> tuple[bytes, str]:
        from tandem.data.content import Content, Item
        from tandem.data.masks import item_mask

        content = Content(folder, "", "segmentation", (), [])
        try:
            indices = item_mask(content, Item(row["picture"], mask=row["mask"]))
        except DataError as error:
            raise NotFoundError("{reason}", reason=error.sentence()) from error
        return images.mask_png(indices, size, shape=shape), "image/png"

    return images.respond(make, images.stamp_of(path, size, "mask"), wanted)


def _within(folder: Path, name: bytes) -> Path:
    """The real file; one that lies outside now (a link was put there) is as good as gone."""
    path = really_below(folder / os.fsdecode(name), folder)
    if path is None:
        shown = os.path.basename(os.fsdecode(name))[:200]  # noqa: PTH119  any bytes may be a name
        raise NotFoundError("The picture {name} is no longer there.", name=shown,
                            fix="Put the file back where it was.")  # fmt: skip
    return path


def stats(context: Context, name: str) -> StatsOut:
    """Figures of all splits. A class is counted by its boxes, or by pictures, clips or texts."""
    with indexing.opened(context, service.folder_of(context, name)) as index:
        splits, classes = index.splits(), index.classes
        counts = {label: dict.fromkeys(splits, 0) for label in range(len(classes))}
        for row in index.base.execute(
            "SELECT label, split, SUM(times) AS times FROM held GROUP BY label, split"
        ):
            counts[row["label"]][row["split"]] = row["times"]
        sizes = index.base.execute(
            "SELECT width, height, COUNT(*) AS count FROM item WHERE width IS NOT NULL"
            " GROUP BY width, height ORDER BY count DESC"
        ).fetchall()
        unlabelled = index.base.execute(
            "SELECT COUNT(*) FROM item WHERE NOT labelled"
        ).fetchone()[0]  # fmt: skip
    return StatsOut(
        classes=[ClassCount(label=classes[at], counts=one) for at, one in counts.items()],
        sizes=_binned([(row["width"], row["height"], row["count"]) for row in sizes]),
        unlabelled=unlabelled, total=sum(splits.values()),
        measured=sum(row["count"] for row in sizes),
    )  # fmt: skip


def _binned(sizes: list[tuple[int, int, int]]) -> list[SizeCount]:
    """As they are while they are few, else in squares of pixels that double until they are."""
    step = 1
    while True:
        bins: dict[tuple[int, int], int] = {}
        for width, height, count in sizes:
            key = (width // step * step, height // step * step)
            bins[key] = bins.get(key, 0) + count
        if len(bins) <= MOST_BINS:
            break
        step *= 2
    half = step // 2
    found = sorted(bins.items(), key=lambda one: (-one[1], one[0]))
    return [SizeCount(width=wide + half, height=high + half, count=n) for (wide, high), n in found]
