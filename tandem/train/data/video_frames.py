"""A clip's frames as picture files: those it has, or a video's, written once below the cache."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from PIL import Image

from tandem.data.content import Content, Item
from tandem.data.images import is_image
from tandem.data.video import evenly_spread, frame_count, stream
from tandem.spec.errors import DataError
from tandem.spec.i18n import t
from tandem.train.types import ProgressReporter

MOST_FRAMES = 512
"""Frames kept of a video, evenly spread: more say nothing new of one class."""
QUALITY = 95
_DONE = "frames.json"


def frames_of(content: Content, item: Item, root: Path, progress: ProgressReporter) -> list[bytes]:
    """Paths of the clip's pictures in order: relative to the data set, a video's absolute."""
    if item.frames:
        return list(item.frames)
    path = content.path(item)
    if is_image(path.name):
        return [item.path]  # a clip of one
    if path.is_dir():
        raise DataError(
            "The clip {path} holds no frame.",
            path=path,
            fix="Put its pictures into it, or take it away.",
        )
    folder = root / _digest(path)
    if not (folder / _DONE).is_file():
        progress.notice(t("Writing the frames of {path}.", path=path.name))
        _decode(path, folder)
    names = json.loads((folder / _DONE).read_text(encoding="utf-8"))
    return [os.fsencode(folder.absolute() / str(name)) for name in names]


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    except OSError as error:
        raise DataError(
            "The file {path} cannot be read: {reason}.",
            path=path,
            reason=error.strerror or error,
            fix="Check that it is there and that you may read it.",
        ) from error


def _decode(path: Path, folder: Path) -> None:
    """All frames, or MOST_FRAMES of them; the folder appears whole or not at all."""
    hidden = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir(parents=True)
    try:
        count = frame_count(path)
        wanted = set(evenly_spread(MOST_FRAMES, count).tolist()) if count > MOST_FRAMES else None
        names = []
        for number, _, frame in stream(path):
            if wanted is None or number in wanted:
                name = f"{number:06d}.jpg"
                # No subsampling: halved colours would differ from the frame a predictor decodes.
                Image.fromarray(frame).save(hidden / name, quality=QUALITY, subsampling=0)
                names.append(name)
        if not names:
            # A header may count frames that are not there.
            raise DataError("The video {path} holds no frame.", path=path, fix="Take it away.")
        (hidden / _DONE).write_text(json.dumps(names), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        hidden.rename(folder)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
