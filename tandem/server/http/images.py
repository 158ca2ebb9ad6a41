"""Pictures, clips and masks as a browser shows them: made anew, bounded, never the file itself.

Who calls has made sure that the path lies inside a root; see `tandem.server.host.paths.inside`.
NumPy and Pillow are imported when a picture is asked for: the service starts without them.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Header, Query
from fastapi.responses import Response

from tandem.server.errors import NotFoundError
from tandem.server.host.paths import really_below
from tandem.spec.errors import DataError
from tandem.spec.run import DataSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

ImageSize = Annotated[int, Query(ge=16, le=2048, description="Pixels of the longest side.")]
Wanted = Annotated[str | None, Header(alias="If-None-Match")]
RenderedImage = tuple[bytes, str]
"""The bytes and their media type."""
ANSWERS: dict[int | str, dict[str, object]] = {
    200: {"content": {"image/png": {}, "image/jpeg": {}}, "description": "The picture."},
    304: {"description": "The client has it."},
}
"""For the description of a route that ends in `respond`."""

MOST_PIXELS: int = DataSpec.model_fields["max_image_pixels"].default
"""As the trainer takes by default; a larger picture is not decoded."""
MOST_FRAMES = 100_000
"""A clip's folder is not listed any further."""
DEMUXERS = {
    ".mp4": "mov",
    ".m4v": "mov",
    ".mov": "mov",
    ".avi": "avi",
    ".mkv": "matroska",
    ".webm": "matroska",
}
"""Named, not guessed: a play list that calls itself a video would open other files."""
SMALL = 96
"""A picture this small is shown without loss."""
MASK_OPACITY = 170
"""The opacity, of 255, where a mask's class is not 0."""
PALETTE = (
    "e6194b", "3cb44b", "4363d8", "f58231", "911eb4", "42d4f4", "f032e6", "bfef45", "fabed4",
    "469990", "dcbeff", "9a6324", "ffe119", "800000", "aaffc3", "808000", "ffd8b1", "000075",
)  # fmt: skip
"""The colour of class 1, 2, … of a mask, again from the start after the last."""
_IGNORED = 255
_ORIENTATION = 0x0112
"""EXIF's tag; 5 to 8 swap width and height."""
_TURNS = threading.BoundedSemaphore(2)
"""Pictures decoded at once: each may take hundreds of megabytes."""


def rendered(
    path: Path, size: int, *, frame: int | None = None, root: Path | None = None
) -> RenderedImage:
    """The picture, turned as its EXIF says, its longest side at most `size` pixels.

    Of a video or a clip's folder `frame`, counted from 0, or the middle one. A folder's frames
    must lie in `root` (the folder itself where none is given) after links are followed.
    NotFoundError when it has gone or cannot be shown.
    """
    from PIL import Image

    with _TURNS:
        image = _opened(path, size, frame, root)
        target = fitted(image.size, size)
        if image.size != target:
            image = image.resize(target, Image.Resampling.BILINEAR, reducing_gap=2.0)
        return _encoded(image)


def mask_png(indices: NDArray[Any], size: int, *, shape: tuple[int, int] | None = None) -> bytes:
    """A mask (height, width) of uint8 class indices in colour; class 0 and 255 are transparent.

    Its longest side is at most `size`. `shape` (width, height): of the picture that it lies on,
    which it is stretched to, so that both come in the same number of pixels.
    """
    from PIL import Image

    image = Image.fromarray(indices)
    target = fitted(shape or image.size, size)
    if image.size != target:
        image = image.resize(target, Image.Resampling.NEAREST)
    colours = bytes.fromhex("".join(PALETTE))
    image.putpalette((bytes(3) + colours * 15)[: 3 * 256], "RGB")
    clear = bytearray([MASK_OPACITY] * 256)
    clear[0] = clear[_IGNORED] = 0
    out = io.BytesIO()
    image.save(out, "PNG", transparency=bytes(clear))
    return out.getvalue()


def mask_indices(path: Path) -> NDArray[Any]:
    """(height, width) of uint8 class indices from an 8-bit PNG; NotFoundError without one."""
    import numpy as np
    from PIL import Image

    if not path.is_file():
        raise _gone(path)
    try:
        with _TURNS, Image.open(path, formats=["PNG"]) as image:
            # The header alone is read until here: a bomb is refused before it is decoded.
            if image.width * image.height > MOST_PIXELS or image.mode not in ("L", "P"):
                raise _unshowable(path)
            return np.array(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise _unshowable(path) from error


def fitted(shape: tuple[int, int], size: int) -> tuple[int, int]:
    """The width and height that a picture of this width and height is shown in."""
    width, height = shape
    scale = min(1.0, size / max(width, height, 1))
    return max(1, round(width * scale)), max(1, round(height * scale))


def size_of(path: Path) -> tuple[int, int] | None:
    """Width and height as shown, from the header alone; None of what is no picture."""
    from PIL import Image

    from tandem.data.images import FORMATS, is_image

    if not is_image(path.name) or not path.is_file():
        return None
    try:
        with Image.open(path, formats=FORMATS) as image:
            turned = image.getexif().get(_ORIENTATION, 1) in range(5, 9)
            return (image.height, image.width) if turned else image.size
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, struct.error):
        return None


def respond(make: Callable[[], RenderedImage], stamp: str, wanted: str | None) -> Response:
    """What `make` gives, or 304 where the client has what `stamp` (see `stamp_of`) stands for."""
    tag = f'"{hashlib.blake2b(stamp.encode("utf-8", "replace"), digest_size=12).hexdigest()}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "private, max-age=3600",
        "X-Content-Type-Options": "nosniff",
    }
    # A proxy that compresses makes the tag a weak one on its way.
    if wanted is not None and tag in (one.strip().removeprefix("W/") for one in wanted.split(",")):
        return Response(status_code=304, headers=headers)
    body, media_type = make()
    return Response(body, media_type=media_type, headers=headers)


def stamp_of(path: Path, *more: object) -> str:
    """Changes when the file does; NotFoundError when it has gone."""
    try:
        seen = path.stat()
    except (OSError, ValueError) as error:
        raise _gone(path) from error
    return "|".join(map(str, (path, seen.st_ino, seen.st_size, seen.st_mtime_ns, *more)))


def _opened(path: Path, size: int, frame: int | None, root: Path | None) -> Image.Image:
    from tandem.data.images import open_rgb

    if path.is_dir():
        path = _frame_file(path, frame, root or path)
    if not path.is_file():
        raise _gone(path)
    try:
        if path.suffix.lower() in DEMUXERS:
            return _video_frame(path, frame)
        return open_rgb(path, MOST_PIXELS, (size, size))
    except DataError as error:
        raise _unshowable(path) from error


def _frame_file(folder: Path, frame: int | None, root: Path) -> Path:
    """The clip's picture; NotFoundError where it has none, or leads out of `root`."""
    from tandem.data.images import is_image

    names: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and is_image(entry.name):
                names.append(entry.name)
            if len(names) >= MOST_FRAMES:
                break
    names.sort()
    place = len(names) // 2 if frame is None else frame
    if not 0 <= place < len(names):
        raise _gone(folder)
    real = really_below(folder / names[place], root)
    if real is None:
        raise _gone(folder)
    return real


def _video_frame(path: Path, frame: int | None) -> Image.Image:
    """This frame, or the first from the middle on; what is before it is skipped by its key."""
    import av
    from av.error import FFmpegError
    from PIL import Image

    demuxer = DEMUXERS[path.suffix.lower()]
    try:
        with path.open("rb") as file, av.open(file, "r", format=demuxer) as video:
            if not video.streams.video:
                raise _unshowable(path)
            stream = video.streams.video[0]
            if stream.codec_context.width * stream.codec_context.height > MOST_PIXELS:
                raise _unshowable(path)
            if frame is None and video.duration:
                # Backward, to the key frame before: a frame between two of them needs what went
                # before.
                video.seek(video.duration // 2 + (video.start_time or 0), backward=True)
            last = None
            for number, one in enumerate(video.decode(stream)):
                last = one
                if frame is None or number == frame or number >= MOST_FRAMES:
                    break
            if last is None or (frame is not None and number != frame):
                raise _gone(path)
            return Image.fromarray(last.to_ndarray(format="rgb24"))
    except (FFmpegError, OSError, ValueError, EOFError) as error:
        raise _unshowable(path) from error


def _encoded(image: Image.Image) -> RenderedImage:
    out = io.BytesIO()
    if max(image.size) <= SMALL:
        image.save(out, "PNG")
        return out.getvalue(), "image/png"
    image.save(out, "JPEG", quality=85)
    return out.getvalue(), "image/jpeg"


def _gone(path: Path) -> NotFoundError:
    return NotFoundError(
        "The picture {name} is no longer there.",
        name=path.name[:200],
        fix="Put the file back where it was.",
    )


def _unshowable(path: Path) -> NotFoundError:
    return NotFoundError(
        "The picture {name} cannot be shown: it is damaged, or larger than {limit} pixels.",
        name=path.name[:200],
        limit=MOST_PIXELS,
        fix="Replace the file.",
    )
