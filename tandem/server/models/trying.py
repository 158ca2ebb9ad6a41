"""A model asked about one picture or text that a page sends."""

from __future__ import annotations

import base64
import io
import tempfile
import time
from dataclasses import dataclass
from pathlib import PurePath

from fastapi import Request
from pydantic import ValidationError
from sqlalchemy import RowMapping
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from tandem.server.context import Context
from tandem.server.errors import InvalidError
from tandem.server.http.images import mask_png
from tandem.server.http.multipart import of_a_file
from tandem.server.models.allowed_paths import model_of
from tandem.server.models.schemas import Tried, TriedText
from tandem.spec.i18n import language, t
from tandem.spec.run.check import rule

MOST_BYTES = 20_000_000
MASK_PIXELS = 1024
BODY: dict[str, object] = {
    "requestBody": {
        "required": True,
        "content": {
            **of_a_file(),
            "application/json": {"schema": TriedText.model_json_schema()},
        },
    }
}
"""For the description: the one or the other."""


@dataclass(frozen=True)
class ModelQuestion:
    """A file with its name, or a text."""

    name: str = ""
    content: bytes = b""
    text: str | None = None


async def asked(request: Request) -> ModelQuestion:
    """What the request holds; InvalidError where it is neither."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/json":
        return _text(await request.body())
    if media_type != "multipart/form-data":
        raise _problem("body", t("Send a file as multipart/form-data, or a text as JSON."))
    try:
        form = await request.form(max_files=1, max_fields=1)
    except HTTPException as error:
        raise _problem("file", str(error.detail)) from error
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise _problem("file", t("It is missing."))
        content = await file.read(MOST_BYTES + 1)
    finally:
        await form.close()
    if len(content) > MOST_BYTES:
        raise _problem("file", t("It may have {most} bytes at most.", most=MOST_BYTES))
    if not content:
        raise _problem("file", t("It is empty."))
    name = PurePath((file.filename or "").replace("\\", "/")).name[:200]
    return ModelQuestion(name.encode("utf-8", "backslashreplace").decode() or "-", content)


def _text(body: bytes) -> ModelQuestion:
    try:
        return ModelQuestion(text=TriedText.model_validate_json(body).text)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(one) for one in fault["loc"]) or "body"
        raise _problem(field, rule(fault, field)) from error


def ask(context: Context, row: RowMapping, said: ModelQuestion) -> Tried:
    """What the model says of it. InvalidError for what it cannot read."""
    began = time.perf_counter()
    model = model_of(context, row)
    home = context.settings.home
    if said.text is not None:
        answer, first = context.workers.ask(model, home, _question(text=said.text))
    else:
        with tempfile.NamedTemporaryFile(suffix=_suffix(said.name)) as file:
            file.write(said.content)
            file.flush()
            question = _question(path=file.name, name=said.name)
            answer, first = context.workers.ask(model, home, question)
    if "problem" in answer:
        raise _problem("file" if said.text is None else "text", str(answer["problem"]))
    mask = answer.pop("mask")
    coloured = _coloured(str(mask)) if mask else None
    answer["whole_milliseconds"] = 1000 * (time.perf_counter() - began)
    return Tried.model_validate({**answer, "mask_png_base64": coloured, "first": first})


def _suffix(name: str) -> str:
    """What the file may end in here; it is opened by what is in it."""
    from tandem.data.images import is_image
    from tandem.data.video import is_video

    return PurePath(name).suffix.lower() if is_image(name) or is_video(name) else ""


def _question(**said: str) -> dict[str, object]:
    return {**said, "language": language()}


def _coloured(mask: str) -> str:
    """In the classes' colours; class 0 lets the picture through."""
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(mask)), formats=("PNG",)) as image:
        indices = np.array(image)
    return base64.b64encode(mask_png(indices, MASK_PIXELS)).decode("ascii")


def _problem(field: str, problem: str) -> InvalidError:
    return InvalidError([{"field": field, "problem": problem}])
