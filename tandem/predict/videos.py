"""A video's frames as pictures, one after the other; never more than one in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
from av.error import FFmpegError
from PIL import Image

from tandem.spec.errors import DataError


def frames(path: Path, every: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """Each `every`-th frame with its number, from 0. DataError where it cannot be decoded."""
    none = True
    try:
        with av.open(str(path)) as video:
            for number, frame in enumerate(video.decode(video=0)):
                if number % every == 0:
                    none = False
                    yield number, Image.fromarray(frame.to_ndarray(format="rgb24"))
    except (FFmpegError, IndexError, ValueError) as error:
        raise broken_video(path, error) from error
    if none:
        raise DataError("The video {path} holds no frame.", path=path, fix="Take it away.")


def broken_video(path: Path, error: BaseException) -> DataError:
    """The sentence for what the decoder refuses."""
    return DataError(
        "The video {path} cannot be decoded: {reason}.",
        path=path,
        reason=str(error)[:120] or type(error).__name__,
        fix="Convert it, for example to H.264 in MP4, or take it away.",
    )
