"""Every picture is decoded and every video opened: what is broken is told, the rest is known."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from tandem.data.content import Content, Item
from tandem.data.faults import Fault, Faults
from tandem.data.images import decode, is_image
from tandem.data.progress import OnProgress
from tandem.data.video import frame_count, is_video
from tandem.spec.errors import DataError

MAX_PIXELS = 120_000_000


@dataclass(frozen=True)
class OpenedFile:
    """What a file held that could be read."""

    digest: bytes
    size: tuple[int, int] | None
    """Width and height of a picture, as it is shown."""


def files_of(item: Item) -> tuple[bytes, ...]:
    """The pictures or the video of an item; a text has none."""
    return item.frames or ((item.path,) if item.text is None or item.width else ())


def open_all(
    content: Content, faults: Faults, progress: OnProgress | None = None
) -> dict[bytes, OpenedFile]:
    """Each file that is whole, by path; an item of a broken one is then faulty."""
    owners = [(path, item) for _, items in content.splits()
              for item in items for path in files_of(item)]  # fmt: skip
    found: dict[bytes, OpenedFile] = {}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        opened = pool.map(lambda one: _open(content.root, one[0]), owners)
        for done, ((path, item), one) in enumerate(zip(owners, opened, strict=True), 1):
            if isinstance(one, OpenedFile):
                found[path] = one
            else:
                item.faulty = True
                faults.keep(one)
            if progress is not None and done % 256 == 0:
                progress(done, len(owners))
    return found


def _open(root: Path, path: bytes) -> OpenedFile | Fault:
    name, size, faults = os.fsdecode(path), None, Faults()
    try:
        if is_video(name):
            frame_count(root / name)
            with (root / name).open("rb") as video:
                return OpenedFile(hashlib.file_digest(video, "sha256").digest(), None)
        data = (root / name).read_bytes()
        if is_image(name):
            size = decode(BytesIO(data), name, MAX_PIXELS).size
        return OpenedFile(hashlib.blake2b(data, digest_size=16).digest(), size)
    except DataError as error:
        faults.add(name, 0, "{reason}", reason=error.sentence())
    except OSError as error:
        faults.add(name, 0, "it cannot be read: {reason}", reason=error.strerror or error)
    return faults.found[0]
