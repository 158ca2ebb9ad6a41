"""A ZIP in one multipart request, written to the disk as it comes."""

from __future__ import annotations

import shutil
from pathlib import Path

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from tandem.server.context import Context
from tandem.server.datasets import service, uploads
from tandem.server.datasets.look import UNKNOWN
from tandem.server.datasets.schemas import PlainDataset
from tandem.server.errors import InvalidError, RequestError
from tandem.spec.i18n import t
from tandem.spec.plugins import catalog

SAYINGS = frozenset({"image_classification", "object_detection", "semantic_segmentation"})
"""What else clients of this surface say. What was recognised is answered, whatever was said."""


async def receive(context: Context, request: Request) -> PlainDataset:
    """What it became; InvalidError for a form without a file, DataError for a bad archive."""
    try:
        form = await request.form(max_files=1, max_fields=10)
    except HTTPException as error:
        raise InvalidError([{"field": "file", "problem": str(error.detail)}]) from error
    try:
        file, name, layout = form.get("file"), form.get("name"), form.get("type")
        strange = sorted(set(form) - {"file", "name", "type"})
        if strange:
            raise InvalidError([{"field": strange[0], "problem": t("It is not known.")}])
        if not isinstance(file, UploadFile):
            raise InvalidError([{"field": "file", "problem": t("It is missing.")}])
        named = str(name or Path(file.filename or "").stem)
        return await run_in_threadpool(_keep, context, file, named, str(layout) if layout else None)
    finally:
        await form.close()


def _keep(context: Context, file: UploadFile, name: str, layout: str | None) -> PlainDataset:
    file.file.seek(0, 2)
    check_type(layout)
    row = uploads.begin(context, name, file.file.tell(), type=layout, sha256=None)
    file.file.seek(0)
    try:
        with uploads.appending(context, row.id, 0) as out:
            shutil.copyfileobj(file.file, out, uploads.BLOCK_BYTES)
        done = uploads.complete(context, row.id, by_its_name=True)
    except RequestError:
        uploads.drop(context, row.id)
        raise
    assert done.dataset is not None
    shown = service.plain_one(context, done.dataset)
    found = service.seen_as(context.settings.datasets_root / done.dataset).type
    return {**shown, "type": found if found != UNKNOWN else shown["type"]}


def check_type(word: str | None) -> None:
    """InvalidError for a word that names no layout and no kind of data."""
    formats = catalog.read()["formats"]
    known = {name for one in formats for name in (one["name"], *one["kinds"])} | SAYINGS
    if word is not None and word not in known:
        problem = t("It must be one of {allowed}.", allowed=", ".join(sorted(known)))
        raise InvalidError([{"field": "type", "problem": problem}])
