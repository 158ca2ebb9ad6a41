"""A clip's frames as picture files: those it has, or a video's, written once below the cache."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import av
from av.error import FFmpegError
from PIL import Image

from tandem.data.content import Content, Item
from tandem.data.images import is_picture
from tandem.spec.errors import DataError
from tandem.spec.i18n import t
from tandem.train.data.clips import spread
from tandem.train.types import ProgressReporter

MOST_FRAMES = 512
"""Of a video that are kept, evenly spread: more say nothing new of one class."""
QUALITY = 95
_DONE = "frames.json"


def frames_of(content: Content, item: Item, root: Path, progress: ProgressReporter) -> list[bytes]:
    """Paths of the clip's pictures in order: relative to the data set, a video's absolute."""
    if item.frames:
        return list(item.frames)
    path = content.path(item)
    if is_picture(path.name):
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
        count = _count(path)
        wanted = set(spread(count, MOST_FRAMES).tolist()) if count > MOST_FRAMES else None
        names = []
        with av.open(str(path)) as video:
            for number, frame in enumerate(video.decode(video=0)):
                if wanted is None or number in wanted:
                    name = f"{number:06d}.jpg"
                    picture = Image.fromarray(frame.to_ndarray(format="rgb24"))
                    picture.save(hidden / name, quality=QUALITY, subsampling=0)
                    names.append(name)
        if not names:
            raise DataError("The video {path} holds no frame.", path=path, fix="Take it away.")
        (hidden / _DONE).write_text(json.dumps(names), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        hidden.rename(folder)
    except (FFmpegError, IndexError, ValueError) as error:
        raise DataError(
            "The video {path} cannot be decoded: {reason}.",
            path=path,
            reason=str(error)[:120] or type(error).__name__,
            fix="Convert it, for example to H.264 in MP4, or take it away.",
        ) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _count(path: Path) -> int:
    with av.open(str(path)) as video:
        stream = video.streams.video[0]
        return int(stream.frames) or sum(1 for _ in video.decode(stream))
