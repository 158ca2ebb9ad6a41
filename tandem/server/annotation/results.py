"""What a job said of each item, as a page shows it: the pictures, their boxes and masks."""

from __future__ import annotations

import tempfile
from pathlib import Path

from fastapi.responses import Response
from sqlalchemy import RowMapping

from tandem.data.zip_file import ZipArchive
from tandem.server.annotation import service
from tandem.server.annotation.result_lines import AnnotationLine, index_of
from tandem.server.context import Context
from tandem.server.errors import ForbiddenError, NotFoundError
from tandem.server.host.paths import inside, really_below
from tandem.server.http import images
from tandem.server.wire.sample import LabelsOut, Sample
from tandem.spec.annotation import RESULTS, AnnotationSpec, parse
from tandem.spec.errors import DataError

MOST_LETTERS = 2000
TEXT_SUFFIX = ".txt"
MOST_MEMBER_BYTES = 100_000_000


def page(
    context: Context, inference_id: str, number: int, size: int, label: str | None
) -> tuple[list[Sample], int]:
    """One page, from 1, in the order of the items, and how many there are."""
    row = service.get(context, inference_id)
    index = index_of(Path(row["run_dir"]) / RESULTS)
    with index.lock:
        index.update()
        lines, total = index.page((number - 1) * size, size, label)
    spec = _spec(row)
    return [_sample(context, spec, one) for one in lines], total


def image(
    context: Context, inference_id: str, number: int, size: int, wanted: str | None
) -> Response:
    """The item's picture; of a clip its middle frame."""
    spec, line = _line(context, inference_id, number)
    root = _allowed(context, spec.input)
    if root.suffix.lower() == ".zip":
        stamp = images.stamp_of(root, line["name"], size)
        return images.respond(lambda: _of_zip(root, line["name"], size), stamp, wanted)
    name = str(line.get("video") or line["name"])
    path = root if root.is_file() else inside(root, name)
    frame = line.get("frame")
    stamp = images.stamp_of(path, frame, size)
    return images.respond(
        lambda: images.rendered(path, size, frame=frame, root=root), stamp, wanted
    )


def mask(
    context: Context, inference_id: str, number: int, size: int, wanted: str | None
) -> Response:
    """The mask that the job wrote, in colour."""
    spec, line = _line(context, inference_id, number)
    if "mask" not in line:
        raise NotFoundError(
            "There is no mask of {name}.",
            name=line["name"][:200],
            fix="Masks are written by a job with the format masks.",
        )
    path = inside(_allowed(context, spec.output), line["mask"])
    width, height = line["width"], line["height"]
    shape = (width, height) if width and height else None

    def make() -> images.RenderedImage:
        return images.mask_png(images.mask_indices(path), size, shape=shape), "image/png"

    return images.respond(make, images.stamp_of(path, size), wanted)


def _spec(row: RowMapping) -> AnnotationSpec:
    spec = parse(row["spec"])
    assert spec is not None, "every job has one"
    return spec


def _line(
    context: Context, inference_id: str, number: int
) -> tuple[AnnotationSpec, AnnotationLine]:
    row = service.get(context, inference_id)
    index = index_of(Path(row["run_dir"]) / RESULTS)
    with index.lock:
        index.update()
        line = index.one(number)
    if line is None:
        raise NotFoundError("This job has said nothing of item {index}.", index=number)
    return _spec(row), line


def _allowed(context: Context, place: Path) -> Path:
    """Where it really is; ForbiddenError when that is no longer inside the roots."""
    real = really_below(place, context.settings.datasets_root, context.settings.output_root)
    if real is None:
        raise ForbiddenError("The job's data lies outside of the folders that may be used.")
    return real


def _sample(context: Context, spec: AnnotationSpec, line: AnnotationLine) -> Sample:
    name = line["name"]
    return Sample(
        index=line["index"],
        name=name,
        width=line["width"],
        height=line["height"],
        text=_text(context, spec, name) if name.lower().endswith(TEXT_SUFFIX) else None,
        answer=LabelsOut.model_validate(line["answer"]),
    )


def _text(context: Context, spec: AnnotationSpec, name: str) -> str | None:
    """Its beginning; None where it has gone."""
    try:
        root = _allowed(context, spec.input)
        path = root if root.is_file() else inside(root, name)
        with path.open("rb") as file:
            return file.read(4 * MOST_LETTERS).decode("utf-8", "replace")[:MOST_LETTERS]
    except (OSError, ForbiddenError):
        return None


def _of_zip(archive: Path, name: str, size: int) -> images.RenderedImage:
    """Out of the archive into a file for so long; no more than a picture may have."""
    try:
        with ZipArchive(archive) as inner, tempfile.NamedTemporaryFile() as file:
            member = inner.find(name)
            if member is None or member.size > MOST_MEMBER_BYTES:
                raise _gone(name)
            for block in inner.blocks(member):
                file.write(block)
            file.flush()
            return images.rendered(Path(file.name), size)
    except (OSError, DataError) as error:
        raise _gone(name) from error


def _gone(name: str) -> NotFoundError:
    return NotFoundError("The picture {name} is not in the ZIP any more.", name=name[:200])
