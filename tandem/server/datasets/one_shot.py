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
from tandem.server.datasets.schemas import PlainDataset
from tandem.server.errors import InvalidError, RequestError
from tandem.spec.i18n import t


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
    row = uploads.begin(context, name, file.file.tell(), type=layout, sha256=None)
    file.file.seek(0)
    try:
        with uploads.appending(context, row.id, 0) as out:
            shutil.copyfileobj(file.file, out, uploads.BLOCK_BYTES)
        done = uploads.complete(context, row.id)
    except RequestError:
        uploads.drop(context, row.id)
        raise
    assert done.dataset is not None
    return service.plain_one(context, done.dataset)
